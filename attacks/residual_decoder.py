"""A decoder: the black-box attack with a network, a loss and queries of today."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..zoo import Decoder
from ..zoo.pixels import to_8_bit
from ..zoo.precision import in_float32
from ..zoo.recipe import shifted
from ..zoo.shapes import shape_text
from .adversary import Adversary
from .draws import Draws
from .learned import Examples, LearnedAttack, ask_edge
from .procedural import procedural_images
from .settings import Capability, Setting, get_setting
from .similarity import similarity

#: How far an adversary's image is moved where it is queried more than once, in pixels.
SHIFT = 2
#: The share of a setting's images that a decoder does not learn from, and their number at most.
HELD_OUT_SHARE, HELD_OUT = 1 / 8, 256


@dataclass(frozen=True, kw_only=True)
class ResidualDecoder(LearnedAttack):
    """Regression from features to images with a residual network whose shape follows from theirs.

    Inverse-Network's idea (He et al., ACSAC 2019, §5). What is ours: one architecture for all
    features (`zoo.Decoder`), a loss that serves both scores, log ‖g(f(x)) - x‖² / 10 +
    1 - SSIM (after Zhao et al., IEEE Trans. Comput. Imaging 2017), weights averaged over the
    steps, and pictures in place of noise where the setting grants no images.

    A few of a setting's images are held out, for what is estimated from a trained decoder.

    Args:
        width: channels of the network.
        queries: images to query at least, own ones moved and mirrored where they are fewer,
            procedural ones where there are none.
    """

    name = "decoder"
    requires = frozenset({Capability.QUERY})
    title = "Decoder"
    citation = (
        "ours, after He, Zhang and Lee, ACSAC 2019, §5; Shi et al., CVPR 2016; "
        "Zhao et al., IEEE Trans. Comput. Imaging 2017"
    )
    TRAINING: ClassVar[tuple[str, ...]] = (*LearnedAttack.TRAINING, "width", "queries")
    kind = "decoder"
    drawn = "procedural images"
    averaging = 0.998
    stored_as = torch.float16
    checkpoint: ClassVar[str | None] = "{network}_decoder_{split}-{variant}"
    brief: ClassVar[Mapping[str, Any]] = {**LearnedAttack.brief, "width": 4, "queries": 24}

    steps: int = 2500
    batch_size: int = 32
    learning_rate: float = 2e-3
    width: int = 64
    queries: int = 20_000

    @classmethod
    def trained_in(cls, setting: Setting) -> Setting:
        """Which images there are to query with is all that a decoder depends on."""
        variant = {None: "rand_set", "training_set": "same_set", "same_distribution": "same_dist"}
        return get_setting(f"black_box_{variant[setting.images]}")

    def architecture(self, adversary: Adversary) -> dict[str, str]:
        return {
            "decoder": shape_text(adversary.feature_shape),
            "images": shape_text(adversary.input_shape),
            "width": str(self.width),
        }

    def build(self, adversary: Adversary) -> nn.Module:
        return Decoder(adversary.feature_shape, adversary.input_shape, width=self.width)

    def examples(self, adversary: Adversary, generator: torch.Generator) -> Examples:
        return ask_edge(adversary, self.pictures(adversary, generator))

    def pictures(self, adversary: Adversary, generator: torch.Generator) -> Tensor:
        """What the edge is asked, uint8: each of its own images as it is and then changed anew,
        until they are `queries` at least, or procedural ones."""
        if not adversary.holds_images:
            drawn = procedural_images(self.queries, adversary.input_shape, generator)
            return to_8_bit(drawn)
        own = adversary.data.pixels
        learned, _ = apart(len(own))
        parts, mirror = [own[learned]], adversary.input_shape[0] > 1
        while len(learned) and sum(map(len, parts)) < self.queries:
            # Writing must not be mirrored, and one channel may be writing.
            parts.append(shifted(own[learned], SHIFT, mirror, generator))
        return torch.cat(parts)

    def begin(self, network: nn.Module, examples: Examples) -> None:
        assert isinstance(network, Decoder)
        network.standardize.fit(examples.values[:1000])

    def loss(self, network: nn.Module, pixels: Tensor, values: Tensor, cloud: nn.Module) -> Tensor:
        answer = network(values.float()).float()
        with in_float32(answer.device):
            return scored(answer, pixels).mean()

    def finish(self, network: nn.Module, examples: Examples) -> None:
        assert isinstance(network, Decoder)
        network.standardize.rescale(examples.scale)

    def adopt(self, adversary: Adversary, network: nn.Module) -> nn.Module:
        return network

    @torch.no_grad()
    def online(self, state: nn.Module, features: Tensor, draws: Draws) -> Tensor:
        images: Tensor = state(features)
        return images.clamp(0, 1)


def scored(images: Tensor, truth: Tensor) -> Tensor:
    """How far images are from the true ones, N: a tenth of the logarithm of the squared error,
    which is PSNR but for a factor, and what SSIM lacks to 1. At 24 dB, one dB weighs as much as
    0.023 of SSIM."""
    error = (images - truth).square().flatten(1).mean(1)
    return 0.1 * (error + 1e-6).log() + 1 - similarity(images, truth)


def apart(count: int) -> tuple[Tensor, Tensor]:
    """Positions of the images, out of `count`, that a decoder learns from, and of those that are
    held out; always the same."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    held = held_out(count)
    return order[held:].sort().values, order[:held].sort().values


def held_out(count: int) -> int:
    """How many of so many images a decoder does not learn from."""
    return min(HELD_OUT, math.floor(HELD_OUT_SHARE * count))
