"""What an audit's budget suffices for."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ...zoo import MisuseError
from ...zoo.words import duration
from .attackers import least_seconds
from .cuts import Cut, Subject, spaced
from .pace import Stopwatch

#: What of a budget is planned with: measuring, scoring and reports take the rest.
PLANNED = 0.9
#: How many times the least that an attack takes a cut is given, where the user names none.
DECENT = 8


@dataclass
class Clock:
    """What is left of a budget. `spent` are seconds of an earlier run whose cuts are kept."""

    budget: float
    began: float
    spent: float = 0.0

    def left(self) -> float:
        return max(0.0, self.budget - self.spent - (time.perf_counter() - self.began))


def affordable(
    subject: Subject, names: Sequence[str], clock: Clock, *, named: bool, finished: bool
) -> tuple[list[str], list[str]]:
    """The cuts that the time suffices for, evenly spaced, and what is said of the others.

    Cuts that the user `named` are attacked if there is time for anything at all. MisuseError where
    there is not, unless others are `finished`.
    """
    if not names:
        return [], []
    watch = Stopwatch(subject.device)
    least = max(least_seconds(Cut(subject, subject.target(at), 0)) for at in (names[0], names[-1]))
    least *= watch.crowding
    decent = max(1e-3, least * (1 if named else DECENT))
    count = int(PLANNED * clock.left() / decent)
    if not count and PLANNED * clock.left() >= least:
        count = 1
    if not count and not finished:
        needs = 1.5 * (least + clock.budget - clock.left())
        raise MisuseError(
            f"a budget of {_said(clock.budget)} does not suffice for one attack at "
            f"{names[-1]}; give --budget of {_said(needs)} or more"
        )
    todo = spaced(names, count) if count else []
    others = [each for each in names if each not in todo]
    if not others:
        return todo, []
    return todo, [
        f"{', '.join(others)}, for which the budget does not suffice; all of these take "
        f"{duration(decent * len(others) / PLANNED)} more"
    ]


def _said(seconds: float) -> str:
    """Seconds, not rounded away."""
    return f"{seconds:.2g} s" if seconds < 2 else f"{math.ceil(seconds)} s"
