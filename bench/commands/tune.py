"""`splitzoo tune`: choose one field of an attack on training images."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from dataclasses import fields

from ...attacks.tuned import CRITERIA, end_of
from ...zoo.errors import MisuseError, UnknownNameError
from .options import add_device, add_only, finite_numbers, whole_number


def add(parser: ArgumentParser) -> None:
    parser.add_argument("attack", metavar="ATTACK", help="an attack of `splitzoo list`")
    add_only(parser)
    parser.add_argument(
        "--field", default="tv_weight", help="the hyperparameter to choose (default: %(default)s)"
    )
    parser.add_argument(
        "--grid",
        type=finite_numbers,
        default=[],
        metavar="A,B,…",
        help="the values to try, e.g. 0.1,1,10; a grid whose best value is its end is carried on",
    )
    parser.add_argument(
        "--per-class",
        type=whole_number(1, 5000),  # no class of either data set has fewer
        default=2,
        metavar="N",
        help="training images a class (default: %(default)s)",
    )
    parser.add_argument(
        "--criterion",
        default="psnr",
        choices=CRITERIA,
        help="which mean decides; where next to nothing is recovered, PSNR prefers a flat image "
        "and SSIM what there is to see (default: %(default)s)",
    )
    parser.add_argument(
        "--go-on",
        action="store_true",
        help="begin with the curve in attacks/tuned.json where nothing it rests on has changed",
    )
    add_device(parser)
    parser.epilog = (
        "The value with the highest mean is written into attacks/tuned.json with the whole\n"
        "curve, unless it is still an end of the grid after eight values beyond. A row whose\n"
        "setting does not grant what was used here, true features of training images, is marked\n"
        '"oracle λ". Evaluation images are test images and are never used here.'
    )


def run(options: Namespace) -> int:
    from ...attacks import get_attack
    from ...zoo import pick_device
    from ..referee.plan import chosen_runs
    from ..referee.tuning import ensure_tunable, keep, tune

    known = [field.name for field in fields(get_attack(options.attack))]
    if options.field not in known:
        raise UnknownNameError(f"field of {options.attack}", options.field, known)
    if not options.grid and not options.go_on:
        raise MisuseError("give the values to try with --grid, or --go-on to continue a curve")
    device = pick_device(options.device)
    runs = chosen_runs(options.only, [options.attack])
    for planned in runs:
        planned.check()
        value = getattr(planned.configure(), options.field)
        if not isinstance(value, float) and (options.field, value) != ("tv_weight", None):
            raise MisuseError(f"{options.field} is not a real number; only those can be tuned")
    ensure_tunable()
    unfinished = []
    for where in (planned.scenario for planned in runs):
        chosen = tune(
            options.attack,
            where,
            options.field,
            options.grid,
            per_class=options.per_class,
            device=device,
            criterion=options.criterion,
            go_on=options.go_on,
        )
        keep(options.attack, where, options.field, chosen)
        if end_of(chosen):
            unfinished.append(where.key)
        print(f"{where.key}: {options.field} {chosen.value:g}", file=sys.stderr)
    if unfinished:
        print(
            f"splitzoo: error: the best value is still an end of the grid at "
            f"{', '.join(unfinished)}; run again with --go-on, or a --grid that steps further",
            file=sys.stderr,
        )
    return 1 if unfinished else 0
