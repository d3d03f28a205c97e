"""Runs one after another in this process."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import torch

from ...zoo import describe_device
from ..referee.runs import Run, ensure_result
from ..referee.workers import Limits
from ..store.folder import ResultStore
from ..store.result import Result
from .wording import announce, outcome


def carry_out_all(
    runs: Sequence[Run],
    store: ResultStore,
    device: torch.device,
    *,
    fresh: bool = False,
    limits: Limits | None = None,
) -> list[Result]:
    """Every run's result, from the store where it is current; a line each on standard error.

    One that fails is stored as that, and does not stand in the way of the others. With `limits`
    each attack runs in a worker of its own.
    """
    announce(runs, store, f"on {describe_device(device)}")
    results = []
    for number, run in enumerate(runs, start=1):
        print(f"[{number}/{len(runs)}] {run.scenario.key} {run.label} …", file=sys.stderr)
        started = time.perf_counter()
        result, note = ensure_result(run, store, device, fresh=fresh, limits=limits)
        took = time.perf_counter() - started
        print(outcome(result, note, took), file=sys.stderr, flush=True)
        results.append(result)
    return results
