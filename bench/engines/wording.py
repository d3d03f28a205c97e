"""What an engine says while it works."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ..paper import paper_figure
from ..referee.runs import Run
from ..score.means import mean
from ..store.folder import ResultStore
from ..store.result import Result


def announce(runs: Sequence[Run], store: ResultStore, where: str) -> None:
    """How much there is to do, and where, on standard error."""
    profiles = ", ".join(dict.fromkeys(run.scenario.profile for run in runs))
    print(
        f"{len(runs)} to attack, profile {profiles}, {where}; results go to {store.folder}",
        file=sys.stderr,
    )


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


def outcome(result: Result, note: str, seconds: float) -> str:
    """The line that ends a run: what it reached, how it came about, and how long it took."""
    return f"      {score_of(result)}   ({note}, took {seconds:.1f} s)"
