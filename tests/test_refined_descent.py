"""The refined descent: its prior, its box, when it stops, and that it brings a start further."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.fft import dctn
from splitzoo.attacks import (
    SETTINGS,
    Adversary,
    CopiedDescent,
    RefinedDescent,
    ResidualDecoder,
    procedural_images,
    refined_descent,
)
from splitzoo.attacks.draws import Draws
from splitzoo.attacks.error_prior import ErrorPrior, cosines
from splitzoo.attacks.refined_descent import GAIN, PATIENCE, Falling, Start
from splitzoo.attacks.residual_decoder import apart
from splitzoo.zoo import (
    CapabilityError,
    DecoderAndCopy,
    Images,
    InputError,
    Target,
    load_split,
)
from torch import Tensor, nn

TINY = RefinedDescent(
    steps=30,
    batch_size=16,
    width=8,
    queries=160,
    learning_rate=5e-3,
    iterations=30,
    prior_weight=0.01,
    tv_weight=0.03,
)


def errors(count: int = 40) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    white = torch.randn(count, 3, 6, 10, generator=generator, dtype=torch.float64)
    smooth = white + white.roll(1, 2) + white.roll(1, 3)
    mixing = torch.tensor([[1.0, 0.5, 0.2], [0.5, 1.0, 0.1], [0.2, 0.3, 0.7]]).double()
    return torch.einsum("nchw,cd->ndhw", smooth, mixing)


def test_the_prior_is_what_numpy_estimates() -> None:
    """Second moments of scipy's cosines of numpy's principal mixtures of the channels."""
    found, given = ErrorPrior.of(errors()), errors().numpy()
    pixels = given.transpose(1, 0, 2, 3).reshape(3, -1)
    mixtures = np.linalg.eigh(pixels @ pixels.T)[1]
    mixed = np.einsum("nchw,cd->ndhw", given, mixtures)
    expected = np.sqrt((dctn(mixed, axes=(2, 3), norm="ortho") ** 2).mean(0))
    assert np.allclose(found.deviations.numpy(), expected, rtol=1e-9)


def test_whitened_errors_are_white_and_come_back() -> None:
    prior = ErrorPrior.of(errors())
    white = prior.whitened(errors())
    assert torch.allclose(white.square().mean(0), torch.ones(3, 6, 10).double(), rtol=1e-9)
    assert torch.allclose(prior.error(white), errors())
    assert torch.allclose(cosines(9) @ cosines(9).T, torch.eye(9).double())


def test_an_axis_without_errors_keeps_a_little() -> None:
    """Where an adversary has few images, or an edge hides nothing along it."""
    flat = torch.ones(4, 1, 6, 6)
    prior = ErrorPrior.of(flat)
    assert prior.deviations.amin() == pytest.approx(1e-3 * prior.deviations.amax().item())


def adversary_in(setting: str, target: Target, images: Images | None = None) -> Adversary:
    return Adversary(SETTINGS[setting], target, data=images)


@pytest.fixture(scope="module")
def decoded() -> nn.Module:
    """A decoder that has barely learned."""
    return TINY.train(adversary_in("white_box", load_split("lenet", "conv1")))[0]


@pytest.fixture
def secret() -> Tensor:
    return procedural_images(5, (1, 28, 28), torch.Generator().manual_seed(9))


def distances(target: Target, images: Tensor, features: Tensor) -> Tensor:
    found: Tensor = (target.edge(images) - features).square().flatten(1).sum(1)
    return found


def test_it_comes_closer_to_the_features_than_its_start(
    lenet: Target, decoded: nn.Module, secret: Tensor
) -> None:
    features = lenet.edge(secret).detach()
    start = decoded(features).clamp(0, 1)
    adversary = adversary_in("white_box", lenet)
    found = TINY.prepare(adversary, network=decoded).reconstruct(features)
    before, after = distances(lenet, start, features), distances(lenet, found, features)
    assert (after < 0.5 * before).all()
    assert ((found - secret).square().mean() < (start - secret).square().mean()).item()
    assert adversary.queries == 0


def test_it_stays_in_the_box_and_pays_for_what_lies_beyond(
    lenet: Target, decoded: nn.Module, secret: Tensor
) -> None:
    features = lenet.edge(secret).detach()
    state = TINY.adopt(adversary_in("white_box", lenet), decoded)
    attack = replace(TINY, prior_weight=0.0, tv_weight=0.0)
    start = torch.full_like(secret, 0.9)
    push = state.prior.whitened(torch.full_like(secret, 0.3))  # to 1.2 everywhere
    loss, images = attack.objective(state, start, push, features)
    assert torch.allclose(images, torch.ones_like(images))
    expected = distances(lenet, torch.ones_like(secret), features) / state.distance + 0.2**2
    assert torch.allclose(loss, expected, rtol=1e-4)


def test_no_image_depends_on_who_shares_its_batch(
    lenet: Target, decoded: nn.Module, secret: Tensor
) -> None:
    """Also where one of them has converged long before the others: it is its own best image."""
    attack = replace(TINY, iterations=90)
    features = lenet.edge(secret).detach()
    prepared = attack.prepare(adversary_in("white_box", lenet), network=decoded)
    with torch.no_grad():
        features[0] = lenet.edge(decoded(features[:1]).clamp(0, 1))[0]
    together = prepared.reconstruct(features, batch=5)
    alone = prepared.reconstruct(features, batch=1)
    assert (together - alone).abs().max() < 0.02
    assert (together - alone).square().mean().sqrt() < 1e-3


def test_an_image_stops_when_its_own_loss_falls_no_more() -> None:
    """Against a loop over each image's losses."""
    generator = torch.Generator().manual_seed(0)
    steps = torch.arange(200.0)
    floors = torch.tensor([0.9, 0.5, 0.1, 0.0])
    curves = torch.maximum(0.99 ** steps[:, None], floors[None])
    curves = curves * (1 + 1e-4 * torch.rand(200, 4, generator=generator))
    expected = []
    for curve in curves.T.tolist():
        lowest, since, stopped = float("inf"), 0, len(curve)
        for step, loss in enumerate(curve):
            since = 0 if loss < (1 - GAIN) * lowest else since + 1
            lowest = loss if since == 0 else lowest
            if since == PATIENCE:
                stopped = step
                break
        expected.append(stopped)
    falling = Falling(4, torch.device("cpu"))
    found = [len(curves)] * 4
    for step, losses in enumerate(curves):
        before = set(falling.rows.tolist())
        falling.count(losses[falling.rows])
        for row in before - set(falling.rows.tolist()):
            found[row] = step
    assert found == expected
    assert found[0] < found[1] < found[2] == len(curves)


