"""`splitzoo data`: fetch the data sets ahead of time."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from ...zoo import DATASETS, UnknownNameError, load_dataset
from ...zoo.data import fetch_dataset


def add(parser: ArgumentParser) -> None:
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"any of {', '.join(DATASETS)} (default: all)"
    )
    parser.epilog = (
        "Training and tuning need the data sets; benchmarking does not, since the evaluation\n"
        "images come with the package. They are cached in $SPLITZOO_CACHE (~/.cache/splitzoo)."
    )


def run(options: Namespace) -> int:
    for name in options.names or DATASETS:
        if name not in DATASETS:
            raise UnknownNameError("data set", name, DATASETS)
        path = fetch_dataset(name)
        counts = [len(load_dataset(name, part)) for part in ("train", "test")]
        print(f"{name}: {counts[0]} training and {counts[1]} test images, verified, in {path}")
    return 0
