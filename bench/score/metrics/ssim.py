"""Structural similarity, scikit-image's with the window of Wang et al. (2004) (§3.3)."""

from __future__ import annotations

from skimage.metrics import structural_similarity
from torch import Tensor

from ..arrays import array
from ..metric import Metric

#: §4.2: an image with an SSIM of at most this counts as unrecognisable.
RECOGNISABLE_SSIM = 0.3


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
        for image, other in zip(array(images), array(recovered), strict=True)
    ]


METRIC = Metric(
    name="ssim",
    title="SSIM",
    place=2,
    compute=lambda secrets, _, recovered: ssim(
        secrets.pixels.double() / 255, recovered.double() / 255
    ),
    low=-1,
    high=1,
    digits=6,
    shown=4,
)
