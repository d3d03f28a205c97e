"""A network from features back to images whose architecture follows from their shapes.

Whatever an edge sends is brought onto a grid: feature maps are one already, a transformer's
tokens are laid out as one (its class token beside each), and anything else is spread over one by
a fully connected layer. A cell of the grid stands for a square of pixels, as wide as the largest
power of two with which the grid does not reach beyond the image; what an edge's borders have cost
is padded. Residual blocks without normalisation (Lim et al., CVPR-W 2017) follow where convolutions
are cheap, at half the image's size or below, with sub-pixel upsampling (Shi et al., CVPR 2016)
between the sizes and up to the image.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import Residual
from .checks import check_batch
from .portable import Portable
from .shapes import Shape, token_side

#: Pixels a side that a cell stands for where a vector is spread over a grid.
_SPREAD = 4
#: Residual blocks of a decoder unless told.
BLOCKS = 4
_EPSILON = 1e-6
#: Of the mean deviation, what a map's counts for at least.
_LEAST = 0.01
#: Places of a map from which on it has a mean and a deviation of its own.
_PLACES = 16


class Standardize(Portable, nn.Module):
    """Each channel, or each number of a vector, at zero mean and unit variance once `fit`."""

    mean: Tensor
    std: Tensor

    def __init__(self, features: Shape) -> None:
        super().__init__()
        per_channel = (features[0], *(1,) * (len(features) - 1))
        shape = per_channel if len(features) == 3 else features
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("std", torch.ones(shape))

    def forward(self, features: Tensor) -> Tensor:
        return (features - self.mean) / self.std

    def undo(self, values: Tensor) -> Tensor:
        """The features that `forward` brought to these values."""
        return values * self.std + self.mean

    @torch.no_grad()
    def fit(self, features: Tensor) -> None:
        """Take mean and standard deviation from features N×…; a constant one keeps its scale."""
        over = [0, *(axis + 1 for axis, size in enumerate(self.mean.shape) if size == 1)]
        values = features.float()
        std = values.std(dim=over, correction=0, keepdim=True)[0]
        self.mean.copy_(values.mean(dim=over, keepdim=True)[0])
        self.std.copy_(torch.where(std > _EPSILON * std.amax().clamp_min(_EPSILON), std, 1.0))

    @torch.no_grad()
    def rescale(self, scale: float) -> None:
        """Take features that are so many times as large."""
        self.mean.mul_(scale)
        self.std.mul_(scale)


class AtUnitScale(Portable, nn.Module):
    """Each image's features at zero mean and unit deviation, whatever their scale: map by map
    (Ulyanov et al., arXiv 1607.08022), or all of them where they have no maps of 16 places.

    To a deviation a hundredth of the mean one is added, or what rounding makes of the features
    if that is more, so that next to nothing stays so.
    """

    def forward(self, features: Tensor) -> Tensor:
        maps = features.dim() == 4 and features[0, 0].numel() >= _PLACES
        over = (2, 3) if maps else tuple(range(1, features.dim()))
        centred = features - features.mean(over, keepdim=True)
        deviation = centred.square().mean(over, keepdim=True).sqrt()
        rounding = 1e-6 * features.abs().amax(tuple(range(1, features.dim())), keepdim=True)
        least = torch.maximum(_LEAST * deviation.mean(1, keepdim=True), rounding)
        least = least.clamp_min(torch.finfo(least.dtype).tiny)
        return centred / (deviation + least)


class TokensToGrid(Portable, nn.Module):
    """Tokens N×T×D -> N×D×s×s; with a class token in front, N×2D×s×s."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, tokens: Tensor) -> Tensor:
        count, length, _ = tokens.shape
        grid = tokens[:, length - self.side**2 :].transpose(1, 2)
        grid = grid.reshape(count, -1, self.side, self.side)
        if length == self.side**2:
            return grid
        first = tokens[:, 0, :, None, None].expand_as(grid)
        return torch.cat([grid, first], 1)


