"""What 10,000 images at cifar_cnn/conv11 need of memory: their features alone would be 2.6 GB.

    python -m splitzoo.bench.measured.streaming_memory [--store]

Attacks that many images, drawn at random, with the published Inverse-Network and with rMLE in a few
iterations, as a benchmark runs them, and reports the largest resident set of the process after
each. It should hardly grow from 1,000 images to 10,000. `--store` puts the figures beside the
published results.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from typing import Any

import torch

from ...zoo import Images, load_network, manifest
from ..referee.attacking import attack_images
from ..referee.runs import Run
from ..scenarios import scenario
from .evidence import run

COUNTS = (1_000, 10_000)
#: An attack by its setting, and the fields that make it short.
ATTACKS: dict[str, tuple[str, tuple[tuple[str, Any], ...]]] = {
    "inverse_network": ("black_box_same_set", ()),
    "rmle": ("white_box", (("iterations", 2),)),
}


def peak(attack: str, count: int) -> float:
    """GiB of the largest resident set of this process after attacking `count` images."""
    setting, overrides = ATTACKS[attack]
    run = Run(scenario(f"{setting}/cifar_cnn/conv11"), attack)
    record = run.published()
    run = Run(run.scenario, attack, overrides=overrides)
    images = Images(torch.randint(256, (count, 3, 32, 32), dtype=torch.uint8), torch.zeros(count))
    attack_images(
        run.configure(),
        run.scenario,
        images,
        device=torch.device("cpu"),
        network=load_network(record.name) if record else None,
    )
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """The peaks, each from a process of its own."""
    found: dict[str, dict[str, float]] = {}
    for attack in ATTACKS:
        found[attack] = {}
        for count in COUNTS:
            command = [sys.executable, "-m", "splitzoo.bench.measured.streaming_memory"]
            command += ["--one", attack, str(count)]
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            found[attack][str(count)] = json.loads(said)["peak"]
    return {
        "what": "largest resident set in GiB, by attack and number of images, cifar_cnn/conv11",
        "peaks": found,
        "target_sha256": manifest().get("cifar_cnn").content_sha256,
    }


def measure_one(given: argparse.Namespace) -> dict[str, Any]:
    """The peak of one attack, in this process."""
    attack, count = given.one
    return {"peak": round(peak(attack, int(count)), 3)}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--one", nargs=2, metavar=("ATTACK", "COUNT"), help="in this process only")


if __name__ == "__main__":
    run(
        "streaming_memory",
        __doc__,
        lambda given: measure_one(given) if given.one else measure(given),
        add_options,
    )
