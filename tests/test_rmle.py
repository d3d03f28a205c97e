"""rMLE against Eq. 3 written out by hand, and on an edge whose answer is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from splitzoo.attacks import (
    RMLE,
    Adversary,
    PreparedAttack,
    ReleasedRMLE,
    get_setting,
    total_variation,
)
from splitzoo.zoo import Target, load_split

CPU = torch.device("cpu")


def prepare(attack: RMLE, target: Target) -> PreparedAttack:
    return attack.prepare(Adversary(get_setting("white_box"), target, device=CPU))


def variation_by_loops(image: np.ndarray, beta: float) -> float:
    """Eq. 3b, a pixel at a time, |·| over its channels; none beyond the border."""
    total = 0.0
    channels, height, width = image.shape
    for i in range(height):
        for j in range(width):
            squared = 0.0
            for c in range(channels):
                if i + 1 < height:
                    squared += (image[c, i + 1, j] - image[c, i, j]) ** 2
                if j + 1 < width:
                    squared += (image[c, i, j + 1] - image[c, i, j]) ** 2
            total += squared ** (beta / 2)
    return total


@pytest.mark.parametrize("beta", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("channels", [1, 3])
def test_total_variation_is_eq_3b(beta: float, channels: int) -> None:
    images = torch.rand(2, channels, 5, 4, generator=torch.Generator().manual_seed(3)).double()
    expected = [variation_by_loops(image, beta) for image in images.numpy()]
    assert total_variation(images, beta).tolist() == pytest.approx(expected, abs=1e-4)


def test_total_variation_by_hand() -> None:
    """[[0, 3], [4, 0]]: √(4² + 3²) at the corner, then 3 down and 4 right: 5 + 3 + 4."""
    image = torch.tensor([[[[0.0, 3.0], [4.0, 0.0]]]])
    assert total_variation(image, 1.0).item() == pytest.approx(12, abs=1e-5)
    assert total_variation(image, 2.0).item() == pytest.approx(25 + 9 + 16)
    gray = image.repeat(1, 3, 1, 1)  # three equal channels lengthen every difference by √3
    assert total_variation(gray, 1.0).item() == pytest.approx(12 * 3**0.5, abs=1e-5)


def test_a_flat_image_has_a_finite_gradient() -> None:
    image = torch.full((1, 1, 4, 4), 0.5, requires_grad=True)
    total_variation(image, 1.0).sum().backward()
    assert image.grad is not None
    assert image.grad.abs().max() == 0


def test_the_objective_is_eq_3c(lenet: Target, digits: torch.Tensor) -> None:
    images, other = digits[:2], digits[2:]
    features = lenet.edge(other).detach()
    mine = lenet.edge(images).detach()
    expected = 0.0
    for n in range(2):
        pairs = zip(mine[n].flatten().tolist(), features[n].flatten().tolist(), strict=True)
        expected += sum((a - b) ** 2 for a, b in pairs)
        expected += 0.3 * variation_by_loops(images[n].numpy(), 1.0)
    value = RMLE(tv_weight=0.3).objective(lenet.edge, images, images, features)
    assert value.item() == pytest.approx(expected, rel=1e-4)


def test_the_released_objective_takes_means_in_normalised_space(
    lenet: Target, digits: torch.Tensor
) -> None:
    attack = ReleasedRMLE(tv_weight=0.7)
    features = torch.zeros(4, 8, 24, 24)
    normalised = (digits - 0.5) / 0.5
    expected = sum(
        lenet.edge(digits[n : n + 1]).square().mean().item()
        + 0.7 * variation_by_loops(normalised[n].numpy(), 2.0) / 784
        for n in range(4)
    )
    value = attack.objective(lenet.edge, normalised, digits, features)
    assert value.item() == pytest.approx(expected, rel=1e-4)


def test_one_step_from_gray_is_adams(lenet: Target, digits: torch.Tensor) -> None:
    """Adam's first step is ε·g/(|g| + 1e-8), worked out here from Eq. 3c's own gradient."""
    features = lenet.edge(digits).detach()
    gray = torch.full_like(digits, 0.5).requires_grad_()
    loss = ((lenet.edge(gray) - features) ** 2).sum()  # a flat image's TV has no gradient
    (gradient,) = torch.autograd.grad(loss, gray)
    expected = 0.5 - 0.01 * gradient / (gradient.abs() + 1e-8)
    attack = RMLE(tv_weight=0.3, iterations=1, step_size=0.01)
    assert torch.allclose(prepare(attack, lenet).reconstruct(features), expected, atol=1e-6)


def test_no_iterations_return_the_constant_start(lenet: Target, digits: torch.Tensor) -> None:
    features = lenet.edge(digits)
    gray = prepare(RMLE(iterations=0, tv_weight=0.1), lenet).reconstruct(features)
    assert (gray == 0.5).all()
    black = prepare(RMLE(iterations=0, start=0.0, tv_weight=0.1), lenet).reconstruct(features)
    assert (black == 0).all()
    normalised = RMLE(iterations=0, space="normalized", start=0.0, tv_weight=0.1)
    zero = prepare(normalised, lenet).reconstruct(features)
    assert torch.allclose(zero, torch.full_like(zero, 0.5))  # LeNet's mean is 0.5


def test_it_recovers_what_the_features_determine(lenet: Target) -> None:
    """conv1 is affine and overdetermined, so the secret is the only minimum."""
    secret = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(4))
    attack = RMLE(tv_weight=0.0, step_size=1e-2, iterations=500)
    recovered = prepare(attack, lenet).reconstruct(lenet.edge(secret))
    assert -10 * math.log10((recovered - secret).square().mean().item()) > 40


def test_an_image_does_not_depend_on_its_batch(lenet: Target, digits: torch.Tensor) -> None:
    features = lenet.edge(digits).detach()
    attack = replace(RMLE(tv_weight=0.1), step_size=1e-2, iterations=40)
    alone = torch.cat([prepare(attack, lenet).reconstruct(f[None]) for f in features])
    together = prepare(attack, lenet).reconstruct(features)
    strangers = features.clone()
    strangers[1:] = 5 * features[:1]
    among_strangers = prepare(attack, lenet).reconstruct(strangers)
    assert torch.allclose(alone, together, atol=1e-5)
    assert torch.equal(among_strangers[0], together[0])


def test_a_start_at_which_the_edge_is_dead_is_told() -> None:
    """Every unit of the published LeNet's relu2 is off for gray: nothing pulls the image away."""
    target = load_split("lenet", "relu2")
    features = target.edge(torch.rand(2, 1, 28, 28)).detach()
    with pytest.warns(RuntimeWarning, match=r"without a gradient for 2 of 2 images.*start=0.25"):
        recovered = prepare(RMLE(iterations=2, tv_weight=0.1), target).reconstruct(features)
    assert (recovered == 0.5).all()


def test_two_runs_are_identical(lenet: Target, digits: torch.Tensor) -> None:
    features = lenet.edge(digits).detach()
    attack = RMLE(tv_weight=0.1, step_size=1e-2, iterations=30)
    first, second = (prepare(attack, lenet).reconstruct(features) for _ in range(2))
    assert torch.equal(first, second)
