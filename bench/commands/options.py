"""Options that several subcommands share.

Commands import what they run inside `run`, so that their `--help` need not wait for torch.
"""

from __future__ import annotations

import math
import re
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ...zoo.choices import DEVICES
from ..secrets import PROFILES
from ..store import PUBLISHED

if TYPE_CHECKING:
    from ..store.folder import ResultStore

LOCAL_RESULTS = Path("splitzoo-results")


def folder(text: str) -> Path:
    """An option's type: a folder that is there, or that can be made where it is not."""
    path = Path(text)
    with suppress(OSError, ValueError):  # a path that cannot be is refused on its first use
        for each in (path, *path.parents):
            if each.is_dir():
                break
            if each.exists():
                raise ArgumentTypeError(f"{each} is a file; choose a folder")
    return path


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """An option's type: the whole numbers from `low` to `high`, in plain digits."""

    def parse(text: str) -> int:
        if re.fullmatch("[0-9]{1,19}", text) and low <= int(text) <= high:
            return int(text)
        raise ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")

    return parse


def finite_numbers(text: str) -> list[float]:
    """An option's type: one number or more, joined by commas."""
    with suppress(ValueError):
        numbers = [float(part) for part in text.split(",")]
        if all(map(math.isfinite, numbers)):
            return numbers
    raise ArgumentTypeError(f"{text!r} is not finite numbers joined by commas, e.g. 0.1,1,10")


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
        type=folder,
        default=default,
        metavar="DIR",
        help="folder of the stored results (default: %(default)s)",
    )


def add_seed(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--seed",
        type=whole_number(0, 2**63 - 1),
        default=0,
        metavar="N",
        help="seed of the attack, a whole number; with another than 0 a network that the attack "
        "learns is trained for it, since the published ones are of seed 0 (default: 0)",
    )


def store_of(options: Namespace) -> ResultStore:
    """The store that --results names. UnknownNameError where there is no such --profile."""
    from ..secrets.evaluation import check_profile
    from ..store.folder import ResultStore

    check_profile(options.profile)
    return ResultStore(options.results)


def published_or_local() -> Path:
    """The repository's own results where they are there, else those of `splitzoo bench`."""
    return PUBLISHED if PUBLISHED.is_dir() else LOCAL_RESULTS


def warn(lines: Iterable[str]) -> None:
    """A warning on standard error for each line."""
    for line in lines:
        print(f"splitzoo: warning: {line}", file=sys.stderr)


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
