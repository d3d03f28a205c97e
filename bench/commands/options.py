"""Options that several subcommands share.

Commands import what they run inside `run`, so that their `--help` need not wait for torch.
"""

from __future__ import annotations

import json
import math
import re
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...zoo.choices import DEVICES
from ..secrets import PROFILES
from ..store import PUBLISHED

if TYPE_CHECKING:
    from ..referee.workers import Limits
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


def assignment(text: str) -> tuple[str, Any]:
    """An option's type: NAME=VALUE, the value a number, true, false, null or a word."""
    name, equals, value = text.partition("=")
    if not (equals and name.isidentifier()):
        raise ArgumentTypeError(f"{text!r} is not NAME=VALUE, e.g. tv_weight=0.3")
    try:
        parsed = json.loads(value)
    except ValueError:
        return name, value
    if isinstance(parsed, dict | list):
        raise ArgumentTypeError(f"{value!r} is no number, word, true, false or null")
    return name, parsed


def add_outside(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--attack",
        action="append",
        default=[],
        metavar="FILE.py:CLASS|NAME",
        help="an attack from outside whose rows count too, as `splitzoo submit` took it; may be "
        "given again",
    )


def bring_outside(options: Namespace) -> None:
    """Let the attacks that `add_outside` names join the catalogue."""
    if options.attack:
        from ..referee.outside import stand_in

        for reference in options.attack:
            stand_in(reference)


def add_fields(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--field",
        action="append",
        default=[],
        type=assignment,
        metavar="NAME=VALUE",
        help="a hyperparameter of the attack, e.g. tv_weight=0.3, released=null; its row stands "
        "beside the default's; may be given again",
    )


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
        help="which test images: the paper's ten, ten of each class, or a hundred of each, the "
        "whole reserve, which fresh draws are taken from (default: %(default)s)",
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


def duration(text: str) -> float:
    """An option's type: seconds, as 90s, 30m, 2h or a plain number."""
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)([smh]?)", text)
    if found and float(found[1]) > 0:
        return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]
    raise ArgumentTypeError(f"{text!r} is no time above nought, e.g. 90s, 30m or 2h")


def add_limits(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--time-limit",
        type=duration,
        default=3600.0,
        metavar="TIME",
        help="what a worker may take for a scenario, e.g. 90s, 30m, 2h (default: 1h)",
    )
    parser.add_argument(
        "--memory-limit",
        type=whole_number(1, 4096),
        default=16,
        metavar="GIB",
        help="what memory a worker may take, on a CPU (default: 16)",
    )
    parser.add_argument(
        "--query-limit",
        type=whole_number(0, 2**53),
        default=1_000_000,
        metavar="N",
        help="images that a worker may send to the victim's edge (default: a million)",
    )


def limits_of(options: Namespace) -> Limits:
    """What the options of `add_limits` say."""
    from ..referee.workers import Limits

    return Limits(options.time_limit, options.memory_limit << 30, options.query_limit)


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
