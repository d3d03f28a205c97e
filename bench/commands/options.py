"""Options that several subcommands share."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

from ...zoo import DEVICES, PROFILES

LOCAL_RESULTS = Path("splitzoo-results")


def add_device(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--device",
        default="auto",
        metavar="|".join(DEVICES),
        help="where to compute; auto is a CUDA device where there is one (default: auto)",
    )


def add_profile(parser: ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--profile",
        default=default,
        metavar="|".join(PROFILES),
        help="which test images: the paper's ten, or ten of each class (default: %(default)s)",
    )


def add_results(parser: ArgumentParser, default: Path) -> None:
    parser.add_argument(
        "--results",
        type=Path,
        default=default,
        metavar="DIR",
        help="folder of the stored results (default: %(default)s)",
    )


def add_only(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="WORDS",
        help="only cells with all these words joined by '/', each a setting or its family "
        "(white_box, black_box, query_free), a network, a split or an attack, e.g. lenet, "
        "query_free/cifar_cnn/relu22; may be given again",
    )
