"""`splitzoo score`: take every metric anew from the stored images."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from ...zoo.errors import ResultError
from .options import add_profile, add_results, published_or_local, store_of, warn


def add(parser: ArgumentParser) -> None:
    add_profile(parser, "standard")
    add_results(parser, published_or_local())
    parser.epilog = (
        "What an attack recovered is stored in 8 bits, and that is what is scored: no attack runs\n"
        "again for a new metric, or a new judge. A result whose scores are right is left as it\n"
        "is. `splitzoo leaderboard` renders the page afterwards."
    )


def run(options: Namespace) -> int:
    from ..referee.runs import rescore

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