class Fit(Portable, nn.Module):
    """Maps N×D×h×w -> N×D×`side`, padded with zeros or cut, alike on both sides."""

    def __init__(self, side: tuple[int, int]) -> None:
        super().__init__()
        self.side = side

    def forward(self, values: Tensor) -> Tensor:
        down, right = (want - has for want, has in zip(self.side, values.shape[2:], strict=True))
        before = right // 2, down // 2
        return F.pad(values, (before[0], right - before[0], before[1], down - before[1]))


class Decoder(Portable, nn.Module):
    """Features N×`features` -> images N×`images` (C×H×W), not clamped.

    Raises InputError on features of another shape.

    Args:
        features, images: shapes of one image's, without N.
        width: channels of the residual blocks at half the image's size; below, half as many more.
        blocks: residual blocks at the size of the grid; half as many at each larger one.
    """

    def __init__(
        self, features: Shape, images: Shape, *, width: int = 64, blocks: int = BLOCKS
    ) -> None:
        super().__init__()
        self._features = tuple(features)  # no setting: the weights have its shape already
        self.standardize = Standardize(features)
        self.to_grid, channels, stride = _to_grid(features, images, width)
        layers: list[nn.Module] = [Fit(_grid(images, stride))]
        if stride == 1:  # four pixels to a cell
            layers += [Fit(_even(images)), nn.PixelUnshuffle(2)]
            channels, stride = 4 * channels, 2
        wide = width if stride == 2 else width * 3 // 2
        layers.append(nn.Conv2d(channels, wide, 3, padding=1))
        layers += [_block(wide) for _ in range(blocks)]
        while stride > 2:
            stride //= 2
            narrow = width if stride == 2 else wide
            layers += [nn.Conv2d(wide, 4 * narrow, 3, padding=1), nn.PixelShuffle(2)]
            layers += [_block(narrow) for _ in range(blocks // 2)]
            wide = narrow
        layers += [nn.Conv2d(wide, 4 * images[0], 3, padding=1), nn.PixelShuffle(2)]
        self.layers = nn.Sequential(*layers, Fit((images[1], images[2])))

    def forward(self, features: Tensor) -> Tensor:
        check_batch(features, self._features, "features of a decoder")
        images: Tensor = self.layers(self.to_grid(self.standardize(features)))
        return images + 0.5


def _to_grid(features: Shape, images: Shape, width: int) -> tuple[nn.Module, int, int]:
    """What brings features onto a grid, its channels, and the pixels a side of a cell."""
    if len(features) == 3:
        return nn.Identity(), features[0], _stride(features[1:], images)
    side = token_side(features)
    if side is not None:
        with_class = features[0] != side * side
        channels = features[1] * (2 if with_class else 1)
        return TokensToGrid(side), channels, _stride((side, side), images)
    grid = _grid(images, _SPREAD)
    spread = nn.Sequential(
        nn.Flatten(),
        nn.Linear(math.prod(features), width * math.prod(grid)),
        nn.Unflatten(1, (width, *grid)),
        nn.ReLU(),
    )
    return spread, width, _SPREAD


def _stride(grid: Shape, images: Shape) -> int:
    """The largest power of two with which a grid does not reach beyond the image; at least 1."""
    ratio = min(image // cells for image, cells in zip(images[1:], grid, strict=True))
    return 1 << max(0, ratio.bit_length() - 1)


def _grid(images: Shape, stride: int) -> tuple[int, int]:
    """Cells of that many pixels a side that cover an image; an even number of each larger one."""
    cells = [math.ceil(size / stride) for size in images[1:]]
    return cells[0], cells[1]


def _even(images: Shape) -> tuple[int, int]:
    return images[1] + images[1] % 2, images[2] + images[2] % 2


def _block(width: int) -> Residual:
    body = nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1),
    )
    return Residual(body, nn.Identity(), nn.Identity())
