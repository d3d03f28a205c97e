"""Recovery bit for bit."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ..arrays import array
from ..metric import Metric


def exact(images: Tensor, recovered: Tensor) -> list[bool]:
    """Whether each image is recovered bit for bit once both are rounded to 8 bits."""
    same = np.rint(array(images) * 255) == np.rint(array(recovered) * 255)
    return [bool(value) for value in same.reshape(len(same), -1).all(axis=1)]


METRIC = Metric(
    name="exact",
    title="exact",
    place=4,
    compute=lambda secrets, _, recovered: exact(
        secrets.pixels.double() / 255, recovered.double() / 255
    ),
    low=0,
    high=1,
)
