"""Images as the arrays that metrics are taken of."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ...zoo import check_images


def array(images: Tensor) -> np.ndarray:
    """N×C×H×W in double precision; InputError unless they are images in [0, 1]."""
    check_images(images, tuple(images.shape[1:]))
    return images.detach().cpu().double().numpy()
