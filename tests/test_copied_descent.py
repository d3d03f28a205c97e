"""The descent over a copy: the copy's shapes, scale and fit, and who asked whom for what."""

from __future__ import annotations

import pytest
import torch
from splitzoo.attacks import SETTINGS, Adversary, CopiedDescent, procedural_images
from splitzoo.attacks.residual_decoder import HELD_OUT
from splitzoo.zoo import CapabilityError, DecoderAndCopy, Target, derived_edge, load_split
from splitzoo.zoo.edge_copy import EdgeCopy
from torch import Tensor, nn

MNIST = ((0.1307,), (0.3081,))
NOISE = torch.randn(200, 3, 4, 4, generator=torch.Generator().manual_seed(0))
TINY = CopiedDescent(
    steps=240,
    batch_size=8,
    width=8,
    copy_width=16,
    queries=240,
    learning_rate=5e-3,
    iterations=30,
    prior_weight=0.1,
    tv_weight=0.03,
)


@pytest.mark.parametrize(
    ("features", "images"),
    [
        ((8, 24, 24), (1, 28, 28)),  # LeNet's conv1: four borders lost
        ((16, 8, 8), (1, 28, 28)),
        ((120,), (1, 28, 28)),
        ((64, 32, 32), (3, 32, 32)),
        ((128, 8, 8), (3, 32, 32)),
        ((64, 1, 1), (3, 32, 32)),
        ((4, 40, 40), (3, 32, 32)),  # larger than the image
        ((65, 12), (3, 32, 32)),  # tokens, one of a class before them
        ((7, 12), (3, 32, 32)),  # a sequence that is no grid
        ((6, 5, 9), (2, 17, 40)),
    ],
)
def test_a_derived_edge_follows_from_the_shapes(
    features: tuple[int, ...], images: tuple[int, ...]
) -> None:
    channels = images[0]
    edge = derived_edge(images, features, ((0.5,) * channels, (0.25,) * channels), width=4)
    answer = edge(torch.rand(3, *images))
    assert answer.shape == (3, *features)
    answer.square().sum().backward()
    for name, weight in edge.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.any(), name


def test_what_lies_in_the_middle_of_the_image_answers_in_the_middle_of_the_features() -> None:
    """Where borders are lost, the grid is cut alike on both sides, not squeezed."""
    edge = derived_edge((1, 28, 28), (2, 8, 8), MNIST, width=4)
    flat, dot = torch.zeros(1, 1, 28, 28), torch.zeros(1, 1, 28, 28)
    dot[0, 0, 13:15, 13:15] = 1.0
    changed = (edge(dot) - edge(flat)).abs().sum((0, 1)) > 0
    assert changed.any()
    rows = changed.any(1).nonzero().flatten().tolist()
    assert rows[0] + rows[-1] == 7


def test_a_copy_answers_on_the_scale_of_what_it_is_fitted_to() -> None:
    features = 40 * torch.randn(500, 3, 8, 8, generator=torch.Generator().manual_seed(0)) + 7
    copy = EdgeCopy(derived_edge((1, 28, 28), (3, 8, 8), MNIST, width=4), (3, 8, 8))
    copy.fit(features)
    inner = copy.edge(torch.rand(2, 1, 28, 28))
    expected = inner * features.std((0, 2, 3), correction=0).view(-1, 1, 1)
    expected = expected + features.mean((0, 2, 3)).view(-1, 1, 1)
    copy.edge = nn.Identity()  # type: ignore[assignment]
    copy.edge.unchecked = lambda values: values  # type: ignore[assignment]
    assert torch.allclose(copy(inner), expected, rtol=1e-4, atol=1e-3)
    copy.rescale(3.0)
    assert torch.allclose(copy(inner), 3 * expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("values", "least"),
    [
        (NOISE.relu(), 0.0),
        (NOISE.clamp(-0.5, 0.5), -0.5),
        (NOISE, -torch.inf),
    ],
)
def test_a_copy_saturates_where_the_features_do(values: Tensor, least: float) -> None:
    copy = EdgeCopy(derived_edge((1, 16, 16), (3, 4, 4), MNIST, width=4), (3, 4, 4))
    copy.fit(values)
    assert copy.least.item() == least
    answers = copy(torch.rand(20, 1, 16, 16))
    assert answers.amin() >= least
    copy.rescale(2.0)
    assert copy.least.item() == 2 * least


