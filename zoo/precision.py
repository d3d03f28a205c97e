"""In which arithmetic a network is trained: bfloat16 only where the device computes it natively.

On a CPU without AVX-512 BF16 or AMX, PyTorch emulates bfloat16: a training step of the CIFAR CNN
then takes 2.2 s in place of 0.18 s. Precision is what a device does well, so it is recorded with
a network and is no part of the recipe that says which network it is.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, cast

import torch

from .choices import PRECISIONS
from .errors import UnknownNameError

Precision = Literal["float32", "bfloat16"]


def computes_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies and adds bfloat16 in hardware."""
    if device.type == "cuda":
        return bool(torch.version.hip) or torch.cuda.get_device_capability(device)[0] >= 8
    if device.type == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return False


def pick_precision(name: str, device: torch.device) -> Precision:
    """ "float32" or "bfloat16", of forward and backward passes; weights are always float32.

    "auto" is bfloat16 where the device computes it natively. Raises UnknownNameError.
    """
    if name not in PRECISIONS:
        raise UnknownNameError("precision", name, PRECISIONS)
    if name != "auto":
        return cast(Precision, name)
    return "bfloat16" if computes_bfloat16(device) else "float32"


def autocast(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """The context in which forward passes run in that precision."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)


def in_float32(device: torch.device) -> AbstractContextManager[Any]:
    """The context in which nothing is computed in less, whatever it lies in."""
    if not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)
