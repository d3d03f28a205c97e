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


def target(at: str = "1") -> Target:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(600, 3))
    return split_module(module, at, torch.rand(2, 1, 12, 12))


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
    held, cloud = squares(41), adversary(41)
    found = TINY.gather(cloud, torch.Generator().manual_seed(0), Conditions())
    assert len({seed for seed, _ in trained}) == 4
    assert len({(each.init_gain, each.learning_rate) for _, each in trained}) == 4
    assert len(found) >= 80
    assert torch.equal(found.pixels[:36], held.pixels[apart(41)[0]])

    def of_shadow(number: int, pixels: Tensor, features: Tensor) -> bool:
        """Whether these are its features, but for their scale."""
        wanted = shadow(number)(pixels[None].float() / 255)[0].flatten()
        return bool(torch.cosine_similarity(wanted, features.float().flatten(), 0) > 0.99999)

    owners = [
        next(each for each in (1, 2) if of_shadow(each, found.pixels[row], found.values[row]))
        for row in range(len(found))
    ]
    assert owners.count(1) == math.ceil(len(found) / 2)
    of_images = [set(owners[row::36]) for row in range(36)]  # the copies of each come in turn
    assert sum(len(each) == 2 for each in of_images) > 10
    assert found.unseen is not None
    assert torch.equal(found.unseen.pixels, held.pixels[apart(41)[1]].repeat(2, 1, 1, 1))
    for row in range(10):
        assert of_shadow(3 + row // 5, found.unseen.pixels[row], found.unseen.values[row])


def test_the_scale_of_an_image_s_features_says_nothing() -> None:
    decode = TINY.train(adversary())[0][:2]  # type: ignore[index]
    features = target().edge(squares(6, 1).floats())
    scales = torch.tensor([0.01, 0.5, 1.0, 3.0, 40.0, 900.0]).view(-1, 1, 1, 1)
    answers = decode(features)
    assert torch.allclose(decode(features * scales), answers, atol=1e-3)
    assert answers.std(0).mean() > 0.01  # it does look at them


def test_what_enters_the_decoder_is_standard() -> None:
    cloud = adversary()
    found = TINY.gather(cloud, torch.Generator().manual_seed(0), Conditions())
    torch.manual_seed(0)
    network = TINY.build(cloud)
    TINY.begin(network, found)
    values = network[1].standardize(network[0](found.values.float()))  # type: ignore[index]
    assert torch.allclose(values.mean((0, 2, 3)), torch.zeros(6), atol=1e-4)
    deviations = values.std((0, 2, 3))
    assert ((deviations - 1).abs() < 1e-2).logical_or(deviations == 0).all()
    assert (deviations > 0).sum() >= 3


def test_answers_are_shrunk_to_what_they_are_worth_at_the_witnesses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[Tensor, ...]] = []

    def fit(_: Shrinkage, answers: Tensor, images: Tensor, mean: Tensor, __: object) -> None:
        seen.append((answers, images, mean))

    monkeypatch.setattr(Shrinkage, "fit", fit)
    TINY.train(adversary())
    ((answers, images, mean),) = seen
    held = squares(40)
    assert torch.equal(images, held.subset(apart(40)[1]).floats())
    assert answers.shape == (2, 5, 1, 12, 12)
    assert torch.allclose(mean, held.floats().mean(0))


@pytest.mark.parametrize("setting", [SETTING.name, "query_free_diff_set_diff_net"])
@pytest.mark.parametrize("at", ["1", "2"])
def test_it_runs_behind_maps_and_vectors_with_and_without_the_structure(
    setting: str, at: str
) -> None:
    cloud = Adversary(SETTINGS[setting], target(at), data=squares(40))
    found = TINY.prepare(cloud).reconstruct(target(at).edge(squares(3, 1).floats()))
    assert found.shape == (3, 1, 12, 12)


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
    for shape in ((3, 5, 5), (7,)):  # 0.1 has no exact float, and a mean of it another one
        assert AtUnitScale()(torch.full((2, *shape), 0.1)).abs().max() < 0.1


