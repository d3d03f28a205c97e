"""A defence makes a target of a target: one more edge, whose noise is nobody's but its own."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from splitzoo.attacks import Adversary, Attack, Capability, Draws, get_setting
from splitzoo.bench import Run, attack_images, scenario
from splitzoo.bench.cli import main
from splitzoo.bench.referee.attacking import Kept
from splitzoo.bench.referee.isolated import attack_isolated
from splitzoo.bench.referee.outside import as_class
from splitzoo.bench.referee.tuning import chosen_with, tune
from splitzoo.bench.referee.workers import Limits
from splitzoo.zoo import (
    Images,
    MisuseError,
    Target,
    UnknownNameError,
    all_defences,
    get_defence,
    load_split,
    number_images,
)
from torch import Tensor

CPU = torch.device("cpu")
NOISE = get_defence("gaussian_noise")


def test_noise_has_the_strength_that_was_asked_for(lenet: Target) -> None:
    """Relative to each image's own features: 0.3 of their root mean square, and no bias."""
    images = torch.rand(40, 1, 28, 28)
    images[:20] *= 0.2
    plain = lenet.edge(images)
    noise = NOISE(sigma=0.3).protect(lenet).edge(images) - plain
    relative = noise.flatten(1) / plain.flatten(1).square().mean(1, keepdim=True).sqrt()
    assert relative.std(1).mean().item() == pytest.approx(0.3, rel=0.02)
    assert relative.std(1).std().item() < 0.01
    assert abs(relative.mean().item()) < 0.01


def test_no_noise_is_no_defence(lenet: Target, digits: Tensor) -> None:
    protected = NOISE(sigma=0.0).protect(lenet)
    assert torch.equal(protected.edge(digits), lenet.edge(digits))
    assert torch.equal(protected(digits), lenet(digits))


def test_a_defended_target_is_another_and_leaves_the_first_alone(
    lenet: Target, digits: Tensor
) -> None:
    before = lenet.sha256, lenet(digits)
    hashes = {NOISE(sigma=sigma).protect(lenet).sha256 for sigma in (0.1, 0.2)}
    assert len(hashes | {before[0]}) == 3
    assert (lenet.sha256, True) == (before[0], torch.equal(lenet(digits), before[1]))


def test_every_answer_has_fresh_noise_and_a_run_can_be_repeated(
    lenet: Target, digits: Tensor
) -> None:
    protected = NOISE(sigma=0.5).protect(lenet)
    first, second = protected.edge(digits), protected.edge(digits)
    assert not torch.equal(first, second)
    again = NOISE(sigma=0.5).protect(lenet)
    assert torch.equal(torch.cat([again.edge(image[None]) for image in digits]), first)


def test_an_adversary_does_not_hold_the_victims_noise(lenet: Target, digits: Tensor) -> None:
    """Whoever could draw it again could subtract it."""
    protected = NOISE(sigma=0.5).protect(lenet)
    for setting in ("white_box", "black_box_rand_set"):
        mine = Adversary(get_setting(setting), copy.deepcopy(protected)).query(digits)
        assert not torch.equal(mine, copy.deepcopy(protected).edge(digits))
        assert not torch.equal(mine, lenet.edge(digits))


@dataclass(frozen=True, kw_only=True)
class Peek(Attack):
    """Answers the first channel of the features: what it was shown can be read off."""

    requires = frozenset({Capability.QUERY})
    title, citation = "Peek", "nobody"
    batch: int = 4

    def images_at_a_time(self, adversary: Adversary) -> int:
        return self.batch

    def online(self, state: Any, features: Tensor, draws: Draws) -> Tensor:
        return F.pad(0.5 + features[:, :1] / 20, (2, 2, 2, 2)).clamp(0, 1)


def peeked(kept: Kept | None = None, batch: int = 4) -> Tensor:
    where = scenario("black_box_rand_set/lenet/conv1", "paper10", NOISE(sigma=0.5))
    images = where.evaluation().images
    return attack_images(Peek(batch=batch), where, images, device=CPU, kept=kept).pixels


def test_the_noise_is_the_images_own_whatever_the_batch_and_after_a_kill(tmp_path: Path) -> None:
    """Image k's follows from k: in batches of any size, and where the first were kept."""
    whole = peeked()
    assert all(torch.equal(peeked(batch=size), whole) for size in (1, 3, 10))
    kept = Kept(tmp_path / "kept.safetensors", {})
    kept.save(whole[:6], 0.0)
    assert torch.equal(peeked(kept), whole)
    numbered = NOISE(sigma=0.5).protect(load_split("lenet", "conv1"))
    images = torch.rand(5, 1, 28, 28)
    number_images(numbered.edge, range(5))
    straight = numbered.edge(images)
    number_images(numbered.edge, [3, 1])
    assert torch.equal(numbered.edge(images[[3, 1]]), straight[[3, 1]])
    assert torch.equal(numbered.edge(images[4:]), straight[4:]), "it counts on from the greatest"