def test_it_calibrates_on_what_its_setting_grants(lenet: Target, decoded: nn.Module) -> None:
    """Its own images that the decoder has not seen, or procedural ones; the choice is made once."""
    pixels = torch.randint(256, (64, 1, 28, 28), generator=torch.Generator().manual_seed(0))
    own = Images(pixels.to(torch.uint8), torch.zeros(64))
    state = TINY.adopt(adversary_in("white_box_same_dist", lenet, own), decoded)
    held = own.subset(apart(64)[1]).floats()
    assert torch.equal(state.images, held[:4])
    state = TINY.adopt(adversary_in("white_box", lenet), decoded)
    assert len(state.images) == 10
    left_open = replace(TINY, prior_weight=None, tv_weight=None, iterations=4)
    prepared = left_open.prepare(adversary_in("white_box", lenet), network=decoded)
    assert isinstance(prepared.attack, RefinedDescent)
    assert (prepared.attack.prior_weight or 0) > 0
    assert (prepared.attack.tv_weight or 0) > 0
    assert replace(prepared.attack, prior_weight=None, tv_weight=None) == left_open


@dataclass(frozen=True, kw_only=True)
class Known(RefinedDescent):
    """Errs by a known landscape over log2 of α and λ, and by `answer` where it does not descend."""

    name = "known_landscape"
    landscape: str = ""
    answer: float = 1.0

    def online(self, state: Start, features: Tensor, draws: Draws) -> Tensor:  # type: ignore[override]
        error = self.answer
        if self.iterations:
            alpha, weight = math.log2(self.prior_weight or 1), math.log2(self.tv_weight or 1)
            error = LANDSCAPES[self.landscape](alpha, weight)
        return state.images + math.sqrt(error)


#: A valley at powers of four from where the search begins, one between them, and two along α, of
#: which the shallow one is where it begins.
LANDSCAPES: dict[str, Callable[[float, float], float]] = {
    "fours": lambda a, w: (a - math.log2(0.04)) ** 2 + (w - math.log2(0.12)) ** 2,
    "twos": lambda a, w: (a - math.log2(0.02)) ** 2 + (w - math.log2(0.015)) ** 2,
    "two valleys": lambda a, w: (
        min(5 + (a - math.log2(0.01)) ** 2, (a - math.log2(160)) ** 2) + (w - math.log2(0.03)) ** 2
    ),
}


