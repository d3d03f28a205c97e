"""Refined descent: a decoder's answer, brought to agree with the features."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn

from ..zoo import InputError, progress
from ..zoo.pixels import as_floats
from ..zoo.recipe import cosine
from .adversary import Adversary
from .calibration import best_positive
from .draws import Draws
from .error_prior import ErrorPrior
from .learned import LearnedAttack
from .procedural import procedural_images
from .residual_decoder import HELD_OUT, ResidualDecoder, apart, scored
from .rmle import total_variation
from .settings import Capability

Self = TypeVar("Self", bound="RefinedDescent")
#: Images that the weights are calibrated on, at the full length: short descents want more prior.
CALIBRATION_IMAGES = 10
#: What the search for each weight begins with, in the order of the searches.
STARTS = {"tv_weight": 0.03, "prior_weight": 0.01}
#: Where that for α begins again if what it found is worse than the decoder: so strong a prior,
#: about 4⁶ times that start, that little but the decoder's answer is left.
STRONG_PRIOR = 40.0
#: An image has converged that has not gained this share of its loss in so many iterations.
GAIN, PATIENCE = 1e-3, 50


@dataclass(frozen=True)
class Start:
    """What a descent begins with, and what it is held to.

    Attributes:
        edge, decoder: images -> features, and features -> images; the edge may be a copy.
        prior: of the decoder's errors.
        distance: ‖f(g(v)) - v‖², the mean over images of the adversary's own.
        variation: their mean total variation.
        images: some that the prior has not seen, to calibrate on.
        features: the victim's edge's answers to them.
    """

    edge: nn.Module
    decoder: nn.Module
    prior: ErrorPrior
    distance: float
    variation: float
    images: Tensor
    features: Tensor


@dataclass(frozen=True, kw_only=True)
class RefinedDescent(ResidualDecoder):
    """Descend from a decoder's answer to an image whose features are the given ones.

    argmin ‖f(x) - v‖² / D + α·‖z‖² / d + λ·TV(x) / V, where x = [g(v) + B·z] in the box [0, 1]:
    rMLE (He et al., ACSAC 2019, Eq. 3) from a decoder's answer g(v), with a prior of its own:
    the errors of g on images of the adversary, who holds the edge and so has their features,
    are a Gaussian B·z (`ErrorPrior`). z are the coordinates of the descent too. In them the
    steps are long where the decoder errs much, which is what makes the descent fast. D, the
    distance where it begins, and V are means over the same images, so that the weights mean the
    same for every edge.

    Chosen on 40 training images at lenet/relu2 with a decoder of procedural images (20.4 dB),
    λ = 0: 200 steps of Adam in z reach 26.5 dB, in pixels 20.1; 600 in z 28.9, as many products
    with the Jacobian in Gauss-Newton steps by conjugate gradients 29.1 to 29.8. Adam bears the
    kinks of TV, which brings 31 to 32. The first step was chosen on them and on ten of CIFAR-10:
    0.6 and 0.3 give 31.3 and 30.4 dB at lenet/relu2, 25.4 and 27.4 dB at cifar_cnn/relu22.

    Args:
        prior_weight, tv_weight: α and λ. None lets the attack choose what recovers a few images
            best that it holds, or procedural ones, and that the decoder has not learned from; it
            makes no iteration where none recovers more of them than the decoder does.
        iterations: at most; an image whose loss falls no more is left as it is. See `calibrate`.
        step_size: of Adam in z at first; it falls to zero along a cosine.
    """

    name = "refined_descent"
    requires = frozenset({Capability.EDGE})
    title = "Refined descent"
    citation = "ours, after He, Zhang and Lee, ACSAC 2019, §4"
    brief: ClassVar[Mapping[str, Any]] = {
        **ResidualDecoder.brief,
        "iterations": 4,
        "prior_weight": 0.01,
        "tv_weight": 0.03,
    }

    version: ClassVar[int] = 2

    prior_weight: float | None = None
    tv_weight: float | None = None
    iterations: int = 400
    step_size: float = 0.3

    @classmethod
    def learner(cls) -> type[LearnedAttack]:
        return ResidualDecoder

    def images_at_a_time(self, adversary: Adversary) -> int:
        """As many as rMLE, whose memory it needs."""
        if adversary.device.type != "cpu":
            return 500
        return max(1, 30_720 // math.prod(adversary.input_shape))

    @torch.no_grad()
    def adopt(self, adversary: Adversary, network: nn.Module) -> Start:  # type: ignore[override]
        own = self.own_images(adversary)
        few = min(CALIBRATION_IMAGES, len(own) // 2)
        edge, decoder = (
            half.to(memory_format=torch.channels_last) for half in self.halves(adversary, network)
        )
        features = [adversary.query(part) for part in own.split(50)]
        answers = [decoder(part).clamp(0, 1) for part in features]
        distance = sum(
            float((edge(answer) - part).square().sum())
            for answer, part in zip(answers, features, strict=True)
        )
        return Start(
            edge,
            decoder,
            ErrorPrior.of((own - torch.cat(answers))[few:]),
            distance / len(own) or 1.0,
            float(total_variation(own, 1.0).mean()) or 1.0,
            own[:few],
            torch.cat(features)[:few],
        )

    def halves(self, adversary: Adversary, network: nn.Module) -> tuple[nn.Module, nn.Module]:
        """The edge to descend over, and the decoder to start from."""
        return adversary.edge, network

    def own_images(self, adversary: Adversary) -> Tensor:
        """Images that the decoder has not learned from, as floats on the adversary's device."""
        if not adversary.holds_images:
            generator = torch.Generator().manual_seed(self._own_seed(1))
            drawn = procedural_images(HELD_OUT, adversary.input_shape, generator)
            return drawn.to(adversary.device)
        own = adversary.data.pixels
        held = own[apart(len(own))[1]]
        if len(held) < 2:
            raise InputError(f"{self.title} holds out an eighth of its images; give 16 or more")
        return as_floats(held).to(adversary.device)

    def calibrate(self: Self, adversary: Adversary, state: Start, seed: int) -> Self:
        """With the weights that were left open, chosen by factors of four and then of two.

        A search can stop in a shallow valley. Where what it found is worse than the decoder's own
        answer, α is searched once more, from `STRONG_PRIOR`, and if that is no better either,
        `iterations` is 0, whatever it was. Procedural images, from which the decoder has learned,
        favour that.
        """
        left_open = [name for name in STARTS if getattr(self, name) is None]
        if not left_open:
            return self
        draws = Draws(seed, range(len(state.images)), adversary.device)

        @cache
        def error(trial: Self) -> float:
            with torch.enable_grad():
                recovered = trial.online(state, state.features, draws)
            return float(scored(recovered, state.images).mean())

        def chosen(among: Self, name: str, start: float, **grid: Any) -> Self:
            best = best_positive(lambda value: error(_with(among, name, value)), start, **grid)
            return _with(among, name, best)

        starts: dict[str, Any] = {name: STARTS[name] for name in left_open}
        found = replace(self, **starts)
        for name in left_open:
            found = chosen(found, name, STARTS[name])
        for name in left_open:
            found = chosen(found, name, getattr(found, name), factor=2, most=3)
        answer = error(replace(found, iterations=0))
        if "prior_weight" in left_open and error(found) >= answer:
            found = chosen(found, "prior_weight", STRONG_PRIOR)
        return found if error(found) < answer else replace(found, iterations=0)

    def online(self, state: Start, features: Tensor, draws: Draws) -> Tensor:  # type: ignore[override]
        with torch.no_grad():
            start: Tensor = state.decoder(features).clamp(0, 1)
        if features.dim() == 4:
            features = features.contiguous(memory_format=torch.channels_last)
        variable = torch.zeros_like(start, requires_grad=True)
        adam = torch.optim.Adam([variable], lr=self.step_size)
        losses = Falling(len(start), start.device)
        found = start.clone()
        for iteration in progress(range(self.iterations), self.title, unit="it"):
            adam.param_groups[0]["lr"] = self.step_size * cosine(iteration / self.iterations)
            rows = losses.rows
            loss, images = self.objective(state, start[rows], variable[rows], features[rows])
            (variable.grad,) = torch.autograd.grad(loss.sum(), variable)
            found[rows] = images.detach()
            losses.count(loss.detach())
            if not len(losses.rows):
                break
            adam.step()
        return found

    def objective(
        self, state: Start, start: Tensor, variable: Tensor, features: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The loss of each image, and the images. What would lie beyond the box costs its mean
        square, so that a pixel finds back."""
        assert self.prior_weight is not None
        assert self.tv_weight is not None
        free = start + state.prior.error(variable)
        images = free.clamp(0, 1)
        distance = (state.edge(images) - features).square().flatten(1).sum(1) / state.distance
        prior = variable.square().flatten(1).mean(1)
        variation = total_variation(images, 1.0) / state.variation
        beyond = (free - images).square().flatten(1).mean(1)
        loss = distance + self.prior_weight * prior + self.tv_weight * variation + beyond
        return loss, images


class Falling:
    """Which images of a batch still gain, each by its own losses alone.

    Attributes:
        rows: positions of the images that do.
    """

    def __init__(self, count: int, device: torch.device) -> None:
        self.rows = torch.arange(count, device=device)
        self._lowest = torch.full((count,), torch.inf, device=device)
        self._since = torch.zeros(count, dtype=torch.int64, device=device)

    def count(self, losses: Tensor) -> None:
        """Take the losses of the present rows; drop those that have not gained for long."""
        rows = self.rows
        gained = losses < (1 - GAIN) * self._lowest[rows]
        self._lowest[rows] = torch.where(gained, losses, self._lowest[rows])
        self._since[rows] = torch.where(gained, 0, self._since[rows] + 1)
        self.rows = rows[self._since[rows] < PATIENCE]


def _with(descent: Self, name: str, value: float) -> Self:
    field: dict[str, Any] = {name: float(f"{value:.3g}")}
    return replace(descent, **field)
