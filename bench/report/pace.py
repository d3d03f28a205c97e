"""How long the benchmark takes, from what each row took, shared among so many workers."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from tabulate import tabulate

from ...zoo import holding, manifest
from ...zoo.words import duration
from ..referee.plan import planned_runs
from ..store import PUBLISHED
from ..store.result import Result
from .wording import relative

#: Workers that the page is for, each with a core of its own.
WORKERS = {"one core": 1, "two cores": 2, "16 workers": 16, "256 workers": 256}


def makespan(seconds: Iterable[float], workers: int) -> float:
    """Seconds until all is done, where whoever is free takes the longest that is left."""
    free_at = [0.0] * workers
    for each in sorted(seconds, reverse=True):
        heapq.heappush(free_at, heapq.heappop(free_at) + each)
    return max(free_at)


def core_seconds(result: Result, images: int | None = None) -> float:
    """Seconds of one core that a row takes to run again, on so many images; on its own, for None.

    A published network is loaded, so what its training took does not count. Where the row was
    measured with several threads this is their number times as long: an upper bound.
    """
    used, cost = result.network, result.cost
    record = manifest().records.get((used.name if used else None) or "")
    trained = record.training["seconds"] if record else 0.0
    share = 1.0 if images is None else images / len(result.reported["indices"])
    threads = re.search(r", (\d+) threads\Z", result.made.device)
    seconds = max(0.0, cost.offline_seconds - trained) + share * cost.online_seconds
    return seconds * (int(threads[1]) if threads else 1)


def pace(results: Sequence[Result], path: Path) -> str:
    """A section that says how long `standard` and `full` take, with links relative to `path`."""
    done = [result for result in results if result.failure is None]
    plan = {(run.scenario, run.label) for run in planned_runs()}
    planned = [result for result in done if (result.where, result.label) in plan]
    table = []
    for profile in ("standard", "full"):
        for what, group in (("the paper's cells", planned), ("every row here", done)):
            took = [core_seconds(each, _images(each, profile)) for each in group]
            times = [duration(makespan(took, workers)) for workers in WORKERS.values()]
            table.append([f"`{profile}`, {what}", len(group), *times])
    engines, linear = (
        relative(PUBLISHED / "evidence" / f"{name}.json", path)
        for name in ("engines", "full_profile")
    )
    return (
        "## How long it takes\n\n"
        + tabulate(table, ["", "rows", *WORKERS], tablefmt="pipe", disable_numparse=True)
        + "\n\nComputed from the seconds of each row above, on the processors that made them, and "
        "from a simulated schedule that hands the longest out first, as the "
        f"[engines]({engines}) do, to workers of a core each: with many, the longest row alone "
        "decides. Rows that were measured with two threads count twice, so these are upper bounds; "
        "networks that are published are not trained again. `full` attacks the reserve of 1,000 "
        "images a data set: a row takes as many times longer as it has more images, and little "
        f"more memory ([measured]({linear}), a row of every attack).\n"
    )


def _images(result: Result, profile: str) -> int | None:
    """How many a row would attack in another profile; None for as many as it did."""
    return len(holding(result.scenario.dataset, "reserve").indices) if profile == "full" else None
