"""Peak signal-to-noise ratio, on [0, 1] with peak 1.0 (§3.3)."""

from __future__ import annotations

import math

from torch import Tensor

from ..arrays import array
from ..metric import Metric

#: PSNR of an image recovered without error; without a cap it would be infinite.
PSNR_CAP = 100.0


def psnr(images: Tensor, recovered: Tensor) -> list[float]:
    """Peak signal-to-noise ratio of each image in dB (Eq. 2 with MAX_I = 1), at most 100.

    Both N×C×H×W in [0, 1], else InputError. The error is averaged over channels and pixels of one
    image.
    """
    error = (array(images) - array(recovered)) ** 2
    values = []
    for mean in error.reshape(len(error), -1).mean(axis=1):
        values.append(PSNR_CAP if mean == 0 else min(PSNR_CAP, -10 * math.log10(mean)))
    return values


METRIC = Metric(
    name="psnr",
    title="PSNR, dB",
    place=1,
    compute=lambda secrets, _, recovered: psnr(
        secrets.pixels.double() / 255, recovered.double() / 255
    ),
    low=0,
    high=PSNR_CAP,
    digits=4,
    shown=2,
)
