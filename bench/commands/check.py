"""`splitzoo check`: try an attack on tiny targets before it is submitted."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, Namespace
from typing import TextIO

from .options import duration

#: Seconds that all checks together may take.
CHECKED_WITHIN = 300.0


def add(parser: ArgumentParser) -> None:
    parser.add_argument(
        "attack",
        metavar="FILE.py:CLASS|NAME",
        help="a file and the class in it, or an attack of `splitzoo list`",
    )
    parser.add_argument(
        "--time-limit",
        type=duration,
        default=CHECKED_WITHIN,
        metavar="TIME",
        help="what all checks together may take, e.g. 90s, 30m (default: 5m)",
    )
    parser.epilog = (
        "Each check is one line: what holds, or what was found and what to do about it. The\n"
        "targets have a few hundred numbers, and the attack runs with its defaults but for the\n"
        "fields that it states in `brief`, in a worker of its own.\n\n"
        "  splitzoo check my_attack.py:MyAttack\n\n"
        "exit status: 0 if every check passed, 1 otherwise"
    )


def run(options: Namespace) -> int:
    from ..referee.outside import ensure_named

    ensure_named(options.attack)
    return 0 if passes(options.attack, options.time_limit, sys.stdout) else 1


def passes(reference: str, seconds: float, file: TextIO) -> bool:
    """Run the battery, a line for each check on `file`; whether all passed."""
    from ..referee.checking import check_apart
    from ..referee.workers import Limits, absolute

    started, outcomes = time.monotonic(), []

    def say(check: str) -> None:  # until its finding takes the line's place
        if file.isatty():
            print(f"… {check:<24}", end="\r", file=file, flush=True)

    for finding in check_apart(absolute(reference), Limits(seconds=seconds), say):
        shown = "FAILED" if finding.outcome == "failed" else finding.outcome
        print(f"{shown:<9} {finding.check:<13} {finding.line}", file=file, flush=True)
        outcomes.append(finding.outcome)
    failed = outcomes.count("failed")
    took = time.monotonic() - started
    print(f"{len(outcomes)} checks, {failed or 'none'} failed, in {took:.0f} s", file=file)
    return failed == 0
