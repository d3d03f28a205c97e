"""`splitzoo score`: take every metric anew from the stored images."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from ...zoo import PROFILES, ResultError, UnknownNameError
from ..runner import rescore
from ..store import PUBLISHED, ResultStore
from .options import LOCAL_RESULTS, add_profile, add_results


def add(parser: ArgumentParser) -> None:
    add_profile(parser, "standard")
    add_results(parser, PUBLISHED if PUBLISHED.is_dir() else LOCAL_RESULTS)
    parser.epilog = (
        "What an attack recovered is stored in 8 bits, and that is what is scored: no attack runs\n"
        "again for a new metric, or a new judge. A result whose scores are right is left as it\n"
        "is. `splitzoo leaderboard` renders the page afterwards."
    )


def run(options: Namespace) -> int:
    if options.profile not in PROFILES:
        raise UnknownNameError("profile", options.profile, PROFILES)
    store = ResultStore(options.results)
    contents = store.contents(options.profile)
    for line in contents.skipped:
        print(f"splitzoo: warning: {line}", file=sys.stderr)
    if not contents.results:
        raise ResultError(
            f"{store.folder} holds no results of profile {options.profile}; run "
            f"`splitzoo bench --profile {options.profile}` first"
        )
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
