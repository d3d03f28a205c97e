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
import secrets
import signal
import socket
import subprocess
import sys
import time
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
def cluster(mark: str) -> Iterator[tuple[list[str], dict[str, str]]]:
    """A Ray cluster of two nodes with a core each; the options and the environment that lead to it:
    the mark is also the token that it asks for."""
    port = str(free_port())
    environment = {MARK: mark, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": mark}
    begin = [sys.executable, "-c", "from ray.scripts.scripts import main; main()", "start"]
    sizes = ["--num-cpus=1", "--num-gpus=0", "--object-store-memory=100000000"]
    with TemporaryDirectory(prefix="ray-", dir="/tmp") as files:  # its sockets need a short path
        try:
            for which in (
                ["--head", "--port", port, "--temp-dir", files, "--include-dashboard=false"],
                ["--address", f"127.0.0.1:{port}"],
            ):
                subprocess.run(
                    [*begin, *which, *sizes, "--disable-usage-stats"],
                    env={**os.environ, **environment, "OMP_NUM_THREADS": "1"},
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    check=True,
                )
            yield ["--address", f"127.0.0.1:{port}"], environment
        finally:
            while left := processes(mark):  # they beget each other anew
                end(left)
                time.sleep(0.5)


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


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
        if working and not due:
            due = time.monotonic() + moment.uniform(3.0, 8.0)
        elif working and time.monotonic() > due:
            end([min(working)])  # the oldest: so the others' turn comes too
            done, due = done + 1, 0.0
            print(f"killed {done}", file=sys.stderr, flush=True)
        time.sleep(0.1)
    return done


def compared(engine: str, folder: Path, alone: dict[str, Any], given: Any) -> dict[str, Any]:
    """How often an engine's workers were killed, and whether its table is that of one process."""
    mark, began = secrets.token_hex(32), time.perf_counter()
    opened: AbstractContextManager[tuple[list[str], dict[str, str]]]
    opened = cluster(mark) if engine == "ray" else nullcontext(([], {MARK: mark}))
    with opened as (words, environment):
        options = ["--engine", engine, "--jobs", "2", "--threads", "1", *words]
        benchmark = start(folder, given.only, *options, **environment)
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
