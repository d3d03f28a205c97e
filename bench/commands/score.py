"""`splitzoo score`: take every metric anew from the stored images."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from ...zoo import ResultError
from ..runner import rescore
from ..store import PUBLISHED
from .options import LOCAL_RESULTS, add_profile, add_results, store_of, warn


def add(parser: ArgumentParser) -> None:
    add_profile(parser, "standard")
    add_results(parser, PUBLISHED if PUBLISHED.is_dir() else LOCAL_RESULTS)
    parser.epilog = (
        "What an attack recovered is stored in 8 bits, and that is what is scored: no attack runs\n"
        "again for a new metric, or a new judge. A result whose scores are right is left as it\n"
        "is. `splitzoo leaderboard` renders the page afterwards."
    )


def run(options: Namespace) -> int:
    store = store_of(options)
    contents = store.contents(options.profile)
    warn(contents.skipped)
    if not contents.results:
        raise store.nothing("results", options.profile)
    changed, unusable = 0, 0
    for result in contents.results:
        try:
            again = rescore(result, store)
        except ResultError as error:
            unusable += 1
            print(f"splitzoo: {error}", file=sys.stderr)
            continue
        if again is not result:
            changed += 1
            print(f"{store.path_of(result)}: scored anew", file=sys.stderr)
    print(f"{len(contents.results)} results, {changed} scored anew, {unusable} unusable")
    return 1 if unusable else 0
