"""Whether an engine whose workers are killed in the middle makes the table of a single process.

    python -m splitzoo.bench.measured.engines [--kills 3] [--only WORDS] [--store]

The scenarios that --only chooses, on the ten images, are run through once by one process. Then two
workers of each engine run them into a new folder, while now and then one of those that work is
ended with SIGKILL, until so many were. Compared are the result files, without their seconds and
dates, and every byte of the images beside them. For Ray a cluster of two nodes with a core each is
begun on this machine, and ended; the other engine is submitit with processes of this machine.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .durability import PROFILE, finished, start, table
from .evidence import run

#: What the command line of a process has in it that works on an item.
WORKING = {
    "ray": b"ray::answer",
    "submitit-local": b"submitit.core._submit",
    "slurm": b"submitit.core._submit",
}
#: Names the environment variable by whose value one measurement's processes are known.
MARK = "SPLITZOO_MEASURED"


def processes(mark: str, words: bytes = b"") -> list[int]:
    """Those of this machine with these words in their command line and the mark in their
    environment, or in their parent's: a title that a process gives itself may cover its own."""
    return [
        pid
        for pid in (int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit())
        if words in _said(pid, "cmdline")
        and any(mark.encode() in _said(each, "environ") for each in (pid, _parent(pid)))
    ]


def _said(pid: int, file: str) -> bytes:
    with suppress(OSError):
        return Path("/proc", str(pid), file).read_bytes()
    return b""


def _parent(pid: int) -> int:
    state = _said(pid, "stat").rpartition(b")")[2].split()
    return int(state[1]) if state else 0


@contextmanager
def cluster(mark: str) -> Iterator[list[str]]:
    """A Ray cluster of two nodes with a core each, and the options that lead to it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    begin = [sys.executable, "-c", "from ray.scripts.scripts import main; main()", "start"]
    sizes = ["--num-cpus=1", "--num-gpus=0", "--object-store-memory=100000000"]
    with TemporaryDirectory(prefix="ray-", dir="/tmp") as files:  # its sockets need a short path
        head = ["--head", "--port", port, "--temp-dir", files, "--include-dashboard=false"]
        for which in (head, ["--address", f"127.0.0.1:{port}"]):
            subprocess.run(
                [*begin, *which, *sizes, "--disable-usage-stats"],
                env={**os.environ, "OMP_NUM_THREADS": "1", MARK: mark},
                stdout=subprocess.DEVNULL,
                check=True,
            )
        try:
            yield ["--address", f"127.0.0.1:{port}"]
        finally:
            end(processes(mark))


def end(pids: list[int]) -> None:
    """SIGKILL to all that are still there."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def disturbed(benchmark: subprocess.Popen[bytes], mark: str, words: bytes, kills: int) -> int:
    """Kill one that works, now and then, until so many were or the benchmark ends; how many."""
    moment = random.Random(0)
    done, due = 0, 0.0
    while benchmark.poll() is None:
        working = processes(mark, words) if done < kills else []
        if not working:
            due = 0.0
        elif not due:  # somebody works: strike in a while
            due = time.monotonic() + moment.uniform(1.0, 4.0)
        elif time.monotonic() > due:
            end([moment.choice(working)])
            done, due = done + 1, 0.0
            print(f"killed {done}", file=sys.stderr, flush=True)
        time.sleep(0.1)
    return done


def compared(engine: str, folder: Path, alone: dict[str, Any], given: Any) -> dict[str, Any]:
    """How often an engine's workers were killed, and whether its table is that of one process."""
    mark, began = str(uuid.uuid4()), time.perf_counter()
    opened: AbstractContextManager[list[str]] = nullcontext([])
    if engine == "ray":
        opened = cluster(mark)
    with opened as words:
        options = ["--engine", engine, "--jobs", "2", "--threads", "1", *words]
        benchmark = start(folder, given.only, *options, **{MARK: mark})
        kills = disturbed(benchmark, mark, WORKING[engine], given.kills)
        finished(benchmark)
    return {
        "kills": kills,
        "table_equal": table(folder) == alone,
        "seconds": round(time.perf_counter() - began, 1),
    }


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """What each engine's table is like beside that of one process."""
    with TemporaryDirectory() as scratch:
        folder, began = Path(scratch), time.perf_counter()
        finished(start(folder / "alone", given.only))
        seconds = time.perf_counter() - began
        alone = table(folder / "alone")
        return {
            "what": f"results of {PROFILE} --only {given.only}, equal but for times, by two "
            "workers of which one was killed so often",
            "files": len(alone),
            "seconds_alone": round(seconds, 1),
            "engines": {
                engine: compared(engine, folder / engine, alone, given) for engine in given.engine
            },
        }


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--engine", nargs="+", default=["ray", "submitit-local"])
    parser.add_argument("--kills", type=int, default=3, help="workers to kill (default: 3)")
    parser.add_argument(
        "--only", default="lenet/relu2", metavar="WORDS", help="as of bench (default: lenet/relu2)"
    )


if __name__ == "__main__":
    run("engines", __doc__, measure, add_options)