def test_a_number_that_a_copy_never_answers_still_learns() -> None:
    """A clamp alone has no gradient there: three of sixteen channels died of it at lenet/relu2."""
    images, features = torch.rand(20, 1, 16, 16), torch.rand(20, 3, 4, 4).sub(0.5).relu()
    copy = EdgeCopy(derived_edge((1, 16, 16), (3, 4, 4), MNIST, width=4), (3, 4, 4))
    copy.fit(features)
    out = copy.edge.out
    assert isinstance(out, nn.Conv2d)
    assert out.bias is not None
    out.bias.data.fill_(-30.0)
    assert not copy(images).any()
    copy.error(images, features).backward()
    assert out.bias.grad is not None
    assert (out.bias.grad < 0).all()
    out.bias.grad = None
    copy.error(images, torch.zeros_like(features)).backward()
    assert not out.bias.grad.any()  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def victim() -> Target:
    return load_split("lenet", "relu1")


def asking(victim: Target) -> Adversary:
    return Adversary(SETTINGS["black_box_rand_set"], victim)


@pytest.fixture(scope="module")
def learned(victim: Target) -> tuple[nn.Module, Adversary]:
    adversary = asking(victim)
    return TINY.train(adversary)[0], adversary


@pytest.fixture
def secret() -> Tensor:
    return procedural_images(4, (1, 28, 28), torch.Generator().manual_seed(9))


def test_both_halves_learn_the_true_edge(
    victim: Target, learned: tuple[nn.Module, Adversary], secret: Tensor
) -> None:
    network, adversary = learned
    assert isinstance(network, DecoderAndCopy)
    assert adversary.queries == TINY.queries
    features = victim.edge(secret).detach()
    constant = features.mean(0, keepdim=True)
    unexplained = (network.edge(secret) - features).square().mean()
    assert unexplained < 0.2 * (features - constant).square().mean()
    error = (network(features).clamp(0, 1) - secret).square().mean()
    assert error < 0.5 * secret.var()


def test_the_descent_helps_although_the_true_edge_is_not_there(
    victim: Target, learned: tuple[nn.Module, Adversary], secret: Tensor
) -> None:
    """And costs but the queries of the held-out images, asked once."""
    adversary = asking(victim)
    features = victim.edge(secret).detach()
    prepared = TINY.prepare(adversary, network=learned[0])
    assert adversary.queries == HELD_OUT
    found = prepared.reconstruct(features)
    assert adversary.queries == HELD_OUT
    start = learned[0](features).clamp(0, 1)
    assert (found - secret).square().mean() < (start - secret).square().mean()


def test_what_it_is_held_to_comes_from_the_true_edge(
    victim: Target, learned: tuple[nn.Module, Adversary]
) -> None:
    """Were it the copy's, no weight would be chosen for what the copy errs in."""
    network = learned[0]
    assert isinstance(network, DecoderAndCopy)
    state = TINY.adopt(asking(victim), network)
    assert torch.allclose(state.features, victim.edge(state.images), atol=1e-5)
    assert state.edge is network.edge
    own = TINY.own_images(asking(victim))
    answers = victim.edge(own)
    again = network.edge(network.decoder(answers).clamp(0, 1))
    expected = (again - answers).square().flatten(1).sum(1).mean()
    assert state.distance == pytest.approx(expected.item(), rel=1e-3)


def test_it_asks_and_holds_nothing_else(victim: Target) -> None:
    with pytest.raises(CapabilityError, match="requires queries to the edge"):
        TINY.train(Adversary(SETTINGS["query_free_same_set_same_net"], victim))
    assert TINY.learner() is CopiedDescent
