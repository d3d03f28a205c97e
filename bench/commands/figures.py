"""`splitzoo figures`: draw the paper's figures from stored results."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from ...zoo.files import ensure_writable
from ..figures import draw, pictures
from ..rows import rows
from ..standing import standing
from ..store import PUBLISHED
from .options import LOCAL_RESULTS, add_profile, add_results, store_of, warn


def add(parser: ArgumentParser) -> None:
    add_profile(parser, "standard")
    add_results(parser, PUBLISHED if PUBLISHED.is_dir() else LOCAL_RESULTS)
    parser.epilog = (
        "Figures 3 to 10 are grids of the paper's ten images and what came back of each, Figure\n"
        "11 one for every layer of LeNet, Figure 12 its plot. A picture that was drawn from the\n"
        "same results is kept. `splitzoo bench` and `splitzoo leaderboard` draw them too."
    )


def run(options: Namespace) -> int:
    store = store_of(options)
    found = standing(store, options.profile)
    warn(found.left_out)
    results = rows(found.results)
    if not results:
        raise store.nothing("results", options.profile)
    ensure_writable(store.figures(options.profile))
    for picture in pictures(store, results):
        print(f"{draw(store, picture)}: {picture.title}")
    return 0