@pytest.mark.parametrize(
    ("landscape", "answer", "weights", "iterations"),
    [
        ("fours", 100.0, (0.04, 0.12), 30),
        ("twos", 100.0, (0.02, 0.015), 30),
        ("two valleys", 100.0, (0.01, 0.03), 30),
        ("two valleys", 3.0, (160.0, 0.03), 30),
        ("two valleys", 0.0, None, 0),
    ],
)
def test_it_finds_the_weights_of_a_known_landscape(
    monkeypatch: pytest.MonkeyPatch,
    lenet: Target,
    decoded: nn.Module,
    landscape: str,
    answer: float,
    weights: tuple[float, float] | None,
    iterations: int,
) -> None:
    monkeypatch.setattr(
        refined_descent,
        "scored",
        lambda found, images: (found - images).square().flatten(1).mean(1),
    )
    adversary = adversary_in("white_box", lenet)
    left_open = Known(iterations=30, landscape=landscape, answer=answer)
    found = left_open.calibrate(adversary, left_open.adopt(adversary, decoded), 0)
    assert found.iterations == iterations
    if weights is not None:
        assert (found.prior_weight, found.tv_weight) == pytest.approx(weights)


class Remembers(nn.Module):
    """A decoder that answers with the image whose features are the nearest."""

    def __init__(self, features: Tensor, images: Tensor) -> None:
        super().__init__()
        self.features, self.images = features.flatten(1), images

    def forward(self, features: Tensor) -> Tensor:
        return self.images[torch.cdist(features.flatten(1), self.features).argmin(1)]


@pytest.mark.parametrize(("level", "iterations"), [(1.0, 0), (0.5, 30)])
def test_it_keeps_to_the_decoder_that_no_descent_betters(
    lenet: Target, level: float, iterations: int
) -> None:
    """Nothing betters the images themselves; half their light is easily bettered."""
    adversary = adversary_in("white_box", lenet)
    left_open = RefinedDescent(iterations=30)
    images = left_open.own_images(adversary)
    decoder = Remembers(lenet.edge(images).detach(), level * images)
    prepared = left_open.prepare(adversary, network=decoder)
    assert isinstance(prepared.attack, RefinedDescent)
    assert prepared.attack.iterations == iterations
    kept = prepared.reconstruct(lenet.edge(images[:2]).detach())
    assert torch.equal(kept, level * images[:2]) == (iterations == 0)


def test_it_is_refused_without_the_edge_or_with_next_to_no_images(
    lenet: Target, decoded: nn.Module
) -> None:
    own = Images(torch.zeros(12, 1, 28, 28, dtype=torch.uint8), torch.zeros(12))
    with pytest.raises(CapabilityError, match="requires the edge's parameters"):
        TINY.prepare(adversary_in("black_box_same_set", lenet, own), network=decoded)
    with pytest.raises(InputError, match="give 16 or more"):
        TINY.prepare(adversary_in("white_box_same_dist", lenet, own), network=decoded)


@pytest.mark.parametrize("split", ["block13", "block23", "block33"])
def test_a_network_that_no_attack_was_developed_on(split: str) -> None:
    """ResNet-20 behind each of its stages, with no field that knows of it."""
    target = load_split("resnet20", split)
    quick: dict[str, Any] = {"steps": 4, "batch_size": 8, "queries": 16}
    secret = procedural_images(2, (3, 32, 32), torch.Generator().manual_seed(4))
    features = target.edge(secret).detach()
    black_box = Adversary(SETTINGS["black_box_rand_set"], target)
    network, _ = ResidualDecoder(**quick).train(black_box)
    assert ResidualDecoder().prepare(black_box, network=network).reconstruct(features).shape == (
        *secret.shape,
    )
    white_box = Adversary(SETTINGS["white_box"], target)
    attack = RefinedDescent(iterations=10, prior_weight=0.01, tv_weight=0.03)
    found = attack.prepare(white_box, network=network).reconstruct(features)
    start = network(features).clamp(0, 1)
    assert (distances(target, found, features) < distances(target, start, features)).all()
    copying = CopiedDescent(**quick, iterations=10, prior_weight=0.01, tv_weight=0.03)
    learned, _ = copying.train(black_box)
    assert isinstance(learned, DecoderAndCopy)
    found = copying.prepare(black_box, network=learned).reconstruct(features)
    with torch.no_grad():
        start = learned.decoder(features).clamp(0, 1)
        before, after = (
            (learned.edge(images) - features).square().flatten(1).sum(1)
            for images in (start, found)
        )
    assert (after < before).all()
