"""Muon: what it does to the singular values of a step, and to what is no matrix."""

from __future__ import annotations

import pytest
import torch
from splitzoo.zoo.muon import Muon, orthogonal
from torch import Tensor, nn


def gradients(*shape: int, count: int = 4) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(*shape, generator=generator) for _ in range(count)]


def stepped(optimizer: torch.optim.Optimizer, weight: Tensor, steps: list[Tensor]) -> Tensor:
    for gradient in steps:
        weight.grad = gradient.clone()
        optimizer.step()
    return weight.detach()


@pytest.mark.parametrize("shape", [(6, 40), (40, 6), (12, 12)])
def test_singular_vectors_stay_and_singular_values_are_levelled(shape: tuple[int, int]) -> None:
    (matrix,) = gradients(*shape, count=1)
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    assert values.max() > 1.5 * values.min()
    levelled = left.T @ orthogonal(matrix) @ right.T
    assert levelled.diag().min() > 0.6
    assert levelled.diag().max() < 1.3
    assert (levelled - levelled.diag().diag()).abs().max() < 0.01


def test_a_matrix_steps_as_torch_has_it() -> None:
    """torch computes its steps in bfloat16, hence the tolerance."""
    start, steps = torch.ones(8, 20), gradients(8, 20)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    expected = stepped(
        torch.optim.Muon(
            [theirs],
            lr=0.01,
            weight_decay=0.1,
            momentum=0.95,
            nesterov=True,
            adjust_lr_fn="match_rms_adamw",
        ),
        theirs,
        steps,
    )
    found = stepped(Muon([ours], lr=0.01, weight_decay=0.1), ours, steps)
    moved = (expected - start).norm()
    assert (found - expected).norm() < 0.02 * moved
    assert moved > 0.05


def test_a_convolution_steps_as_the_matrix_of_its_filters() -> None:
    """However it lies in memory."""
    steps = gradients(8, 3, 3, 3)
    matrix = nn.Parameter(torch.zeros(8, 27))
    filters = nn.Parameter(torch.zeros(8, 3, 3, 3))
    last = nn.Parameter(torch.zeros(8, 3, 3, 3).to(memory_format=torch.channels_last))
    expected = stepped(Muon([matrix], lr=0.01), matrix, [each.flatten(1) for each in steps])
    for weight in (filters, last):
        found = stepped(Muon([weight], lr=0.01), weight, steps)
        assert torch.allclose(found.flatten(1), expected, atol=1e-6)


def test_a_vector_steps_as_adamw_has_it() -> None:
    ours, theirs = nn.Parameter(torch.ones(5)), nn.Parameter(torch.ones(5))
    expected = stepped(torch.optim.AdamW([theirs], lr=0.01, weight_decay=0.1), theirs, gradients(5))
    assert torch.equal(
        stepped(Muon([ours], lr=0.01, weight_decay=0.1), ours, gradients(5)), expected
    )


def test_it_goes_on_from_its_state_as_if_it_had_not_stopped() -> None:
    steps = gradients(6, 9)
    straight = nn.Parameter(torch.zeros(6, 9))
    expected = stepped(Muon([straight], lr=0.01), straight, steps)
    weight = nn.Parameter(torch.zeros(6, 9))
    first = Muon([weight], lr=0.01)
    stepped(first, weight, steps[:2])
    second = Muon([weight], lr=0.01)
    second.load_state_dict(first.state_dict())
    assert torch.equal(stepped(second, weight, steps[2:]), expected)
