"""The decoder of many shadows: who answers for which image, and what its witness is for."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.fft
import torch
from splitzoo.attacks import SETTINGS, Adversary, ShadowDecoder, ShadowModel
from splitzoo.attacks.residual_decoder import apart
from splitzoo.attacks.shrinkage import Shrinkage, bands_of
from splitzoo.zoo import AtUnitScale, CapabilityError, Images, InputError, Target, split_module
from splitzoo.zoo.resume import Conditions
from torch import Tensor, nn

SETTING = SETTINGS["query_free_diff_set_same_net"]
TINY = ShadowDecoder(
    steps=30, batch_size=8, width=4, queries=80, shadows=4, shadow_steps=4, learning_rate=3e-3
)


def squares(count: int, seed: int = 0) -> Images:
    """Squares of any brightness at any place, on black; N×1×12×12."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(low: int, high: int) -> int:
        return int(torch.randint(low, high, (), generator=generator))

    pixels = torch.zeros(count, 1, 12, 12, dtype=torch.uint8)
    for image in pixels:
        top, left, side = drawn(0, 8), drawn(0, 8), drawn(3, 6)
        image[0, top : top + side, left : left + side] = drawn(64, 256)
    return Images(pixels, torch.arange(count) % 3)


def target() -> Target:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(600, 3))
    return split_module(module, "1", torch.rand(2, 1, 12, 12))


def adversary(count: int = 40, setting: str = SETTING.name) -> Adversary:
    return Adversary(SETTINGS[setting], target(), data=squares(count))


def test_it_asks_nothing_and_needs_images() -> None:
    cloud = adversary()
    TINY.prepare(cloud)
    assert cloud.queries == 0
    with pytest.raises(CapabilityError, match="labelled images"):
        TINY.prepare(adversary(setting="black_box_rand_set"))
    with pytest.raises(InputError, match="at least 3"):
        replace(TINY, shadows=2).prepare(adversary())
    with pytest.raises(InputError, match="at least 16 images, not 15"):
        TINY.prepare(adversary(15))


