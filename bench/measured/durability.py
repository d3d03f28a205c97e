"""Whether a benchmark that is killed at random, or that eight processes write, ends as one that
ran alone.

    python -m splitzoo.bench.measured.durability [--kills 50] [--writers 8] [--only WORDS] [--store]

The scenarios that --only chooses, on the ten images, are run through once. Then runs of the same
command in new folders are ended with SIGKILL at a random moment and started again, until so many
were killed; and so many processes run it into one folder at once. What is compared are the result
files, without their seconds and dates, and every byte of the images beside them; what is counted
beside that are files that do not belong there.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ...zoo import InputError
from .evidence import run

PROFILE = "paper10"


def start(folder: Path, only: str, *more: str, **environment: str) -> subprocess.Popen[bytes]:
    """The benchmark, with more options, in a process group and an environment of its own."""
    main = "import sys; from splitzoo.bench.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", main, "bench", "--profile", PROFILE]
    words = [word for each in only.split() for word in ("--only", each)]
    return subprocess.Popen(
        [*command, *words, "--results", str(folder), *more],
        # One thread: sums in one order, however many run.
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def finished(process: subprocess.Popen[bytes]) -> None:
    """Wait for a run's end. InputError where it fails."""
    if process.wait() != 0:
        raise InputError(f"`{' '.join(map(str, process.args[3:]))}` failed; run it to see why")  # type: ignore[index]


def table(folder: Path) -> dict[str, Any]:
    """By path, every result without its times, and every other file's bytes."""
    found: dict[str, Any] = {}
    for path in sorted((folder / PROFILE).glob("*/*/*")):
        name = str(path.relative_to(folder))
        if path.suffix != ".json":
            found[name] = path.read_bytes()
            continue
        content = json.loads(path.read_text("utf-8"))
        content["cost"] = {"queries": content["cost"]["queries"]}
        del content["made"]["date"]
        found[name] = content
    return found


def killed(folder: Path, only: str, kills: int, longest: float) -> tuple[int, list[Path]]:
    """Kill runs at random moments until `kills` were; the folders, each then run to its end."""
    moment = random.Random(0)
    done = 0
    folders: list[Path] = []
    while done < kills:
        folders.append(folder / str(len(folders)))
        while done < kills:
            process = start(folders[-1], only)
            try:
                process.wait(moment.uniform(0.2, longest))
                break  # it came to its end first: the next kill has a new folder
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                done += 1
                print(f"killed {done}", file=sys.stderr, flush=True)
        finished(start(folders[-1], only))
    return done, folders


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """How many tables came out as the undisturbed run's."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        began = time.perf_counter()
        finished(start(folder / "alone", given.only))
        seconds = time.perf_counter() - began
        alone = table(folder / "alone")
        kills, folders = killed(folder / "killed", given.only, given.kills, seconds)
        writers = [start(folder / "shared", given.only) for _ in range(given.writers)]
        for writer in writers:
            finished(writer)
        return {
            "what": f"results of {PROFILE} --only {given.only}, equal but for times",
            "files": len(alone),
            "seconds_alone": round(seconds, 1),
            "kills": kills,
            "killed_tables": len(folders),
            "killed_tables_equal": sum(table(each) == alone for each in folders),
            "writers": given.writers,
            "shared_table_equal": table(folder / "shared") == alone,
        }


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kills", type=int, default=50, help="runs to kill (default: 50)")
    parser.add_argument("--writers", type=int, default=8, help="processes at once (default: 8)")
    parser.add_argument(
        "--only", default="lenet/conv1", metavar="WORDS", help="as of bench (default: lenet/conv1)"
    )


if __name__ == "__main__":
    run("durability", __doc__, measure, add_options)
