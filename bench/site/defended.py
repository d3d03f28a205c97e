"""What defences change: a defence's curve at each split that was attacked behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass

from ...zoo import Defence
from .curve import ENDS, Curve, curve
from .shown import Shown

#: Where an axis begins: the same split without the defence.
BARE = "none"


@dataclass(frozen=True)
class Defended:
    """A defence at a split: what is recovered by the values of its knobs."""

    kind: type[Defence]
    column: str
    curves: list[Curve]


def defended(rows: Sequence[Shown]) -> list[Defended]:
    """Every defence at every split that has rows with it."""
    there = {
        (row.where.target.name, row.where.defence.name): type(row.where.defence)
        for row in rows
        if row.where.defence is not None
    }
    found = []
    for (target, name), kind in there.items():
        mine = [
            row
            for row in rows
            if row.where.target.name == target
            and (row.where.defence is None or row.where.defence.name == name)
        ]
        labels = [BARE, *[_knobs(each) for each in _by_knob(mine)]]
        curves = [curve(mine, labels, _called, metric) for metric in ENDS]
        found.append(Defended(kind, target, curves))
    return found


def _by_knob(rows: Sequence[Shown]) -> list[Defence]:
    """The defences among rows, each once, by the values of their knobs where these compare."""
    there = list({d.label: d for row in rows if (d := row.where.defence) is not None}.values())
    try:
        return sorted(there, key=astuple)
    except TypeError:
        return there


def _knobs(defence: Defence) -> str:
    return ", ".join(f"{name} {value}" for name, value in asdict(defence).items()) or defence.label


def _called(row: Shown) -> str:
    return BARE if row.where.defence is None else _knobs(row.where.defence)
