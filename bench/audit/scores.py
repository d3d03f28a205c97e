"""How well images were recovered, and whether each can be told apart from the others."""

from __future__ import annotations

import torch
from torch import Tensor

from ...attacks.similarity import similarity
from ...zoo.pixels import to_8_bit
from ..score.metrics.psnr import psnr
from ..score.metrics.ssim import ssim


def scores_of(secret: Tensor, recovered: Tensor) -> dict[str, list[float]]:
    """PSNR and SSIM of each image; both uint8 N×C×H×W."""
    first, second = secret.double() / 255, recovered.double() / 255
    return {
        "psnr": [round(each, 4) for each in psnr(first, second)],
        "ssim": [round(each, 6) for each in ssim(first, second)],
    }


def picks_its_own(secret: Tensor, recovered: Tensor) -> list[bool]:
    """Whether the secret that each reconstruction is most similar to, by SSIM, is its own."""
    originals = secret.float() / 255
    found = []
    for place, image in enumerate(recovered.float() / 255):
        alike = similarity(image.expand_as(originals), originals)
        alike[place] -= 1e-6  # a tie is no recognition
        found.append(bool(alike.argmax() == place))
    return found


def stored(images: Tensor) -> Tensor:
    """What is scored and shown: 8 bits, on the CPU."""
    return to_8_bit(images.detach().to(torch.float32))
