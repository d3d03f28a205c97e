"""`splitzoo train`: make checkpoints by their published recipes."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path

from ...zoo.cards import write_card
from ...zoo.choices import PRECISIONS
from ...zoo.errors import MisuseError
from ...zoo.files import ensure_writable, write_text
from ...zoo.manifests import FOLDER, add_record, manifest, read_record
from ...zoo.records import Record
from .info import what_it_took
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
    parser.add_argument(
        "--precision",
        default="auto",
        metavar="|".join(PRECISIONS),
        help="of forward and backward passes; auto is bfloat16 where the device computes it "
        "natively and float32 elsewhere, where bfloat16 is many times slower (default: auto)",
    )
    parser.epilog = (
        "Progress is kept after every epoch in the cache folder ($SPLITZOO_CACHE): a run that was\n"
        "interrupted goes on, and ends in the same weights as one that was not. After ten steps\n"
        "each training says how long it will take here. With --all, what is finished by the\n"
        "present recipe, of the present target, is skipped. Load the result with load_split,\n"
        "load_inverse, load_shadow or load_judge and path='checkpoints/NAME.safetensors'."
    )


def run(options: Namespace) -> int:
    if bool(options.names) == options.all:
        raise MisuseError("name the checkpoints to train, or give --all; `splitzoo list` has them")
    from ...zoo import describe_device, pick_device, pick_precision
    from ..referee.offline import is_finished, progress_path, train, trainable, write

    device = pick_device(options.device)
    precision = pick_precision(options.precision, device)
    print(f"training in {precision} on {describe_device(device)}", file=sys.stderr)
    destination = FOLDER if options.adopt else options.out
    for name in options.names or trainable():
        # Asked anew each time: a target that was just retrained leaves its networks behind.
        if options.all and is_finished(name, _record(name, options)):
            continue
        _say_what_it_took(name)
        trained = train(
            name, device, precision=precision, before=lambda: ensure_writable(destination)
        )
        record = write(name, trained, destination)
        if options.adopt:
            add_record(record)
            write_card(record)
        else:
            text = json.dumps(asdict(record), indent=2, ensure_ascii=False) + "\n"
            write_text((destination / name).with_suffix(".json"), text)
        progress_path(name).unlink(missing_ok=True)  # the network is stored
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
    return read_record(path)


def _say_what_it_took(name: str) -> None:
    """How long the published one took, before the first steps tell how long it takes here."""
    if name in manifest().records:
        print(f"{name}: the published one {what_it_took(manifest().get(name))}", file=sys.stderr)
