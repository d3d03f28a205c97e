"""`splitzoo figures`: draw the paper's figures from stored results."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from ...zoo.files import ensure_writable
from .options import add_profile, add_results, published_or_local, store_of, warn


def add(parser: ArgumentParser) -> None:
    add_profile(parser, "standard")
    add_results(parser, published_or_local())
    parser.epilog = (
        "Figures 3 to 10 are grids of the paper's ten images and what came back of each, Figure\n"
        "11 one for every layer of LeNet, Figure 12 a line of its plot, which has one for each\n"
        "attack that was run behind every layer. A picture that was drawn from the same results\n"
        "is kept. `splitzoo bench` and `splitzoo leaderboard` draw them too."
    )


def run(options: Namespace) -> int:
    from ..report.figures import draw, pictures
    from ..report.rows import rows
    from ..report.standing import standing

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
