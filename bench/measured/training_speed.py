"""What a training step costs in float32, in bfloat16, and in what `auto` chooses here.

    python -m splitzoo.bench.measured.training_speed [--store]

One step of the CIFAR CNN, batch 32, is forward, backward and Adam, as `splitzoo train cifar_cnn`
does it. Where bfloat16 is native, `auto` should be as fast as bfloat16, elsewhere as float32. The
three take turns, step by step, so that a busy machine slows all of them alike. `--store` puts the
figures beside the published results.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from ...zoo import load_split, pick_precision
from ...zoo.choices import PRECISIONS
from ...zoo.precision import autocast, computes_bfloat16
from .evidence import run

BATCH = 32


def training_step(device: torch.device, precision: str) -> Callable[[], None]:
    """One step of training a fresh CIFAR CNN on random images, ready to be called."""
    model = load_split("cifar_cnn", "fc2", weights=None).to(device)
    model = model.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.Adam(model.parameters())
    images = torch.rand(BATCH, 3, 32, 32, device=device).to(memory_format=torch.channels_last)
    labels = torch.randint(10, (BATCH,), device=device)

    def step() -> None:
        with autocast(device, pick_precision(precision, device)):
            logits = model.cloud(model.edge(images))
        loss = F.cross_entropy(logits.float(), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        loss.item()  # waits for the device

    return step


def measure(device: torch.device, rounds: int) -> dict[str, Any]:
    """Median milliseconds of a step by precision, and what they were measured on."""
    steps = {precision: training_step(device, precision) for precision in PRECISIONS}
    times: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
    for number in range(rounds + 1):  # the first round sets the machine up
        for precision, step in steps.items():
            began = time.perf_counter()
            step()
            if number:
                times[precision].append(1000 * (time.perf_counter() - began))
    return {
        "what": f"training step of the CIFAR CNN, batch {BATCH}, median of {rounds}",
        "milliseconds": {name: round(statistics.median(t), 1) for name, t in times.items()},
        "auto_is": pick_precision("auto", device),
        "native_bfloat16": computes_bfloat16(device),
    }


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=15, help="steps of each (default: 15)")


if __name__ == "__main__":
    run(
        "training_speed",
        __doc__,
        lambda given: measure(given.device, max(1, given.rounds)),
        add_options,
    )
