"""Runs one after another in this process."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import torch

from ...zoo import describe_device
from ..paper import paper_figure
from ..referee.runs import Run, ensure_result
from ..referee.workers import Limits
from ..score.means import mean
from ..store.folder import ResultStore
from ..store.result import Result


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
    profiles = ", ".join(dict.fromkeys(run.scenario.profile for run in runs))
    print(
        f"{len(runs)} to attack, profile {profiles}, on {describe_device(device)}; "
        f"results go to {store.folder}",
        file=sys.stderr,
    )
    results = []
    for number, run in enumerate(runs, start=1):
        print(f"[{number}/{len(runs)}] {run.scenario.key} {run.label} …", file=sys.stderr)
        started = time.perf_counter()
        result, note = ensure_result(run, store, device, fresh=fresh, limits=limits)
        took = time.perf_counter() - started
        print(
            f"      {score_of(result)}   ({note}, took {took:.1f} s)", file=sys.stderr, flush=True
        )
        results.append(result)
    return results


def score_of(result: Result) -> str:
    """What a result reached, beside the paper's figure where there is one, in a line."""
    if result.failure is not None:
        return f"failed: {result.failure}"
    where = result.where
    published = paper_figure(where.setting.name, where.column, result.label)
    beside = f" (paper {published.psnr:.2f} dB, {published.ssim:.4f})" if published else ""
    quality = mean(result.reported["psnr"]).value, mean(result.reported["ssim"]).value
    return (
        f"{quality[0]:.2f} dB, SSIM {quality[1]:.4f}{beside} in {result.cost.online_seconds:.1f} s"
    )
