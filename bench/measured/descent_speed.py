"""What an iteration of rMLE costs beside the convolutions that it cannot do without.

    python -m splitzoo.bench.measured.descent_speed [--store]

The edge is the CIFAR CNN's at relu22. The convolutions alone are the same four, on the inputs that
they have there: forward, and the gradient with respect to the input, without autograd, ReLU,
pooling, loss or Adam. The two take turns, iteration by iteration, so that a busy machine slows
both alike. `ratio` is their time over rMLE's: 1 would be an attack that does nothing else.
`OMP_NUM_THREADS=1` gives steadier figures beside other jobs. `--store` puts the figures beside
the published results.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...attacks import RMLE, Adversary, get_setting
from ...zoo import Target, load_split
from .evidence import run

BATCHES = (5, 10, 20, 50)
ITERATIONS = 10  # in a turn: what rMLE does once for a batch is shared by few, not by thousands


def descent(target: Target, images: Tensor) -> Callable[[], None]:
    """A turn of rMLE as a user runs it, ready to be called."""
    adversary = Adversary(get_setting("white_box"), target, device=images.device)
    prepared = RMLE(iterations=ITERATIONS, tv_weight=100.0).prepare(adversary)
    features = target.edge(images).detach().contiguous()

    def turn() -> None:
        prepared.reconstruct(features, batch=len(features)).sum().item()  # waits for the device

    return turn


def convolutions(target: Target, images: Tensor) -> Callable[[], None]:
    """As many times its convolutions, each forward and back to its input."""
    work: list[tuple[nn.Conv2d, Tensor, Tensor]] = []
    values = images.contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        for layer in target.edge.to(memory_format=torch.channels_last).children():
            before, values = values, layer(values)
            if isinstance(layer, nn.Conv2d):
                work.append((layer, before, torch.randn_like(values)))

    @torch.no_grad()
    def turn() -> None:
        for _ in range(ITERATIONS):
            for layer, before, _ in work:
                last = F.conv2d(before, layer.weight, layer.bias, layer.stride, layer.padding)
            for layer, before, gradient in reversed(work):
                last, *_ = torch.ops.aten.convolution_backward(
                    gradient,
                    before,
                    layer.weight,
                    None,
                    layer.stride,
                    layer.padding,
                    layer.dilation,
                    False,  # not transposed
                    [0, 0],
                    layer.groups,
                    [True, False, False],  # to the input, not to weight and bias
                )
        last.sum().item()  # waits for the device

    return turn


def measure(device: torch.device, rounds: int) -> dict[str, Any]:
    """Median milliseconds per image and iteration by batch size, and where they were measured."""
    rows = []
    for batch in BATCHES:
        generator = torch.Generator().manual_seed(0)
        images = torch.rand(batch, 3, 32, 32, generator=generator).to(device)
        turns = {
            kind.__name__: kind(load_split("cifar_cnn", "relu22").to(device), images)
            for kind in (descent, convolutions)
        }
        times: dict[str, list[float]] = {name: [] for name in turns}
        for number in range(rounds + 1):  # the first round sets the machine up
            for name, turn in turns.items():
                began = time.perf_counter()
                turn()
                if number:
                    times[name].append(1000 * (time.perf_counter() - began) / batch / ITERATIONS)
        median = {name: statistics.median(each) for name, each in times.items()}
        fastest = {name: min(each) for name, each in times.items()}
        rows.append(
            {
                "batch": batch,
                "median": {name: round(each, 3) for name, each in median.items()},
                "fastest": {name: round(each, 3) for name, each in fastest.items()},
                "ratio": round(median["convolutions"] / median["descent"], 3),
                "ratio_of_fastest": round(fastest["convolutions"] / fastest["descent"], 3),
            }
        )
    return {
        "what": f"ms per image and iteration at cifar_cnn/relu22, {rounds} turns of {ITERATIONS}",
        "batches": rows,
    }


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=15, help="turns of each (default: 15)")


if __name__ == "__main__":
    run(
        "descent_speed",
        __doc__,
        lambda given: measure(given.device, max(1, given.rounds)),
        add_options,
    )
