"""Regularised maximum likelihood estimation: the white-box attack of §4."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, TypeVar

import torch
from torch import Tensor, nn

from ..zoo import progress
from .adversary import Adversary
from .base import Attack
from .calibration import best_positive, calibration_images
from .draws import Draws
from .layout import laid_out
from .settings import Capability

Self = TypeVar("Self", bound="RMLE")
#: Images that λ is calibrated on, and the share of the iterations that each trial takes.
CALIBRATION_IMAGES, CALIBRATION_SHARE = 6, 0.1


@dataclass(frozen=True, kw_only=True)
class RMLE(Attack):
    """Gradient descent on ||f(x) - f(x₀)||² + λ·TV(x) (Eq. 3, Algorithm 1).

    The defaults are the paper's: gray start, β = 1, sums, Adam. Its step sizes and iteration
    counts stand in `recipes.py`; λ it leaves open.

    Args:
        tv_weight: λ, the weight of the total variation; its natural end is 0. None lets the
            attack choose it: the λ with which short descents recover the adversary's own images,
            or procedural ones, best.
        beta: exponent β of Eq. 3b.
        iterations, step_size: T and ε of Algorithm 1.
        reduction: "sum" over features and pixels as in Eq. 3, or "mean" over each.
        space: "pixel" descends on pixels; "normalized" on (x - mean) / std, where it also
            measures the total variation.
        start: the constant of Algorithm 1's ConstantInit, in that space; the paper's is gray.
        amsgrad, adam_eps: of Adam.
    """

    name = "rmle"
    requires = frozenset({Capability.EDGE})
    title = "rMLE"
    citation = "He, Zhang and Lee, ACSAC 2019, §4, Algorithm 1"

    brief: ClassVar[Mapping[str, Any]] = {"iterations": 4, "step_size": 0.01}

    tv_weight: float | None = field(default=None, metadata={"ends": (0.0, None)})
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
        return laid_out(adversary.edge, adversary.input_shape), adversary.input_shape

    def images_at_a_time(self, adversary: Adversary) -> int:
        """Some 30,000 pixel values on a CPU, ten images of CIFAR-10: more fall out of its caches
        and cost page faults, fewer leave it to overheads. A GPU wants many."""
        if adversary.device.type != "cpu":
            return 500
        return max(1, 30_720 // math.prod(adversary.input_shape))

    def calibrate(self: Self, adversary: Adversary, state: Any, seed: int) -> Self:
        if self.tv_weight is not None:
            return self
        images = calibration_images(adversary, CALIBRATION_IMAGES, seed)
        features = self.own_features(adversary, state, images)
        short = replace(
            self,
            iterations=min(self.iterations, max(100, round(CALIBRATION_SHARE * self.iterations))),
            step_size=min(10 * self.step_size, max(self.step_size, 0.03)),
        )
        draws = Draws(seed, range(len(images)), adversary.device)

        def error(tv_weight: float) -> float:
            trial = replace(short, tv_weight=tv_weight)
            with torch.enable_grad():
                recovered = trial.online(state, features, draws)
            each = (recovered - images).square().flatten(1).mean(1).clamp_min(1e-10)
            return float(each.log().mean())  # the mean PSNR, but for a factor

        return replace(
            self,
            tv_weight=float(f"{best_positive(error, self._balance(state, images, features)):.3g}"),
        )

    @torch.no_grad()
    def own_features(self, adversary: Adversary, state: Any, images: Tensor) -> Tensor:
        """Features of the adversary's own images, as lawfully as it can have them."""
        edge: nn.Module = state[0]
        features: Tensor = edge(images)
        return features

    @torch.no_grad()
    def _balance(self, state: Any, images: Tensor, features: Tensor) -> float:
        """The λ at which total variation weighs a 300th of a flat image's distance."""
        edge = state[0]
        flat = torch.full_like(images, self.start)
        distance = (edge(flat) - features).square().flatten(1)
        variation = total_variation(images, self.beta)
        error = distance.mean() if self.reduction == "mean" else distance.sum(1).mean()
        per_image = variation.mean() / (images[0].numel() if self.reduction == "mean" else 1)
        return float(error / per_image.clamp_min(1e-12) / 300) or 1e-6

    def online(
        self, state: tuple[nn.Module, tuple[int, ...]], features: Tensor, draws: Draws
    ) -> Tensor:
        edge, shape = state
        if features.dim() == 4:  # as the edge answers, or every iteration would lay it out anew
            features = features.contiguous(memory_format=torch.channels_last)
        to_pixels = self._pixels_from_variable(edge)
        variable = features.new_full((len(features), *shape), self.start, requires_grad=True)
        adam = torch.optim.Adam(
            [variable], lr=self.step_size, eps=self.adam_eps, amsgrad=self.amsgrad
        )
        for iteration in progress(range(self.iterations), self.title, unit="it"):
            loss = self.objective(edge, variable, to_pixels(variable), features)
            (variable.grad,) = torch.autograd.grad(loss, variable)
            if iteration == 0:
                self._warn_of_a_dead_start(variable.grad)
            adam.step()
        return to_pixels(variable.detach()).clamp(0, 1)

    def objective(
        self, edge: nn.Module, variable: Tensor, images: Tensor, features: Tensor
    ) -> Tensor:
        """Eq. 3c, summed over the batch: no image's gradient depends on another's."""
        assert self.tv_weight is not None
        distance = (edge(images) - features).square().sum()
        variation = total_variation(variable, self.beta).sum()
        if self.reduction == "mean":
            distance = distance / features[0].numel()
            variation = variation / variable[0].numel()
        total: Tensor = distance + self.tv_weight * variation
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

    def _pixels_from_variable(self, edge: nn.Module) -> Callable[[Tensor], Tensor]:
        if self.space == "pixel":
            return lambda variable: variable
        normalize = edge.get_submodule("normalize")
        std, mean = normalize.get_buffer("std"), normalize.get_buffer("mean")
        return lambda variable: variable * std + mean


@dataclass(frozen=True, kw_only=True)
class ReleasedRMLE(RMLE):
    """What the authors' released code computes, which is a different problem than Eq. 3.

    Squared total variation and squared error, both as means, in normalised space from zero, with
    AMSGrad.
    """

    name = "rmle_released"
    title = "rMLE, released code"
    citation = "the released code of He, Zhang and Lee, ACSAC 2019"

    beta: float = 2.0
    step_size: float = 1e-2
    reduction: Literal["sum", "mean"] = "mean"
    space: Literal["pixel", "normalized"] = "normalized"
    start: float = 0.0
    amsgrad: bool = True
    adam_eps: float = 1e-3


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
