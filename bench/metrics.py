"""How well an image was recovered: per image, on [0, 1], peak and data range 1.0 (§3.3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit
from skimage.metrics import structural_similarity
from torch import Tensor

from ..zoo import check_images

#: PSNR of an image recovered without error; without a cap it would be infinite.
PSNR_CAP = 100.0
#: §4.2: an image with an SSIM of at most this counts as unrecognisable.
RECOGNISABLE_SSIM = 0.3


def psnr(images: Tensor, recovered: Tensor) -> list[float]:
    """Peak signal-to-noise ratio of each image in dB (Eq. 2 with MAX_I = 1), at most 100.

    Both N×C×H×W in [0, 1], else InputError. The error is averaged over channels and pixels of one
    image.
    """
    error = (_array(images) - _array(recovered)) ** 2
    values = []
    for mean in error.reshape(len(error), -1).mean(axis=1):
        values.append(PSNR_CAP if mean == 0 else min(PSNR_CAP, -10 * math.log10(mean)))
    return values


def ssim(images: Tensor, recovered: Tensor) -> list[float]:
    """Structural similarity of each image as Wang et al. (2004) define it, data range 1.0.

    Gaussian window σ = 1.5 of 11×11 pixels, population covariance, mean over the channels.
    Both N×C×H×W in [0, 1].
    """
    return [
        float(
            structural_similarity(
                image,
                other,
                data_range=1.0,
                channel_axis=0,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
        )
        for image, other in zip(_array(images), _array(recovered), strict=True)
    ]


def exact(images: Tensor, recovered: Tensor) -> list[bool]:
    """Whether each image is recovered bit for bit once both are rounded to 8 bits."""
    same = np.rint(_array(images) * 255) == np.rint(_array(recovered) * 255)
    return [bool(value) for value in same.reshape(len(same), -1).all(axis=1)]


@dataclass(frozen=True)
class Mean:
    """A mean over n images and the half-width of its 95 % confidence interval (Student's t)."""

    value: float
    half_width: float
    n: int


def mean(values: Sequence[float]) -> Mean:
    """Mean of at least one value; one alone has an infinite interval."""
    array = np.asarray(values, dtype=np.float64)
    n = len(array)
    if n == 1:
        return Mean(float(array[0]), math.inf, 1)
    half = float(stdtrit(n - 1, 0.975) * array.std(ddof=1) / math.sqrt(n))
    return Mean(float(array.mean()), half, n)


def _array(images: Tensor) -> np.ndarray:
    check_images(images, tuple(images.shape[1:]))
    return images.detach().cpu().double().numpy()
