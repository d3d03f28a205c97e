"""Between the pixels of an image in 8 bits and as floats."""

from __future__ import annotations

import torch
from torch import Tensor


def as_floats(pixels: Tensor) -> Tensor:
    """uint8 pixels as float32 in [0, 1]; floating-point ones as float32, as they are."""
    return pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels.float()


def to_8_bit(images: Tensor) -> Tensor:
    """Images in [0, 1] as uint8 on the CPU, rounded to the nearest of 256 levels."""
    return (images.detach().cpu() * 255).round().to(torch.uint8)