def test_each_shadow_answers_its_share_and_a_witness_what_nobody_has_learned_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trained: list[tuple[int, ShadowModel]] = []

    def shadow(number: int) -> nn.Module:
        torch.manual_seed(number)
        return nn.Conv2d(1, 6, 3).requires_grad_(False)

    def train(attack: ShadowModel, _: Any, *, seed: int, **__: Any) -> tuple[nn.Module, float]:
        trained.append((seed, attack))
        return shadow(len(trained)), 0.0

    monkeypatch.setattr(ShadowModel, "train", train)
    held, cloud = squares(40), adversary()
    found = TINY.gather(cloud, torch.Generator().manual_seed(0), Conditions())
    assert len({seed for seed, _ in trained}) == 4
    assert len({(each.init_gain, each.learning_rate) for _, each in trained}) == 4
    assert len(found) >= 80
    assert torch.equal(found.pixels[:35], held.pixels[apart(40)[0]])

    def of_shadow(number: int, pixels: Tensor, features: Tensor) -> bool:
        """Whether these are its features, but for their scale."""
        wanted = shadow(number)(pixels[None].float() / 255)[0].flatten()
        return bool(torch.cosine_similarity(wanted, features.float().flatten(), 0) > 0.99999)

    for row in (0, 1, 2, 33, 78, 79):  # two take turns
        assert of_shadow(1 + row % 2, found.pixels[row], found.values[row])
    assert found.unseen is not None
    assert torch.equal(found.unseen.pixels, held.pixels[apart(40)[1]].repeat(2, 1, 1, 1))
    for row in range(10):
        assert of_shadow(3 + row // 5, found.unseen.pixels[row], found.unseen.values[row])


def test_the_scale_of_an_image_s_features_says_nothing() -> None:
    prepared = TINY.prepare(adversary())
    features = target().edge(squares(6, 1).floats())
    scales = torch.tensor([0.01, 0.5, 1.0, 3.0, 40.0, 900.0]).view(-1, 1, 1, 1)
    assert torch.allclose(
        prepared.reconstruct(features * scales), prepared.reconstruct(features), atol=1e-3
    )


def test_each_map_has_its_own_scale_and_what_has_no_maps_one_for_all() -> None:
    maps = torch.rand(3, 2, 4, 5) * torch.tensor([1.0, 50.0]).view(1, 2, 1, 1) + 7
    maps[2, 1] = 3.0  # of one value: nothing is made of it
    found = AtUnitScale()(maps)
    for image, channel in ((0, 0), (0, 1), (1, 0), (1, 1)):
        values = maps[image, channel].double().numpy()
        least = 0.01 * (maps[image, 0].numpy().std() + maps[image, 1].numpy().std()) / 2
        wanted = (values - values.mean()) / (values.std() + least)
        assert np.allclose(found[image, channel].numpy(), wanted, atol=1e-4)
    assert not found[2, 1].any()
    for shape in ((6,), (5, 4), (3, 2, 2), (8, 1, 1)):  # a vector, tokens, tiny maps
        features = 40 * torch.rand(2, *shape) - 3
        for image, answer in zip(features.numpy(), AtUnitScale()(features).numpy(), strict=True):
            assert np.allclose(answer, (image - image.mean()) / image.std() / 1.01, atol=1e-4)
    assert not AtUnitScale()(torch.zeros(2, 3)).any()


def smooth(count: int, seed: int) -> Tensor:
    """N×2×6×9 in [0.2, 0.8], about a mean image that is not flat."""
    generator = torch.Generator().manual_seed(seed)
    waves = 0.15 * torch.randn(count, 2, 6, 9, generator=generator).clamp(-1.5, 1.5)
    return 0.5 + waves + torch.linspace(-0.05, 0.05, 9)


def squared(answers: Tensor, truth: Tensor) -> Tensor:
    return (answers - truth).square().flatten(1).mean(1)


def test_answers_become_the_regression_of_images_on_them_band_by_band() -> None:
    """Against scipy's cosine transform and a loop over frequencies."""
    truth, answers = smooth(40, 1), smooth(40, 2)
    along = scipy.fft.dctn(truth.numpy(), axes=(2, 3), norm="ortho")
    noise = scipy.fft.dctn(answers.numpy(), axes=(2, 3), norm="ortho")
    noise[:, :, :2, :3] = 0.9 * along[:, :, :2, :3]  # long waves are right
    answers = torch.from_numpy(scipy.fft.idctn(noise, axes=(2, 3), norm="ortho")).clamp(0, 1)
    shrink = Shrinkage((2, 6, 9))
    shrink.fit(answers, truth, squared)
    assert float(shrink.amount) == 1.0
    mine = scipy.fft.dctn((answers - answers.mean(0)).numpy(), axes=(2, 3), norm="ortho")
    true = scipy.fft.dctn((truth - truth.mean(0)).numpy(), axes=(2, 3), norm="ortho")
    wanted = mine.copy()
    for band in range(14):
        inside = [
            (u, v) for u in range(6) for v in range(9) if round(math.hypot(u * 9 / 6, v)) == band
        ]
        alike = sum(float((mine[:, :, u, v] * true[:, :, u, v]).sum()) for u, v in inside)
        power = sum(float((mine[:, :, u, v] ** 2).sum()) for u, v in inside)
        for u, v in inside:
            wanted[:, :, u, v] *= min(1.0, max(0.0, alike / power))
    expected = scipy.fft.idctn(wanted, axes=(2, 3), norm="ortho") + truth.mean(0).numpy()
    assert torch.allclose(shrink(answers), torch.from_numpy(expected).clamp(0, 1), atol=1e-4)


def test_what_tells_nothing_becomes_the_mean_image() -> None:
    shrink, truth = Shrinkage((2, 6, 9)), smooth(4000, 1)
    shrink.fit(smooth(4000, 2), truth, squared)
    new, others = smooth(50, 3), smooth(50, 4)
    least = squared(truth.mean(0).expand_as(new), new).mean()
    assert squared(others, new).mean() > 1.9 * least
    assert squared(shrink(others), new).mean() == pytest.approx(float(least), rel=0.02)


def test_what_is_right_stays_as_it_is() -> None:
    shrink, truth = Shrinkage((2, 6, 9)), smooth(100, 1)
    answers = smooth(3, 2) + 1.0  # until it is fitted not even the range is touched
    assert torch.equal(shrink(answers), answers)
    shrink.fit(truth + 1e-3, truth, lambda answers, truth: squared(answers, truth + 1e-3))
    assert float(shrink.amount) == 0.0
    assert torch.equal(shrink(answers), answers)


def test_bands_are_half_waves_over_the_longer_side() -> None:
    bands = bands_of(4, 8)
    assert bands[0].tolist() == list(range(8))
    assert bands[:, 0].tolist() == [0, 2, 4, 6]
    assert bands[2, 3] == 5  # √(4² + 3²)
