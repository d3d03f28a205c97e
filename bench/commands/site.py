"""`splitzoo site`: the stored results as a web site."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from ...zoo.files import ensure_writable
from .options import (
    add_outside,
    add_profile,
    add_results,
    bring_outside,
    folder,
    published_or_local,
    store_of,
    warn,
)


def add(parser: ArgumentParser) -> None:
    parser.add_argument(
        "out", type=folder, metavar="OUT", help="folder that the site is written to"
    )
    add_profile(parser, "standard")
    add_results(parser, published_or_local())
    add_outside(parser)
    parser.epilog = (
        "Open OUT/index.html from disk, or let any web server hand out the folder, e.g. GitHub\n"
        "Pages. Pages of an earlier site there are replaced."
    )


def run(options: Namespace) -> int:
    from ..report.standing import standing
    from ..site.write import write_site

    store = store_of(options)
    bring_outside(options)
    warn(standing(store, options.profile).left_out)
    out: Path = options.out
    ensure_writable(out)
    print(write_site(store, options.profile, out))
    return 0
