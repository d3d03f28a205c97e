"""Where tensors live: the one place that knows about `--device auto|cpu|cuda`."""

from __future__ import annotations

import platform

import torch

from .errors import SplitzooError

DEVICES = ("auto", "cpu", "cuda")


def pick_device(name: str = "auto") -> torch.device:
    """ "auto" is CUDA where there is one, else the CPU. Raises SplitzooError for an absent one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise SplitzooError(f"unknown device {name!r}: use one of {', '.join(DEVICES)}") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SplitzooError("no CUDA device is visible here; use --device cpu or --device auto")
    return device


def describe_device(device: torch.device) -> str:
    """What a result says it was made on, e.g. "NVIDIA H100" or "cpu x86_64, 2 threads"."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} {platform.machine()}, {torch.get_num_threads()} threads"
