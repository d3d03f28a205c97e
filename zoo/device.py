"""Where tensors live: the one place that knows about `--device auto|cpu|cuda`."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from pathlib import Path

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
    """What a result says it was made on, e.g. "NVIDIA H100" or "AMD EPYC 7763, 2 threads"."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{processor_name()}, {torch.get_num_threads()} threads"


@cache
def processor_name() -> str:
    """The processor's own name where the system tells it, else its architecture."""
    try:
        if platform.system() == "Darwin":
            command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(command, capture_output=True, text=True).stdout.strip()
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split()) or platform.machine()
    except OSError:
        pass
    return platform.processor() or platform.machine()
