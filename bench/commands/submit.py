"""`splitzoo submit`: run an attack from outside on every scenario that allows it."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from ...zoo.errors import MisuseError, SplitzooError
from ...zoo.files import ensure_writable
from .check import CHECKED_WITHIN, passes
from .options import (
    LOCAL_RESULTS,
    add_device,
    add_fields,
    add_limits,
    add_only,
    add_profile,
    add_results,
    add_seed,
    limits_of,
    store_of,
)

TEMPLATE = Path(__file__).with_name("my_attack.py.txt")


def add(parser: ArgumentParser) -> None:
    parser.add_argument(
        "attack",
        nargs="?",
        metavar="FILE.py:CLASS|NAME",
        help="a file and the class in it, or the name under which an installed package brings it",
    )
    parser.add_argument(
        "--template", action="store_true", help="print a small attack that runs, to start from"
    )
    add_profile(parser, "paper10")
    add_only(parser)
    add_fields(parser)
    add_results(parser, LOCAL_RESULTS)
    add_seed(parser)
    add_device(parser)
    add_limits(parser)
    parser.add_argument("--fresh", action="store_true", help="run again what is current already")
    parser.epilog = (
        "It is checked first, as by `splitzoo check`, and one that fails is not submitted.\n\n"
        "The attack runs in a worker of its own, which holds what the setting grants and nothing\n"
        "else: no secret image, no target's checkpoint and no network where this system has\n"
        "bubblewrap or user namespaces, which each result says. A crash, a time-out, NaN, a wrong\n"
        "shape or a grasp at what was not granted is stored as that scenario's outcome, and the\n"
        "rest goes on.\n\n"
        "  splitzoo submit --template > my_attack.py\n"
        "  splitzoo check my_attack.py:MyAttack\n"
        "  splitzoo submit my_attack.py:MyAttack --only white_box/lenet --field steps=500\n"
        "  splitzoo submit my_attack.py:MyAttack --profile standard\n\n"
        "CONTRIBUTING says what a pull request with the results must contain."
    )


def run(options: Namespace) -> int:
    if options.template:
        sys.stdout.write(TEMPLATE.read_text("utf-8"))
        return 0
    if options.attack is None:
        raise MisuseError("name the attack as FILE.py:CLASS; `splitzoo submit --template` has one")
    from ...zoo import pick_device
    from ..engines.here import carry_out_all
    from ..referee.outside import stand_in
    from ..referee.plan import chosen_runs, on_profile
    from ..referee.sandbox import sandbox
    from ..report.beside import beside_the_best

    store, device = store_of(options), pick_device(options.device)
    attack = stand_in(options.attack)
    runs = on_profile(
        chosen_runs(options.only, [attack.name]),
        options.profile,
        seed=options.seed,
        overrides=tuple(options.field),
    )
    for planned in runs:
        planned.check()
    ensure_writable(store.folder)
    if not passes(options.attack, CHECKED_WITHIN, sys.stderr):
        raise SplitzooError(
            f"{attack.name} is not submitted: repair what FAILED, and try it with "
            f"`splitzoo check {options.attack}`"
        )
    results = carry_out_all(runs, store, device, fresh=options.fresh, limits=limits_of(options))
    print("\n" + beside_the_best(results))
    print(f"\nresults:  {store.folder / options.profile}\nisolated: {sandbox().described}")
    return 1 if any(result.failure is not None for result in results) else 0
