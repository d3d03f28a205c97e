"""A copy of an edge, fitted to its answers, and the decoder that is learned beside it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .decoder import Decoder, Standardize
from .derived_edge import derived_edge
from .portable import Portable
from .shapes import Shape
from .target import Half

#: The share of features at the least of all values from which on it is where a layer saturates.
_SATURATED = 0.01


class EdgeCopy(Portable, nn.Module):
    """A derived edge that answers on the scale of given features, and saturates where they do."""

    least: Tensor

    def __init__(self, edge: Half, features: Shape) -> None:
        super().__init__()
        self.edge = edge
        self.scale = Standardize(features)
        self.register_buffer("least", torch.tensor(-torch.inf))

    def forward(self, images: Tensor) -> Tensor:
        return self._free(images).clamp_min(self.least)

    def error(self, images: Tensor, features: Tensor) -> Tensor:
        """Mean squared error, to be trained by: as if nothing saturated wherever the features do
        not, so that a number which is at its least everywhere still learns (Tobin, 1958)."""
        answers, saturated = self._free(images).float(), features <= self.least
        answers = torch.where(saturated, answers.clamp_min(self.least), answers)
        return F.mse_loss(answers, features)

    def _free(self, images: Tensor) -> Tensor:
        return self.scale.undo(self.edge.unchecked(images))

    @torch.no_grad()
    def fit(self, features: Tensor) -> None:
        """Take scale and saturation from features N×…: behind a ReLU many are 0, and none less."""
        self.scale.fit(features)
        least = features.amin()
        if (features == least).float().mean() > _SATURATED:
            self.least.copy_(least)

    @torch.no_grad()
    def rescale(self, scale: float) -> None:
        """Answer features that are so many times as large."""
        self.scale.rescale(scale)
        self.least.mul_(scale)


class DecoderAndCopy(Portable, nn.Module):
    """What an adversary learns from an edge's answers: to invert it, and to answer like it.

    Features N×`features` -> images N×`images`, as `decoder` has them; `edge` maps them back.

    Args:
        features, images, normalisation: as `Decoder` and `derived_edge` take them.
        width: channels of the decoder.
        copy_width: channels of the copy at the size of the images.
    """

    def __init__(
        self,
        features: Shape,
        images: Shape,
        normalisation: tuple[tuple[float, ...], tuple[float, ...]],
        *,
        width: int = 64,
        copy_width: int = 64,
    ) -> None:
        super().__init__()
        self.decoder = Decoder(features, images, width=width)
        derived = derived_edge(images, features, normalisation, width=copy_width)
        self.edge = EdgeCopy(derived, features)

    def forward(self, features: Tensor) -> Tensor:
        images: Tensor = self.decoder(features)
        return images

    def fit(self, features: Tensor) -> None:
        """Take the scale of features N×…."""
        self.decoder.standardize.fit(features)
        self.edge.fit(features)

    def rescale(self, scale: float) -> None:
        """Take and answer features that are so many times as large."""
        self.decoder.standardize.rescale(scale)
        self.edge.rescale(scale)
