"""`splitzoo train`: make checkpoints by their published recipes."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path

from ...zoo import MisuseError, Record, manifest, pick_device
from ...zoo.cards import write_card
from ...zoo.files import ensure_writable, write_text
from ...zoo.manifest import FOLDER, add_record
from ..offline import is_finished, train, trainable, write
from .options import add_device, folder


def add(parser: ArgumentParser) -> None:
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="checkpoints of `splitzoo list`: targets, judges, Inverse-Networks, shadow models",
    )
    parser.add_argument("--all", action="store_true", help="everything that is not finished yet")
    parser.add_argument(
        "--out",
        type=folder,
        default=Path("checkpoints"),
        metavar="DIR",
        help="where NAME.safetensors and its record NAME.json go (default: %(default)s)",
    )
    parser.add_argument(
        "--adopt",
        action="store_true",
        help="replace the zoo's own checkpoints, manifest records and model cards instead",
    )
    add_device(parser)
    parser.epilog = (
        "Progress is kept after every epoch in the cache folder ($SPLITZOO_CACHE): a run that was\n"
        "interrupted goes on, and ends in the same weights as one that was not. With --all, what\n"
        "is finished by the present recipe is skipped; all together take some three hours on two\n"
        "cores, one of them for the CIFAR-10 target. Load the result with load_split,\n"
        "load_inverse, load_shadow or load_judge and path='checkpoints/NAME.safetensors'."
    )


def run(options: Namespace) -> int:
    if bool(options.names) == options.all:
        raise MisuseError("name the checkpoints to train, or give --all; `splitzoo list` has them")
    device = pick_device(options.device)
    destination = FOLDER if options.adopt else options.out
    names = options.names or [
        name for name in trainable() if not is_finished(name, _record(name, options))
    ]
    for name in names:
        trained = train(name, device, before=lambda: ensure_writable(destination))
        record = write(name, trained, destination)
        if options.adopt:
            add_record(record)
            write_card(record)
        else:
            text = json.dumps(asdict(record), indent=2, ensure_ascii=False) + "\n"
            write_text((destination / name).with_suffix(".json"), text)
        reached = ", ".join(f"{key} {value}" for key, value in record.reached.items())
        print(f"{name}: {reached}", file=sys.stderr)
        print(destination / record.file, flush=True)
    return 0


def _record(name: str, options: Namespace) -> Record | None:
    """The record of a checkpoint as it stands where this run would write it."""
    if options.adopt:
        return manifest().records.get(name)
    path = options.out / f"{name}.json"
    if not path.is_file() or not (options.out / f"{name}.safetensors").is_file():
        return None
    return Record(**json.loads(path.read_text("utf-8")))
