"""A network from features back to images whose architecture follows from their shapes.

Whatever an edge sends is brought onto a grid: feature maps are one already, a transformer's
tokens are laid out as one (its class token beside each), and anything else is spread over one by
a fully connected layer. Residual blocks follow, with sub-pixel upsampling (Shi et al., CVPR 2016)
between them, until the grid is as large as the image.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .blocks import Residual
from .portable import Portable
from .shapes import Shape, token_side

#: A grid that a vector is spread over is not larger than this a side.
_SMALLEST_GRID = 8
_EPSILON = 1e-6


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

    @torch.no_grad()
    def fit(self, features: Tensor) -> None:
        """Take mean and standard deviation from features N×…; a constant one keeps its scale."""
        over = [0, *(axis + 1 for axis, size in enumerate(self.mean.shape) if size == 1)]
        values = features.float()
        std = values.std(dim=over, correction=0, keepdim=True)[0]
        self.mean.copy_(values.mean(dim=over, keepdim=True)[0])
        self.std.copy_(torch.where(std > _EPSILON * std.amax().clamp_min(_EPSILON), std, 1.0))


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


class Decoder(Portable, nn.Module):
    """Features N×`features` -> images N×`images` (C×H×W), not clamped.

    Args:
        features, images: shapes of one image's, without N.
        width: channels of the residual blocks.
        blocks: residual blocks at each size of the grid.
    """

    def __init__(self, features: Shape, images: Shape, *, width: int = 64, blocks: int = 2) -> None:
        super().__init__()
        self.standardize = Standardize(features)
        self.to_grid, channels, side = _to_grid(features, images, width)
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1)]
        layers += [_block(width) for _ in range(blocks)]
        while 2 * side[0] <= images[1] and 2 * side[1] <= images[2]:
            layers += [nn.Conv2d(width, 4 * width, 3, padding=1), nn.PixelShuffle(2), nn.ReLU()]
            side = 2 * side[0], 2 * side[1]
            layers += [_block(width)]
        if side != images[1:]:
            layers.append(nn.Upsample(images[1:], mode="bilinear", align_corners=False))
        layers += [_block(width), nn.Conv2d(width, images[0], 3, padding=1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        images: Tensor = self.layers(self.to_grid(self.standardize(features)))
        return images + 0.5


def _to_grid(features: Shape, images: Shape, width: int) -> tuple[nn.Module, int, tuple[int, int]]:
    """What brings features onto a grid, and its channels and size."""
    if len(features) == 3:
        return nn.Identity(), features[0], (features[1], features[2])
    side = token_side(features)
    if side is not None:
        with_class = features[0] != side * side
        return TokensToGrid(side), features[1] * (2 if with_class else 1), (side, side)
    height, width_ = images[1], images[2]
    while min(height, width_) >= 2 * _SMALLEST_GRID and height % 2 == 0 and width_ % 2 == 0:
        height, width_ = height // 2, width_ // 2
    spread = nn.Sequential(
        nn.Flatten(),
        nn.Linear(int(torch.tensor(features).prod()), width * height * width_),
        nn.Unflatten(1, (width, height, width_)),
        nn.ReLU(),
    )
    return spread, width, (height, width_)


def _block(width: int) -> Residual:
    body = nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1),
    )
    return Residual(body, nn.Identity(), nn.ReLU())
