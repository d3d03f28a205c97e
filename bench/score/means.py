"""Means over images, and how sure they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit


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
