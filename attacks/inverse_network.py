"""Inverse-Network: the black-box attack of §5."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..zoo import Decoder, inverse_network
from ..zoo.shapes import shape_text
from .adversary import Adversary
from .draws import Draws
from .learned import Examples, LearnedAttack, ask_edge, query_pixels
from .settings import Capability


@dataclass(frozen=True, kw_only=True)
class InverseNetwork(LearnedAttack):
    """Regression from features to images, g = argmin mean ||g(f(x)) - x||² (Eq. 4, Algorithm 2).

    Queries the edge with the images that the setting grants, or with Gaussian noise where it
    grants none. The paper trains by stochastic gradient descent, here with Adam's step sizes.

    Args:
        released: "network/split" of `zoo.inverses`, the small architectures of the authors'
            released code, which the paper's rows use; None derives a decoder from the shapes of
            features and images.
        width: channels of a derived decoder.
        noise_images: queries to make where the setting grants no images.
    """

    name = "inverse_network"
    requires = frozenset({Capability.QUERY})
    title = "Inverse-Network"
    citation = "He, Zhang and Lee, ACSAC 2019, §5, Algorithm 2"
    TRAINING: ClassVar[tuple[str, ...]] = (
        *LearnedAttack.TRAINING,
        "released",
        "width",
        "noise_images",
    )
    kind = "inverse"
    checkpoint = "{network}_inverse_{split}-{variant}"
    brief: ClassVar[Mapping[str, Any]] = {**LearnedAttack.brief, "width": 4, "noise_images": 24}

    released: str | None = None
    width: int = 64
    noise_images: int = 10_000

    def architecture(self, adversary: Adversary) -> dict[str, str]:
        if self.released is not None:
            return {"inverse": self.released}
        return {
            "decoder": shape_text(adversary.feature_shape),
            "images": shape_text(adversary.input_shape),
            "width": str(self.width),
        }

    def build(self, adversary: Adversary) -> nn.Module:
        if self.released is not None:
            return inverse_network(self.released)
        return Decoder(adversary.feature_shape, adversary.input_shape, width=self.width)

    def examples(self, adversary: Adversary, generator: torch.Generator) -> Examples:
        pixels = query_pixels(adversary, self.noise_images, generator)
        return ask_edge(adversary, pixels)

    def loss(self, network: nn.Module, pixels: Tensor, values: Tensor, cloud: nn.Module) -> Tensor:
        return F.mse_loss(network(values.float()).float(), pixels)

    def begin(self, network: nn.Module, examples: Examples) -> None:
        if isinstance(network, Decoder):
            network.standardize.fit(examples.values[:1000])

    @torch.no_grad()
    def finish(self, network: nn.Module, examples: Examples) -> None:
        """Fold the features' scale into the first layer, which is linear in them."""
        if isinstance(network, Decoder):
            network.standardize.rescale(examples.scale)
        else:
            first = next(iter(network.children()))
            first.get_parameter("weight").div_(examples.scale)

    def adopt(self, adversary: Adversary, network: nn.Module) -> nn.Module:
        return network

    @torch.no_grad()
    def online(self, state: nn.Module, features: Tensor, draws: Draws) -> Tensor:
        images: Tensor = state(features)
        return images.clamp(0, 1)
