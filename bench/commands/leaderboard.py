"""`splitzoo leaderboard`: render the page from stored results, check it, or give the numbers."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from ...zoo import UnknownNameError
from ..checks import outdated
from ..leaderboard import write_leaderboard
from ..rows import FORMATS, as_text, load_results
from ..standing import standing
from ..store import PUBLISHED, ResultStore
from .options import LOCAL_RESULTS, add_profile, add_results, store_of, warn


def add(parser: ArgumentParser) -> None:
    add_profile(parser, "standard")
    add_results(parser, PUBLISHED if PUBLISHED.is_dir() else LOCAL_RESULTS)
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
    store = store_of(options)
    if options.format not in FORMATS:
        raise UnknownNameError("format", options.format, FORMATS)
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
    problems = outdated(store, profile)
    for problem in problems:
        print(f"splitzoo: {problem}", file=sys.stderr)
    if problems:
        print("splitzoo: run `splitzoo bench` or `splitzoo leaderboard`", file=sys.stderr)
        return 1
    count = len(store.contents(profile).results)
    print(f"{count} results: every score recomputed from its images; the page is up to date")
    return 0
