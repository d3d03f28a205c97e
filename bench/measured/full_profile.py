"""What profile `full` takes beside the smaller ones: time should be linear, memory flat.

    python -m splitzoo.bench.measured.full_profile [--only ATTACK …] [--store]

One row an attack, in a process of its own that does on ten, a hundred and a thousand images what
`splitzoo bench` does: attack, score and store. Seconds are the processor's, so that others at work
do not count; the largest resident set, so far, includes torch, the networks and the data set. What
each row scores stands beside it, with 95 % intervals. `--store` keeps the rows of other attacks.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ...zoo import pick_device
from ..referee.runs import Run, carry_out
from ..scenarios import scenario
from ..score.means import mean
from ..secrets import PROFILES
from ..store.folder import ResultStore
from .evidence import run, stored

#: An attack's row that takes little time, by its scenario.
ROWS = {
    "gray_image": "white_box/lenet/conv1",
    "mean_image": "black_box_same_set/lenet/conv1",
    "affine_inversion": "black_box_rand_set/lenet/conv1",
    "inverse_network": "black_box_same_set/lenet/relu2",
    "decoder": "black_box_rand_set/lenet/relu2",
    "rmle": "white_box/lenet/conv1",
    "model_reconstruction": "black_box_same_set/lenet/conv1",
    "shadow_model": "query_free_same_set_same_net/lenet/conv1",
    "shadow_decoder": "query_free_diff_set_same_net/lenet/relu2",
    "refined_descent": "white_box/lenet/relu2",
    "copied_descent": "black_box_rand_set/lenet/relu2",
}


def one(attack: str) -> dict[str, Any]:
    """A row on every profile, the smaller ones first, carried out in this process."""
    return {"scenario": ROWS[attack], **{each: on_profile(attack, each) for each in PROFILES}}


def on_profile(attack: str, profile: str) -> dict[str, Any]:
    """A row, what it takes and what it scores."""
    planned = Run(scenario(ROWS[attack], profile), attack)
    evaluation = planned.scenario.evaluation()  # read before the clock starts
    with TemporaryDirectory() as folder:
        began = time.process_time()
        result = carry_out(planned, ResultStore(Path(folder)), pick_device("cpu"))
        seconds = time.process_time() - began
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30
    scores = {name: mean(result.reported[name]) for name in ("psnr", "ssim")}
    return {
        "images": len(evaluation.images),
        "cpu_seconds": round(seconds, 2),
        "peak_gib": round(peak, 3),
        **{name: [round(m.value, 4), round(m.half_width, 4)] for name, m in scores.items()},
    }


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Every row on every profile."""
    rows: dict[str, Any] = {}
    for attack in given.only:
        command = [sys.executable, "-m", __spec__.name, "--one", attack]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        rows[attack] = json.loads(said)["row"]
        print(f"{attack}: {rows[attack]}", file=sys.stderr, flush=True)
    return {
        "what": "processor seconds, GiB of the largest resident set, and means with the half width "
        "of their 95 % intervals, on ten, a hundred and a thousand images",
        "rows": {**stored("full_profile", "rows"), **rows},
    }


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", nargs="+", default=list(ROWS), choices=ROWS, metavar="ATTACK")
    parser.add_argument("--one", choices=ROWS, metavar="ATTACK", help="in this process")


if __name__ == "__main__":
    run(
        "full_profile",
        __doc__,
        lambda given: {"row": one(given.one)} if given.one else measure(given),
        add_options,
    )
