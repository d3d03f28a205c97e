"""`splitzoo info NAME`: a checkpoint's record, and whether its file is whole."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from ...zoo import manifest
from ...zoo.cards import card
from ...zoo.loading import read_published, resolve


def add(parser: ArgumentParser) -> None:
    parser.add_argument("--card", action="store_true", help="print its model card instead")
    parser.add_argument("name", metavar="NAME", help="a checkpoint of `splitzoo list`")


def run(options: Namespace) -> int:
    record = manifest().get(options.name)
    if options.card:
        print(card(record), end="")
        return 0
    print(json.dumps(asdict(record), indent=2, ensure_ascii=False))
    tensors = read_published(record, record.architecture)
    parameters = sum(tensor.numel() for tensor in tensors.values())
    print(f"{resolve(record)}: verified, {parameters:,} parameters in {len(tensors)} tensors")
    return 0
