"""`splitzoo info NAME`: a checkpoint's record, and whether its file is whole."""

from __future__ import annotations

import json
import math
from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from ...zoo.cards import card
from ...zoo.manifests import manifest
from ...zoo.records import Record
from ...zoo.words import duration
from .options import add_device


def add(parser: ArgumentParser) -> None:
    parser.add_argument("--card", action="store_true", help="print its model card instead")
    parser.add_argument(
        "--estimate",
        action="store_true",
        help="train ten steps of it, keep nothing, and say how long the whole would take here",
    )
    add_device(parser)
    parser.add_argument(
        "name", metavar="NAME", help="a checkpoint of `splitzoo list`, or an entry of torch.hub"
    )


def run(options: Namespace) -> int:
    from ...zoo.loading import read_published, record_and_split

    record, split = record_and_split(manifest().records, options.name, "splitzoo list")
    if options.card:
        print(card(record), end="")
        return 0
    from ...zoo.resolving import resolve

    print(json.dumps(asdict(record), indent=2, ensure_ascii=False))
    tensors = read_published(record, record.architecture)
    parameters = sum(tensor.numel() for tensor in tensors.values())
    print(f"{resolve(record)}: verified, {parameters:,} parameters in {len(tensors)} tensors")
    print(f"its training {what_it_took(record)}")
    if split:
        from ...zoo.by_name import Published

        shape = Published(record.name, split).feature_shape
        print(
            f"{options.name} is {record.name} with its edge up to {split}, which sends features "
            f"N×{'×'.join(map(str, shape))}, {math.prod(shape):,} numbers an image"
        )
    elif options.name != record.name:
        print(f"{options.name} is {record.name}, its weights by default")
    if options.estimate:
        from ...zoo import describe_device, pick_device, pick_precision
        from ..referee.offline import estimate

        device = pick_device(options.device)
        seconds = estimate(record.name, device)
        where = f"in {pick_precision('auto', device)} on {describe_device(device)}"
        print(f"here it would take {duration(seconds)} {where}, by ten steps measured now")
    return 0


def what_it_took(record: Record) -> str:
    """How long a checkpoint's training took, in which precision and on what."""
    training = record.training
    seconds = training.get("seconds")
    took = f"took {duration(seconds)}" if seconds is not None else "took an unrecorded time"
    return f"{took} in {training['precision']} on {training['device']}"
