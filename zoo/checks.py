"""Whether a batch is what it should be: shape, type, finiteness and range."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .errors import InputError

FLOATING = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


def check_batch(batch: Any, shape: tuple[int, ...], what: str) -> None:
    """Raise InputError unless `batch` is a floating-point tensor N×`shape`."""
    expected = "N×" + "×".join(map(str, shape))
    if not isinstance(batch, Tensor):
        raise InputError(f"{what} must be a torch tensor {expected}, not {type(batch).__name__}")
    if batch.is_nested or batch.layout != torch.strided:
        raise InputError(f"{what} must be a dense tensor {expected}; use .to_dense()")
    if tuple(batch.shape[1:]) != shape or batch.dim() != len(shape) + 1:
        found = "×".join(map(str, batch.shape)) or "a scalar"
        hint = "; add the batch dimension with [None]" if tuple(batch.shape) == shape else ""
        raise InputError(f"{what} must be {expected}, not {found}{hint}")
    if batch.dtype not in FLOATING:
        raise InputError(
            f"{what} must be floating point, not {batch.dtype}; "
            "for 8-bit pixels use x.float() / 255"
        )


def check_features(features: Any, shape: tuple[int, ...], what: str = "features") -> None:
    """Raise InputError unless `features` is N×`shape`, floating point and finite."""
    check_batch(features, shape, what)
    if not torch.isfinite(features.detach()).all():
        raise InputError(f"{what} hold NaN or infinity; clean them before they are used")


def check_images(images: Any, shape: tuple[int, ...], what: str = "images") -> None:
    """Raise InputError unless `images` is N×`shape`, floating point, finite and in [0, 1]."""
    check_features(images, shape, what)
    if not images.numel():
        return
    low, high = (value.item() for value in torch.aminmax(images.detach()))
    if low < 0 or high > 1:
        raise InputError(
            f"{what} must lie in [0, 1], not [{low:.3g}, {high:.3g}]; do not normalise them "
            "(the edge does), and divide 8-bit pixels by 255"
        )
