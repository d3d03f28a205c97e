"""An attack chooses what was left open with what its setting grants, and chooses well."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from splitzoo.attacks import (
    RMLE,
    Adversary,
    ModelReconstruction,
    ShadowModel,
    best_positive,
    calibration_images,
    get_setting,
    procedural_images,
)
from splitzoo.zoo import Images, Target, load_split
from torch import Tensor


@pytest.mark.parametrize("best", [1e-6, 0.01, 1.0, 30.0, 5e4])
def test_the_grid_grows_until_its_best_value_lies_within(best: float) -> None:
    """By hand: an error with one minimum is followed to it from wherever the search begins."""
    tried: list[float] = []

    def error(value: float) -> float:
        tried.append(value)
        return abs(math.log(value / best))

    found = best_positive(error, 1.0, factor=4.0, most=20)
    assert 0.5 <= found / best <= 2.0
    assert min(tried) < found < max(tried)
    assert len(tried) == len(set(tried))


def test_the_grid_ends_after_so_many_values() -> None:
    tried: list[float] = []

    def error(value: float) -> float:
        tried.append(value)
        return -value

    assert best_positive(error, 1.0, most=6) == max(tried)
    assert len(tried) == 6


def test_who_holds_images_calibrates_on_them_and_who_does_not_draws_some(lenet: Target) -> None:
    own = Images(torch.arange(5).view(5, 1, 1, 1).expand(5, 1, 28, 28).byte(), torch.zeros(5))
    having = Adversary(get_setting("black_box_same_set"), lenet, data=own)
    values = {round(255 * image.max().item()) for image in calibration_images(having, 3, seed=0)}
    assert len(values) == 3
    assert values <= {0, 1, 2, 3, 4}
    without = Adversary(get_setting("white_box"), lenet)
    drawn = calibration_images(without, 4, seed=0)
    assert torch.equal(drawn, procedural_images(4, (1, 28, 28), torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (3, 17, 40)])
def test_procedural_images_are_images_and_differ(shape: tuple[int, ...]) -> None:
    images = procedural_images(8, shape, torch.Generator().manual_seed(1))
    assert images.shape == (8, *shape)
    assert images.dtype == torch.float32
    assert images.min() >= 0
    assert images.max() <= 1
    assert (images.flatten(1).std(1) > 0.02).all(), "none is flat"
    assert len({image.numpy().tobytes() for image in images}) == 8
    again = procedural_images(8, shape, torch.Generator().manual_seed(1))
    assert torch.equal(images, again)


def quality(attack: RMLE, target: Target, secret: Tensor) -> float:
    """Mean PSNR in dB."""
    adversary = Adversary(get_setting("white_box"), target)
    recovered = attack.prepare(adversary).reconstruct(target.edge(secret).detach())
    error = (recovered - secret).square().flatten(1).mean(1)
    return float((-10 * error.log10()).mean())


def test_a_calibrated_weight_is_about_as_good_as_the_best() -> None:
    """On LeNet behind relu1, which no table names: against a grid that looks at the secret."""
    target = load_split("lenet", "relu1")
    secret = procedural_images(6, (1, 28, 28), torch.Generator().manual_seed(9))
    short = RMLE(iterations=300, step_size=0.01, start=0.25)
    grid = [
        quality(replace(short, tv_weight=10.0**power), target, secret) for power in range(-5, 3)
    ]
    at_stake = max(grid) - min(grid)
    assert at_stake > 3.0, "the choice matters here"
    assert quality(short, target, secret) > max(grid) - at_stake / 3


def test_the_choice_is_made_once_and_told(lenet: Target) -> None:
    attack = RMLE(iterations=40, step_size=0.02)
    adversary = Adversary(get_setting("white_box"), lenet)
    prepared = attack.prepare(adversary)
    assert isinstance(prepared.attack, RMLE)
    assert prepared.attack.tv_weight is not None
    assert replace(prepared.attack, tv_weight=None) == attack
    assert attack.prepare(adversary).attack == prepared.attack
    given = RMLE(iterations=40, tv_weight=0.7)
    assert given.prepare(adversary).attack == given


def test_calibration_asks_only_for_what_is_granted(lenet: Target) -> None:
    """Query-free, the shadow is its own victim; black-box, six images are asked for."""
    own = Images(torch.randint(256, (24, 1, 28, 28)).byte(), torch.arange(24) % 10)
    few = {"steps": 2, "batch_size": 12, "iterations": 30, "step_size": 0.05}
    silent = Adversary(get_setting("query_free_same_set_diff_net"), lenet, data=own)
    shadow = ShadowModel(**few).prepare(silent)  # type: ignore[arg-type]
    assert silent.queries == 0
    assert getattr(shadow.attack, "tv_weight", None) is not None
    asking = Adversary(get_setting("black_box_same_set"), lenet, data=own)
    ModelReconstruction(**few).prepare(asking)  # type: ignore[arg-type]
    assert asking.queries == 24 + 6
