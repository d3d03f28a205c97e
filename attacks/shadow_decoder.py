"""A decoder of many shadows: the query-free attack that allows for what no shadow can know."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..zoo import AtUnitScale, InputError
from ..zoo.pixels import as_floats
from ..zoo.resume import Conditions
from .adversary import Adversary
from .learned import Examples, LearnedAttack
from .residual_decoder import HELD_OUT_SHARE, ResidualDecoder, apart, scored
from .settings import Capability, Setting
from .shadow_model import ShadowModel
from .shrinkage import Shrinkage

#: Shadows that the decoder does not learn to invert.
WITNESSES = 2
#: `init_gain` and `learning_rate` of shadows in turn, so that no two of six are trained alike.
GAINS: tuple[float | None, ...] = (None, 0.6, 1.0)
RATES = (5e-4, 1e-3)


@dataclass(frozen=True, kw_only=True)
class Witnessed(Examples):
    """What a decoder learns from.

    Attributes:
        unseen: other images, all of them answered by one witness after another.
        mean: C×H×W, of all images that the adversary holds.
    """

    unseen: Examples
    mean: Tensor


@dataclass(frozen=True, kw_only=True)
class ShadowDecoder(ResidualDecoder):
    """Train shadows from different starts, and one decoder that inverts them all.

    A shadow (He et al., ACSAC 2019, §6, Algorithm 3) is one of the edges whose features the cloud
    can read, and the true edge is another. What inverts one shadow inverts its accidents: at
    lenet/relu2, on training images, a decoder that recovers its shadow at 23.7 dB recovers another
    at 3.3 and the true edge at 12.0, where the mean image has 12.0. What inverts many keeps to
    what all edges have in common that suit the cloud; six recover the true edge at 15 to 17 dB,
    and more where no two were trained alike. No query is made.

    Two shadows are witnesses: asked only for images that the decoder has not learned from, they
    show what its answers are worth at an edge that was never seen, and answers are shrunk to that
    (`Shrinkage`), in the end to the mean image.

    The cloud bears features of many scales, so the decoder looks at each map's shape alone
    (`zoo.AtUnitScale`).

    Args:
        shadows: edges to train, at least three with the two witnesses, of the target's structure
            where the setting grants it, or else of one that follows from the shapes
            (`zoo.derived_edge`).
        shadow_steps: optimiser steps of each, as `ShadowModel` counts them.
        steps, batch_size, learning_rate, weight_decay, width, queries: of the decoder, which
            "asks" its shadows.
    """

    name = "shadow_decoder"
    requires = frozenset({Capability.DATA})
    title = "Shadow decoder"
    citation = "ours, after He, Zhang and Lee, ACSAC 2019, §6, Algorithm 3"
    TRAINING: ClassVar[tuple[str, ...]] = (*ResidualDecoder.TRAINING, "shadows", "shadow_steps")
    checkpoint = None
    brief: ClassVar[Mapping[str, Any]] = {
        **ResidualDecoder.brief,
        "shadows": 3,
        "shadow_steps": 6,
    }

    steps: int = 1000
    width: int = 32
    shadows: int = 10
    shadow_steps: int = 1000

    @classmethod
    def trained_in(cls, setting: Setting) -> Setting:
        return setting

    def architecture(self, adversary: Adversary) -> dict[str, str]:
        return LearnedAttack.architecture(self, adversary)

    def build(self, adversary: Adversary) -> nn.Module:
        shape = adversary.input_shape
        return nn.Sequential(AtUnitScale(), super().build(adversary), Shrinkage(shape))

    def gather(
        self, adversary: Adversary, generator: torch.Generator, conditions: Conditions
    ) -> Witnessed:
        """Its own images, of which each shadow answers its share, and those that were held out,
        of which each witness answers all. No progress is kept of the shadows."""
        if self.shadows <= WITNESSES:
            raise InputError(
                f"{self.title} keeps {WITNESSES} shadows aside; give it shadows of at least "
                f"{WITNESSES + 1}"
            )
        own = adversary.data.pixels
        _, held = apart(len(own))
        if len(held) < 2:
            raise InputError(
                f"{self.title} needs at least {math.ceil(2 / HELD_OUT_SHARE)} images, not "
                f"{len(own)}: it holds out some to see what its answers are worth"
            )
        learned = _blank(adversary, self.pictures(adversary, generator))
        unseen = _blank(adversary, own[held].repeat(WITNESSES, 1, 1, 1))
        conditions, sharing = replace(conditions, progress_file=None), self.shadows - WITNESSES
        order = torch.randperm(len(learned), generator=generator)
        for number in range(self.shadows):
            seed = int(torch.randint(2**31, (), generator=generator))
            shadow = ShadowModel(
                steps=self.shadow_steps,
                init_gain=GAINS[number % len(GAINS)],
                learning_rate=RATES[number % len(RATES)],
            )
            edge, _ = shadow.train(adversary, seed=seed, conditions=conditions)
            if number < sharing:
                _ask(adversary, edge, learned, order[number::sharing])
            else:
                first = (number - sharing) * len(held)
                _ask(adversary, edge, unseen, torch.arange(first, first + len(held)))
        return Witnessed(learned.pixels, learned.values, unseen=unseen, mean=as_floats(own).mean(0))

    def begin(self, network: nn.Module, examples: Examples) -> None:
        assert isinstance(network, nn.Sequential)
        parts = examples.values[:1000].split(64)
        few = torch.cat([network[0](each.float()).half() for each in parts])
        super().begin(network[1], replace(examples, values=few))

    @torch.no_grad()
    def finish(self, network: nn.Module, examples: Examples) -> None:
        """What it learned from has the scale that it asks for; what remains is to shrink it."""
        assert isinstance(network, nn.Sequential)
        assert isinstance(examples, Witnessed)
        unseen, shrinkage = examples.unseen, network[2]
        assert isinstance(shrinkage, Shrinkage)
        device = next(network.parameters()).device
        images = as_floats(unseen.pixels).to(device).unflatten(0, (WITNESSES, -1))[0]
        decode = network[:2].eval()
        answers = torch.cat([decode(part.float().to(device)) for part in unseen.values.split(64)])
        shrinkage.fit(answers.unflatten(0, (WITNESSES, -1)), images, examples.mean, scored)


def _blank(adversary: Adversary, pixels: Tensor) -> Examples:
    """Images, and room for the features of each."""
    room = torch.empty(len(pixels), *adversary.feature_shape, dtype=torch.float16)
    return Examples(pixels, room)


def _ask(adversary: Adversary, shadow: nn.Module, examples: Examples, rows: Tensor) -> None:
    """Put a shadow's features of these images among the examples, at a scale that half precision
    can hold."""
    for part in rows.split(256):
        features = shadow(as_floats(examples.pixels[part]).to(adversary.device))
        scale = features.square().mean().sqrt().clamp_min(1e-12)
        examples.values[part] = (features / scale).to("cpu", torch.float16)
