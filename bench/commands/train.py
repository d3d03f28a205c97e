"""`splitzoo train NAME`: make a target's checkpoint."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path

from ...zoo import Record, cache_dir, describe_device, get_network, load_dataset, pick_device
from ...zoo.files import ensure_writable, sha256_file, write_text
from ...zoo.loading import write_checkpoint
from ...zoo.manifest import FOLDER, add_record
from ...zoo.training import RECIPES, accuracy, active_units, train_target
from ..provenance import versions
from .options import add_device


def add(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help=f"one of {', '.join(RECIPES)}")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("checkpoints"),
        metavar="DIR",
        help="where NAME.safetensors and its record NAME.json go (default: %(default)s)",
    )
    parser.add_argument(
        "--adopt",
        action="store_true",
        help="replace the zoo's own checkpoint and manifest record instead",
    )
    add_device(parser)
    parser.epilog = (
        "Progress is kept after every epoch in the cache folder ($SPLITZOO_CACHE): a run that was\n"
        "interrupted goes on, and ends in the same weights as one that was not. Load the result\n"
        "with load_split(NETWORK, SPLIT, path='checkpoints/NAME.safetensors')."
    )


def run(options: Namespace) -> int:
    device = pick_device(options.device)
    name = options.name
    folder = FOLDER if options.adopt else options.out
    if name in RECIPES:
        ensure_writable(folder)
    progress_file = cache_dir() / "training" / f"{name}.safetensors"
    model = train_target(name, device=device, progress_file=progress_file)
    network = get_network(name)
    test = load_dataset(network.dataset, "test")
    correct = accuracy(model, test, device)
    reached = {
        "test_accuracy": round(correct, 4),
        "active_units": {k: round(v, 4) for k, v in active_units(model, test, device).items()},
    }
    file = folder / f"{name}.safetensors"
    write_checkpoint(file, model.layer_state(), {"network": name})
    record = Record(
        name=name,
        kind="target",
        architecture={"network": name},
        file=file.name,
        sha256=sha256_file(file),
        bytes=file.stat().st_size,
        dataset=network.dataset,
        normalisation={"mean": network.mean, "std": network.std},
        training={
            "command": f"splitzoo train {name}",
            "recipe": asdict(RECIPES[name]),
            "images": f"all of the {network.dataset} training part",
            "precision": "bfloat16 autocast",
            "device": describe_device(device),
        },
        seed=RECIPES[name].seed,
        versions=versions(),
        date=datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        reached=reached,
        licence="MIT",
    )
    if options.adopt:
        add_record(record)
    else:
        text = json.dumps(asdict(record), indent=2, ensure_ascii=False) + "\n"
        write_text(file.with_suffix(".json"), text)
    print(f"test accuracy {100 * correct:.2f} %", file=sys.stderr)
    print(file)
    return 0
