"""Where tensors live: the one place that knows about `--device auto|cpu|cuda`."""

from __future__ import annotations

import platform
import re
import subprocess
from functools import cache
from pathlib import Path

import torch

from .choices import DEVICES
from .errors import MisuseError


def pick_device(name: str | torch.device = "auto") -> torch.device:
    """ "auto" is CUDA where there is one, else the CPU; "cuda:1" is the second CUDA device.

    Raises MisuseError for one that is not here, and for every other kind of device.
    """
    name = str(name)
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name in ("cpu", "cpu:0"):
        return torch.device("cpu")
    asked = re.fullmatch(r"cuda(?::([0-9]{1,3}))?", name)
    if asked is None:
        raise MisuseError(f"unknown device {name!r}: use one of {', '.join(DEVICES)}, cuda:N")
    if not torch.cuda.is_available():
        raise MisuseError("no CUDA device is visible here; use --device cpu or --device auto")
    if asked[1] is None:
        return torch.device("cuda")
    number, count = int(asked[1]), torch.cuda.device_count()
    if number >= count:
        raise MisuseError(
            f"no device {name} is visible here; use one of cuda:0 to cuda:{count - 1}"
        )
    return torch.device("cuda", number)


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
            return subprocess.run(command, capture_output=True, text=True).stdout.strip() or (
                platform.machine()
            )
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split()) or platform.machine()
    except OSError:
        pass
    return platform.processor() or platform.machine()
