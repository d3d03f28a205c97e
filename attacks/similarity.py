"""Structural similarity with a gradient: what a network is trained by that is scored by it."""

from __future__ import annotations

import torch
from torch import Tensor

#: The window of Wang et al. (2004): a Gaussian of this deviation, cut at this distance, in pixels.
SIGMA, REACH = 1.5, 5
#: What keeps the two fractions from 0 / 0, for values in [0, 1].
_LIGHT, _CONTRAST = 0.01**2, 0.03**2


def similarity(images: Tensor, others: Tensor) -> Tensor:
    """SSIM of each image with the other (Wang et al., IEEE Trans. Image Process. 2004, Eq. 13).

    N×C×H×W each -> N, the mean over channels and over the places where the window fits: what
    scikit-image computes with Gaussian weights and population covariance.
    """
    down, across = _window(images.shape[2], images), _window(images.shape[3], images).T

    def local(values: Tensor) -> Tensor:
        return down @ values @ across

    first, second = local(images), local(others)
    variances = local(images.square() + others.square()) - first.square() - second.square()
    covariance = local(images * others) - first * second
    light = (2 * first * second + _LIGHT) / (first.square() + second.square() + _LIGHT)
    contrast = (2 * covariance + _CONTRAST) / (variances + _CONTRAST)
    return (light * contrast).flatten(1).mean(1)


def _window(size: int, like: Tensor) -> Tensor:
    """The matrix that takes the weighted mean around each place of a line where the window fits."""
    reach = min(REACH, (size - 1) // 2)
    offsets = torch.arange(-reach, reach + 1, device=like.device)
    weights = torch.exp(-offsets.square() / (2 * SIGMA**2)).to(like)
    rows = torch.arange(size - 2 * reach, device=like.device)[:, None]
    matrix = torch.zeros(len(rows), size, device=like.device, dtype=like.dtype)
    return matrix.scatter(
        1, rows + offsets + reach, (weights / weights.sum()).expand(len(rows), -1)
    )
