"""AdamW whose steps on matrices have their singular values levelled: Muon, for convolutions too."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

#: Jordan et al.: coefficients of the quintic that brings singular values near 1, and its turns.
_QUINTIC, _TURNS = (3.4445, -4.7750, 2.0315), 5
_MOMENTUM = 0.95
#: Root mean square of an update of AdamW, which Muon's is brought to (Liu et al., Eq. 4).
_ROOT_MEAN_SQUARE = 0.2


class Muon(torch.optim.AdamW):
    """AdamW for vectors, Muon for the rest, with one step size for both.

    Muon (Jordan et al., 2024; Liu et al., arXiv 2502.16982) takes the step with the nearest
    orthogonal matrix to a momentum of the gradients, so that directions which few examples
    speak for are learned too. torch.optim.Muon takes matrices alone; here a convolution's
    weights are one, with a row for each filter.
    """

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None and weight.dim() > 1:
                    self._step_of(weight, group["lr"], group["weight_decay"])
                    weight.grad = None  # nothing is left for AdamW to do
        return super().step(closure)

    def _step_of(self, weight: Tensor, rate: float, decay: float) -> None:
        gradient: Any = weight.grad
        state = self.state[weight]
        if not state:
            state["step"] = torch.zeros(())  # AdamW expects one where it finds a state
            state["momentum"] = torch.zeros_like(weight)
        momentum = state["momentum"].lerp_(gradient, 1 - _MOMENTUM)
        ahead = gradient.lerp(momentum, _MOMENTUM)
        update = orthogonal(ahead.flatten(1))
        size = _ROOT_MEAN_SQUARE * math.sqrt(max(update.shape))
        weight.mul_(1 - rate * decay).sub_(update.view(weight.shape), alpha=rate * size)


def orthogonal(matrix: Tensor) -> Tensor:
    """A matrix with the singular vectors of this one, and singular values from 0.7 to 1.2."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide / wide.norm().clamp_min(1e-12)
    first, third, fifth = _QUINTIC
    for _ in range(_TURNS):
        square = wide @ wide.T
        wide = first * wide + (third * square + fifth * square @ square) @ wide
    levelled: Tensor = wide if matrix.shape[0] <= matrix.shape[1] else wide.T
    return levelled
