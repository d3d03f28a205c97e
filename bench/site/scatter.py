"""Quality against cost, a mark for each row."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...attacks import FAMILIES
from .shown import Shown

#: Pixels beside the field that is drawn in, and the field.
LEFT, RIGHT, TOP, BELOW, WIDE, HIGH = 40, 40, 12, 30, 500, 240


@dataclass(frozen=True)
class Point:
    """A row, in pixels, the number of its family, and its cost in words."""

    shown: Shown
    number: int
    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Scatter:
    """Mean SSIM against a cost, whose axis is logarithmic."""

    title: str
    points: list[Point]
    ticks: list[tuple[str, float]]
    rules: list[tuple[str, float]]
    legend: list[tuple[int, str]]
    wide: float = LEFT + WIDE + RIGHT
    high: float = TOP + HIGH + BELOW
    left: float = LEFT
    bottom: float = TOP + HIGH


def scatters(rows: Sequence[Shown]) -> list[Scatter]:
    """Against seconds in all, and against queries."""
    return [
        _scatter(
            rows,
            "seconds in all, offline and for every image",
            lambda each: each.row.cost("offline_seconds") + each.row.cost("online_seconds"),
            "s",
            "≤ 1",
        ),
        _scatter(rows, "queries in all", lambda each: each.row.cost("queries"), "queries", "none"),
    ]


def _scatter(
    rows: Sequence[Shown], title: str, cost: Callable[[Shown], float], unit: str, least: str
) -> Scatter:
    """Costs below 1 are drawn at the left edge, with those of nothing."""
    most = max(2, math.ceil(math.log10(max(1.0, *map(cost, rows)))))

    def across(value: float) -> float:
        return round(LEFT + 10 + WIDE * math.log10(max(1.0, value)) / most, 1)

    def down(value: float) -> float:
        return round(TOP + HIGH * (1 - min(1.0, max(0.0, value))), 1)

    families = list(FAMILIES)
    points = [
        Point(
            each,
            families.index(each.where.setting.family),
            across(cost(each)),
            down(each.figures["ssim"].mean.value),
            f"{cost(each):,.0f} {unit}",
        )
        for each in rows
    ]
    there = {point.number for point in points}
    ticks = [
        (least if power == 0 else f"{10**power:,}", across(10.0**power))
        for power in range(most + 1)
    ]
    return Scatter(
        title,
        points,
        ticks,
        [(f"{part / 5:g}", down(part / 5)) for part in range(6)],
        [(n, name) for n, name in enumerate(FAMILIES.values()) if n in there],
    )
