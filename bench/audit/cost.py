"""What a cut costs: bytes on the wire, and the edge's work."""

from __future__ import annotations

import copy
import math
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from ...zoo import Target
from .record import Cost

#: Seconds and runs that the edge's milliseconds are the median of.
_SECONDS, _RUNS = 0.5, 30


def cost_of(target: Target, image: Tensor) -> Cost:
    """Of one image 1×C×H×W on the image's device: features as float32, uncompressed."""
    edge = target.edge
    with torch.no_grad(), _plain_attention(), FlopCounterMode(display=False) as counter:
        edge(image)
    return Cost(
        bytes=4 * math.prod(target.feature_shape),
        multiply_adds=counter.get_total_flops() // 2,
        parameters=parameters_used(edge, image),
        milliseconds=round(1000 * _typical(lambda: edge(image), image.device), 3),
    )


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Attention as matrix products, which are counted: fused kernels are not."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def parameters_used(edge: nn.Module, image: Tensor) -> int:
    """Numbers in the parameters that the features depend on: an edge that was cut by hooks holds
    the others too."""
    twin = copy.deepcopy(edge).requires_grad_(True)
    parameters = list(twin.parameters())
    with torch.enable_grad():
        features = twin(image).sum()
    if not parameters or not features.requires_grad:
        return 0
    found = torch.autograd.grad(features, parameters, allow_unused=True)
    return sum(each.numel() for each in found if each is not None)


@torch.no_grad()
def _typical(run: Callable[[], object], device: torch.device) -> float:
    """The median seconds of a run, the first left aside."""
    times: list[float] = []
    began = time.perf_counter()
    while len(times) < 4 or (len(times) < _RUNS and time.perf_counter() - began < _SECONDS):
        times.append(seconds_of(run, device))
    return statistics.median(times[1:])


def seconds_of(run: Callable[[], object], device: torch.device) -> float:
    """What a run takes, a GPU's pending work included."""
    started = now(device)
    run()
    return now(device) - started


def now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
