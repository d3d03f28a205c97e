"""`splitzoo leaderboard`: render the page from stored results, or check it."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from ...zoo import PROFILES, UnknownNameError
from ..leaderboard import outdated, stale, write_leaderboard
from ..results import PUBLISHED, ResultStore
from .options import LOCAL_RESULTS, add_profile, add_results


def add(parser: ArgumentParser) -> None:
    add_profile(parser, "standard")
    add_results(parser, PUBLISHED if PUBLISHED.is_dir() else LOCAL_RESULTS)
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; exit 1 if the page, a picture or a result is out of date",
    )


def run(options: Namespace) -> int:
    if options.profile not in PROFILES:
        raise UnknownNameError("profile", options.profile, PROFILES)
    store = ResultStore(options.results)
    if not options.check:
        for warning in stale(store, options.profile):
            print(f"splitzoo: warning: {warning}; run `splitzoo bench`", file=sys.stderr)
        print(write_leaderboard(store, options.profile))
        return 0
    problems = outdated(store, options.profile)
    for problem in problems:
        print(f"splitzoo: {problem}", file=sys.stderr)
    if problems:
        print("splitzoo: run `splitzoo bench` or `splitzoo leaderboard`", file=sys.stderr)
    return 1 if problems else 0