def smooth(count: int, seed: int) -> Tensor:
    """N×2×6×9 in [0.2, 0.8], about a mean image that is not flat."""
    generator = torch.Generator().manual_seed(seed)
    waves = 0.15 * torch.randn(count, 2, 6, 9, generator=generator).clamp(-1.5, 1.5)
    return 0.5 + waves + torch.linspace(-0.05, 0.05, 9)


def squared(answers: Tensor, truth: Tensor) -> Tensor:
    return (answers - truth).square().flatten(1).mean(1)


def test_answers_become_the_regression_of_images_on_them_band_by_band() -> None:
    """Against scipy's cosine transform and a loop over frequencies."""
    truth, answers = smooth(20, 1).repeat(2, 1, 1, 1), smooth(40, 2)
    along = scipy.fft.dctn(truth.numpy(), axes=(2, 3), norm="ortho")
    noise = scipy.fft.dctn(answers.numpy(), axes=(2, 3), norm="ortho")
    noise[:, :, :2, :3] = 0.9 * along[:, :, :2, :3]  # long waves are right
    answers = torch.from_numpy(scipy.fft.idctn(noise, axes=(2, 3), norm="ortho")).clamp(0, 1)
    shrink, known = Shrinkage((2, 6, 9)), smooth(300, 5).mean(0)
    shrink.fit(torch.stack([answers[:20], answers[20:]]), truth[:20], known, squared)
    assert float(shrink.amount) == 1.0
    mine = scipy.fft.dctn((answers - answers.mean(0)).numpy(), axes=(2, 3), norm="ortho")
    true = scipy.fft.dctn((truth - known).numpy(), axes=(2, 3), norm="ortho")
    wanted = mine.copy()
    for band in range(14):
        inside = [
            (u, v) for u in range(6) for v in range(9) if round(math.hypot(u * 9 / 6, v)) == band
        ]
        alike = sum(float((mine[:, :, u, v] * true[:, :, u, v]).sum()) for u, v in inside)
        power = sum(float((mine[:, :, u, v] ** 2).sum()) for u, v in inside)
        for u, v in inside:
            wanted[:, :, u, v] *= min(1.0, max(0.0, alike / power))
    expected = scipy.fft.idctn(wanted, axes=(2, 3), norm="ortho") + known.numpy()
    assert torch.allclose(shrink(answers), torch.from_numpy(expected).clamp(0, 1), atol=1e-4)


@pytest.mark.parametrize("count", [4, 1000])
def test_what_tells_nothing_becomes_the_mean_image(count: int) -> None:
    shrink, mean = Shrinkage((2, 6, 9)), smooth(4000, 5).mean(0)
    answers = torch.stack([smooth(count, 2), smooth(count, 6)])
    shrink.fit(answers, smooth(count, 1), mean, squared)
    new, others = smooth(50, 3), smooth(50, 4)
    least = squared(mean.expand_as(new), new).mean()
    assert squared(others, new).mean() > 1.9 * least
    allowed = 0.01 if count == 1000 else 0.2
    assert squared(shrink(others), new).mean() < (1 + allowed) * least


def test_what_is_right_stays_as_it_is() -> None:
    shrink, truth = Shrinkage((2, 6, 9)), smooth(100, 1)
    answers = smooth(3, 2) + 1.0  # until it is fitted not even the range is touched
    assert torch.equal(shrink(answers), answers)

    def wants_them(answers: Tensor, truth: Tensor) -> Tensor:
        return squared(answers, truth + 1e-3)

    shrink.fit((truth + 1e-3).repeat(2, 1, 1, 1, 1), truth, truth.mean(0), wants_them)
    assert float(shrink.amount) == 0.0
    assert torch.equal(shrink(answers), answers)


def test_bands_are_half_waves_over_the_longer_side() -> None:
    bands = bands_of(4, 8)
    assert bands[0].tolist() == list(range(8))
    assert bands[:, 0].tolist() == [0, 2, 4, 6]
    assert bands[2, 3] == 5  # √(4² + 3²)
