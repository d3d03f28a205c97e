"""How much sooner two jobs on two cores end than one job with one thread.

    python -m splitzoo.bench.measured.two_jobs [--only WORDS] [--store]

The scenarios that --only chooses (all, unless said otherwise), on the ten images, are run through
by one process, then by two, each with one thread, into new folders. Compared are the seconds, and
the result files without theirs. The seconds mean something where nothing else works on the cores.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .durability import PROFILE, finished, start, table
from .evidence import run


def seconds_of(folder: Path, only: str, jobs: int) -> float:
    """How long the benchmark takes with so many jobs of one thread."""
    began = time.perf_counter()
    finished(start(folder, only, "--engine", "local", "--jobs", str(jobs), "--threads", "1"))
    return time.perf_counter() - began


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Seconds with one job and with two, and whether they made the same table."""
    with TemporaryDirectory() as scratch:
        one, two = Path(scratch, "one"), Path(scratch, "two")
        alone, together = seconds_of(one, given.only, 1), seconds_of(two, given.only, 2)
        tables = table(one), table(two)
        return {
            "what": f"seconds of {PROFILE} {given.only or '(all scenarios)'} by one job and by two "
            "jobs of one thread each",
            "cores": os.cpu_count(),
            "files": len(tables[0]),
            "one_job_seconds": round(alone, 1),
            "two_jobs_seconds": round(together, 1),
            "share": round(together / alone, 3),
            "table_equal": tables[0] == tables[1],
        }


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", default="", metavar="WORDS", help="as of bench (default: all)")


if __name__ == "__main__":
    run("two_jobs", __doc__, measure, add_options)
