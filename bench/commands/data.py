"""`splitzoo data`: fetch the data sets ahead of time."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace


def add(parser: ArgumentParser) -> None:
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="any of mnist, cifar10, … (default: all)"
    )
    parser.epilog = (
        "Training and tuning need the data sets; benchmarking does not, since the evaluation\n"
        "images come with the package. They are cached in $SPLITZOO_CACHE (~/.cache/splitzoo)."
    )


def run(options: Namespace) -> int:
    from ...zoo import all_datasets, get_dataset, load_dataset
    from ...zoo.data import fetch_dataset

    for name in options.names or all_datasets():
        get_dataset(name)
        path = fetch_dataset(name)
        counts = [len(load_dataset(name, part)) for part in ("train", "test")]
        print(f"{name}: {counts[0]} training and {counts[1]} test images, verified, in {path}")
    return 0
