"""What 10,000 images at cifar_cnn/conv11 need of memory: their features alone would be 2.6 GB.

    python -m splitzoo.bench.streaming_memory [--store]

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

from ..zoo import Images, describe_device, load_network, manifest
from ..zoo.files import write_text
from .referee.attacking import attack_images
from .referee.runs import Run
from .scenarios import scenario
from .store import PUBLISHED
from .store.provenance import today, versions

PATH = PUBLISHED / "evidence" / "streaming_memory.json"
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


def measure() -> dict[str, Any]:
    """The peaks, each from a process of its own."""
    found: dict[str, dict[str, float]] = {}
    for attack in ATTACKS:
        found[attack] = {}
        for count in COUNTS:
            command = [sys.executable, "-m", "splitzoo.bench.streaming_memory"]
            command += ["--one", attack, str(count)]
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            found[attack][str(count)] = round(float(said), 3)
    return {
        "what": "largest resident set in GiB, by attack and number of images, cifar_cnn/conv11",
        "peaks": found,
        "target_sha256": manifest().get("cifar_cnn").content_sha256,
        "device": describe_device(torch.device("cpu")),
        "versions": versions(),
        "date": today(),
    }


def main() -> None:
    """Measure, print, and store if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--one", nargs=2, metavar=("ATTACK", "COUNT"), help="in this process only")
    parser.add_argument("--store", action="store_true", help=f"write {PATH.name}")
    options = parser.parse_args()
    if options.one:
        print(peak(options.one[0], int(options.one[1])))
        return
    text = json.dumps(measure(), indent=1, ensure_ascii=False) + "\n"
    print(text, end="")
    if options.store:
        write_text(PATH, text)


if __name__ == "__main__":
    main()
