"""`splitzoo verify`: run stored rows again, and say whether they are borne out."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from ...zoo.errors import MisuseError
from .options import (
    add_device,
    add_limits,
    add_only,
    add_outside,
    add_profile,
    add_results,
    bring_outside,
    limits_of,
    published_or_local,
    store_of,
    warn,
    whole_number,
)

if TYPE_CHECKING:
    from ..referee.verification import Check
    from ..store.folder import ResultStore
    from ..store.result import Result

SEEDS = whole_number(0, 2**31 - 1)


def add(parser: ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="*", type=Path, metavar="RESULT.json", help="results, in place of --only"
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--whole", action="store_true", help="run all images of a row again")
    how.add_argument(
        "--sample",
        type=whole_number(2, 10_000),
        default=10,
        metavar="N",
        help="run N of its images again (default: 10)",
    )
    how.add_argument(
        "--fresh-draw",
        type=SEEDS,
        metavar="SEED",
        help="attack images that nobody has seen, out of the reserve: does the row's score "
        "generalise?",
    )
    how.add_argument(
        "--fresh-target",
        type=SEEDS,
        metavar="SEED",
        help="train the target anew from another seed and attack that, which finds out an attack "
        "that carries the public one's weights; LeNet only, the others take hours",
    )
    parser.add_argument(
        "--count",
        type=whole_number(2, 1000),
        default=40,
        metavar="N",
        help="images of --fresh-draw and --fresh-target (default: 40)",
    )
    add_profile(parser, "standard")
    add_only(parser)
    add_results(parser, published_or_local())
    add_outside(parser)
    add_device(parser)
    add_limits(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="say what is found and store nothing"
    )
    parser.epilog = (
        "Each row runs in a worker of its own with its recorded seed and fields. The means of the\n"
        "same images may differ by 0.5 dB and 0.02 SSIM, and above 45 dB at will; public images\n"
        "may come out better than fresh ones by 1.5 joint 95 % intervals. What was found is\n"
        "stored with the result, beside what it reports.\n\n"
        "Fresh images come from the reserve, which profile full attacks whole: they are fresh\n"
        "only where nobody chose anything by results of that profile, and a row of it has none.\n\n"
        "  splitzoo verify --only lenet --whole\n"
        "  splitzoo verify --only inverse_network --fresh-draw 7\n"
        "  splitzoo verify --only lenet/conv1 --fresh-target 1\n\n"
        "exit status: 0 all are borne out, 1 one is not"
    )


def run(options: Namespace) -> int:
    from ...zoo import pick_device
    from ..referee.verification import keep, verify

    store, device = store_of(options), pick_device(options.device)
    check, limits = check_of(options), limits_of(options)
    bring_outside(options)
    results = chosen(options, store)
    borne_out = True
    for number, result in enumerate(results, start=1):
        name = f"{result.where.key} {result.label}"
        print(f"[{number}/{len(results)}] {name} …", file=sys.stderr, flush=True)
        if check.how == "fresh_draw" and is_known_whole(result, store):
            warn([f"{name} has met these images in profile full: they are fresh to nobody"])
        found = verify(result, check, device, limits)
        borne_out = borne_out and found.agrees
        verdict = "borne out" if found.agrees else "NOT BORNE OUT"
        print(f"{name}: {verdict} ({found.how.replace('_', ' ')}): {found.note}", flush=True)
        if not options.dry_run:
            keep(result, found, store)
    if not options.dry_run:
        print("\nthe leaderboard shows it after `splitzoo leaderboard`")
    return 0 if borne_out else 1


def is_known_whole(result: Result, store: ResultStore) -> bool:
    """Whether the row stands there for profile full too, whose images fresh draws come from."""
    return store.path(result.where.on("full"), result.label, result.seed).is_file()


def check_of(options: Namespace) -> Check:
    """What the options ask for."""
    from ..referee.verification import Check

    if options.fresh_draw is not None:
        return Check("fresh_draw", options.fresh_draw, options.count)
    if options.fresh_target is not None:
        return Check("fresh_target", options.fresh_target, options.count)
    return Check("whole") if options.whole else Check("sample", 0, options.sample)


def chosen(options: Namespace, store: ResultStore) -> list[Result]:
    """The results that are named, or that --only chooses among those that count.

    UnknownNameError where none has the words; MisuseError for a file outside the store.
    """
    from ..referee.plan import select
    from ..referee.runs import run_of
    from ..report.standing import standing

    results = [each for each in standing(store, options.profile).results if not each.failure]
    if not options.files:
        if not results:
            raise store.nothing("current results", options.profile)
        by_run = {run_of(result): result for result in results}
        return [by_run[each] for each in select(options.only, list(by_run))]
    paths = {store.path_of(result).resolve(): result for result in results}
    found = []
    for path in options.files:
        if path.resolve() not in paths:
            raise MisuseError(
                f"{path} is no current result of profile {options.profile} in {store.folder}; "
                "--results and --profile say where it stands"
            )
        found.append(paths[path.resolve()])
    return found