PEEK = """
from dataclasses import dataclass
import torch.nn.functional as F
from splitzoo.attacks import Attack, Capability

@dataclass(frozen=True, kw_only=True)
class Peek(Attack):
    requires = frozenset({Capability.QUERY})
    title, citation = "Peek", "nobody"

    def online(self, state, features, draws):
        return F.pad(0.5 + features[:, :1] / 20, (2, 2, 2, 2)).clamp(0, 1)
"""


def test_a_worker_and_a_sample_are_shown_the_same_noise(tmp_path: Path) -> None:
    """Though a worker sees the images in another order, and a check only some of them."""
    path = tmp_path / "peek.py"
    path.write_text(PEEK, "utf-8")
    said = {"name": "", "type": "Peek", "title": "Peek", "citation": "nobody", "version": 1}
    outside = as_class(f"{path}:Peek", {**said, "requires": ["QUERY"], "fields": {}})()
    where = scenario("black_box_rand_set/lenet/conv1", "paper10", NOISE(sigma=0.5))
    images, whole = where.evaluation().images, peeked()
    assert torch.equal(
        attack_isolated(outside, where, images, device=CPU, limits=Limits(), noise=0).pixels, whole
    )
    rows = torch.tensor([2, 5, 7])
    sample = attack_isolated(
        outside, where, images.subset(rows), device=CPU, limits=Limits(), noise=0, places=rows
    )
    assert torch.equal(sample.pixels, whole[rows])
    unforeseen = attack_isolated(outside, where, images, device=CPU, limits=Limits()).pixels
    assert (unforeseen != whole).float().mean() > 0.5, "an attack could draw the same noise"


@pytest.mark.parametrize("sigma", [-0.1, float("nan"), float("inf"), "0.5", True, None])
def test_a_knob_that_cannot_be_is_refused_in_a_line(sigma: Any) -> None:
    with pytest.raises(MisuseError, match="gaussian_noise: sigma cannot be"):
        NOISE(sigma=sigma)
    assert NOISE(sigma=1) == NOISE(sigma=1.0)
    assert NOISE(sigma=1).label == "gaussian_noise-sigma1.0"


def test_an_unknown_knob_and_a_second_defence_are_refused(
    lenet: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "--defence", "gaussian_noise:sigmma=1"]) == 2
    assert "unknown field of gaussian_noise 'sigmma': did you mean 'sigma'" in (
        capsys.readouterr().err
    )
    assert main(["bench", "--defence", "gaussian_noise:sigma=-1"]) == 2
    assert "sigma cannot be -1" in capsys.readouterr().err
    with pytest.raises(MisuseError, match=r"lenet/conv1 is defended by gaussian_noise-sigma0\.1"):
        NOISE(sigma=0.5).protect(NOISE(sigma=0.1).protect(lenet))


def test_nothing_that_was_tuned_is_used_or_tuned_at_a_defended_target() -> None:
    """Neither may a defended target's value ever stand for the undefended one's."""
    plain = scenario("white_box/lenet/conv1")
    where = scenario("white_box/lenet/conv1", defence=NOISE(sigma=0.5))
    assert asdict(Run(plain, "rmle").configure())["tv_weight"] is not None
    assert asdict(Run(where, "rmle").configure())["tv_weight"] is None
    assert chosen_with("rmle", plain) == "oracle λ"
    assert chosen_with("rmle", where) == ""
    with pytest.raises(MisuseError, match="nothing is tuned for a defended target"):
        tune("rmle", where, "tv_weight", [0.1], per_class=1, device=CPU)


def test_noise_costs_an_attack_quality() -> None:
    images = Images(torch.randint(256, (6, 1, 28, 28)).byte(), torch.zeros(6))
    errors = []
    for sigma in (0.0, 0.5):
        where = scenario("white_box/lenet/conv1", defence=NOISE(sigma=sigma))
        attack = Run(where, "rmle").configure()
        recovered = attack_images(attack, where, images, device=CPU).pixels
        errors.append((recovered.double() - images.pixels.double()).square().mean().item())
    assert errors[1] > 100 * (errors[0] + 0.01)


def test_a_defended_scenario_has_a_name_and_place_of_its_own() -> None:
    plain = scenario("white_box/lenet/conv1")
    where = scenario("white_box/lenet/conv1", defence=NOISE(sigma=0.5))
    assert where.key == "white_box/lenet/conv1+gaussian_noise-sigma0.5"
    assert where != plain
    run = Run(where, "inverse_network")
    assert run.checkpoint_name() is None, "no network was published for it"
    assert run.identity()["defence"]["fields"] == {"sigma": 0.5}


def test_unknown_defences_list_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'gaussian_noise'"):
        get_defence("gausian_noise")
    for defence in all_defences().values():
        assert defence.title
        assert defence.citation
        assert defence.__doc__
