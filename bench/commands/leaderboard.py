"""`splitzoo leaderboard`: render the page from stored results, check it, or give the numbers."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from ...zoo.errors import UnknownNameError
from .options import (
    add_outside,
    add_profile,
    add_results,
    bring_outside,
    published_or_local,
    store_of,
    warn,
)

if TYPE_CHECKING:
    from ..store.folder import ResultStore

FORMATS = ("markdown", "csv", "json")


def add(parser: ArgumentParser) -> None:
    add_profile(parser, "standard")
    add_results(parser, published_or_local())
    add_outside(parser)
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; recompute every score from the stored images, and exit 1 if one is "
        "wrong, or if the page, a result, a checkpoint or the note of what a picture was drawn "
        "from is out of date",
    )
    parser.add_argument(
        "--format",
        default="markdown",
        metavar="|".join(FORMATS),
        help="markdown writes the page; csv and json print every value of every image, a row "
        "each, as `splitzoo.bench.load_results()` gives them (default: markdown)",
    )


def run(options: Namespace) -> int:
    from ..report.leaderboard import write_leaderboard
    from ..report.rows import as_text, load_results
    from ..report.standing import standing

    store = store_of(options)
    if options.format not in FORMATS:
        raise UnknownNameError("format", options.format, FORMATS)
    bring_outside(options)
    if options.check:
        return _check(store, options.profile)
    warn(standing(store, options.profile).left_out)
    if options.format == "markdown":
        print(write_leaderboard(store, options.profile))
    else:
        table = load_results(options.results, options.profile)
        print(as_text(table, options.format), end="")
    return 0


def _check(store: ResultStore, profile: str) -> int:
    from ..report.checks import outdated

    problems = outdated(store, profile)
    for problem in problems:
        print(f"splitzoo: {problem}", file=sys.stderr)
    if problems:
        print("splitzoo: run `splitzoo bench` or `splitzoo leaderboard`", file=sys.stderr)
        return 1
    count = len(store.contents(profile).results)
    print(f"{count} results: every score recomputed from its images; the page is up to date")
    return 0
