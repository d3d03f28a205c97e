"""Regularised maximum likelihood estimation: the white-box attack of §4."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from ..zoo import progress
from .base import Attack
from .threat_model import Adversary, Capability


@dataclass(frozen=True, kw_only=True)
class RMLE(Attack):
    """Gradient descent on ||f(x) - f(x₀)||² + λ·TV(x) (Eq. 3, Algorithm 1).

    The defaults are the paper's: gray start, β = 1, sums, Adam. Its step sizes and iteration
    counts are `SHALLOW` and `DEEP`; λ it leaves open. The authors' released code solves a
    different problem (squared total variation and squared error, both as means, in normalised
    space from zero, AMSGrad), which is the same class with the fields of `RELEASED`.

    Args:
        tv_weight: λ, the weight of the total variation; its natural end is 0.
        beta: exponent β of Eq. 3b.
        iterations, step_size: T and ε of Algorithm 1.
        reduction: "sum" over features and pixels as in Eq. 3, or "mean" over each.
        space: "pixel" descends on pixels; "normalized" on (x - mean) / std, where it also
            measures the total variation.
        start: the constant of Algorithm 1's ConstantInit, in that space; the paper's is gray.
        amsgrad, adam_eps: of Adam.
    """

    requires = frozenset({Capability.EDGE})
    title = "rMLE"
    citation = "He, Zhang and Lee, ACSAC 2019, §4, Algorithm 1"

    tv_weight: float = field(default=0.1, metadata={"ends": (0.0, None)})
    beta: float = 1.0
    iterations: int = 5000
    step_size: float = 1e-3
    reduction: Literal["sum", "mean"] = "sum"
    space: Literal["pixel", "normalized"] = "pixel"
    start: float = 0.5
    amsgrad: bool = False
    adam_eps: float = 1e-8

    def offline(
        self, adversary: Adversary, generator: torch.Generator
    ) -> tuple[nn.Module, tuple[int, ...]]:
        # The adversary's copy; channels last is a fifth faster here on a CPU.
        return adversary.edge.to(memory_format=torch.channels_last), adversary.input_shape

    def online(
        self,
        state: tuple[nn.Module, tuple[int, ...]],
        features: Tensor,
        generator: torch.Generator,
    ) -> Tensor:
        edge, shape = state
        scale, shift = self._pixels_from_variable(edge)
        variable = features.new_full((len(features), *shape), self.start, requires_grad=True)
        adam = torch.optim.Adam(
            [variable], lr=self.step_size, eps=self.adam_eps, amsgrad=self.amsgrad
        )
        for iteration in progress(range(self.iterations), self.title, unit="it"):
            loss = self.objective(edge, variable, variable * scale + shift, features)
            (variable.grad,) = torch.autograd.grad(loss, variable)
            if iteration == 0:
                self._warn_of_a_dead_start(variable.grad)
            adam.step()
        return (variable.detach() * scale + shift).clamp(0, 1)

    def objective(
        self, edge: nn.Module, variable: Tensor, images: Tensor, features: Tensor
    ) -> Tensor:
        """Eq. 3c, summed over the batch: no image's gradient depends on another's."""
        distance = (edge(images) - features).square().flatten(1)
        variation = total_variation(variable, self.beta)
        if self.reduction == "mean":
            each = distance.mean(1) + self.tv_weight * variation / variable[0].numel()
        else:
            each = distance.sum(1) + self.tv_weight * variation
        total: Tensor = each.sum()
        return total

    def _warn_of_a_dead_start(self, gradient: Tensor) -> None:
        """A constant start has no variation, so what gradient there is comes from the edge."""
        dead = len(gradient) - int(gradient.flatten(1).any(1).sum())
        if dead:
            warnings.warn(
                f"{self.title}: the edge answers the constant start {self.start:g} without a "
                f"gradient for {dead} of {len(gradient)} images, which will not move; choose "
                "another start, e.g. start=0.25",
                RuntimeWarning,
                stacklevel=2,
            )

    def _pixels_from_variable(self, edge: nn.Module) -> tuple[Tensor | float, Tensor | float]:
        if self.space == "pixel":
            return 1.0, 0.0
        normalize = edge.get_submodule("normalize")
        return normalize.get_buffer("std"), normalize.get_buffer("mean")


#: The two regimes of §4.2.
SHALLOW = {"step_size": 1e-2, "iterations": 500}
DEEP = {"step_size": 1e-3, "iterations": 5000}
#: The released code's variant; its λ for each split is in the catalogue.
RELEASED = {
    "beta": 2.0,
    "iterations": 5000,
    "step_size": 1e-2,
    "reduction": "mean",
    "space": "normalized",
    "start": 0.0,
    "amsgrad": True,
    "adam_eps": 1e-3,
}


def total_variation(images: Tensor, beta: float) -> Tensor:
    """Σ over pixels of (|x[i+1,j] - x[i,j]|² + |x[i,j+1] - x[i,j]|²)^(β/2), per image (Eq. 3b).

    N×C×H×W -> N. The sum runs over positions, so x[i,j] is the whole pixel and |·| the Euclidean
    norm over its channels: an edge costs less where the channels share it. Differences across the
    border count as zero. For β < 2 the derivative at a flat pixel is taken as 0, its smallest
    subgradient, by adding 1e-12 under the power.
    """
    down = nn.functional.pad(images.diff(dim=-2), (0, 0, 0, 1))
    right = nn.functional.pad(images.diff(dim=-1), (0, 1))
    squared = (down.square() + right.square()).sum(1)
    if beta == 2:
        return squared.flatten(1).sum(1)
    return (squared + 1e-12).pow(beta / 2).flatten(1).sum(1)
