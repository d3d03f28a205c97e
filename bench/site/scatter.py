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


@dataclass(frozen=True)
class Axis:
    """A cost of a row, in words too. What costs less than 10 to the power of `low` is drawn at the
    left end, with those of nothing, at a tick that is called `least`."""

    title: str
    cost: Callable[[Shown], float]
    text: str
    low: int
    least: str


AXES = (
    Axis(
        "seconds per image, online",
        lambda each: each.row.seconds_per_image,
        "{:.2g} s",
        -4,
        "≤ 0.0001",
    ),
    Axis(
        "seconds in all, offline and for every image",
        lambda each: each.row.cost("offline_seconds") + each.row.cost("online_seconds"),
        "{:,.0f} s",
        0,
        "≤ 1",
    ),
    Axis("queries in all", lambda each: each.row.cost("queries"), "{:,.0f} queries", 0, "none"),
)


def scatters(rows: Sequence[Shown]) -> list[Scatter]:
    """One for each axis."""
    return [_scatter(rows, axis) for axis in AXES]


def _scatter(rows: Sequence[Shown], axis: Axis) -> Scatter:
    least = 10.0**axis.low
    most = max(axis.low + 2, math.ceil(math.log10(max(least, *map(axis.cost, rows)))))

    def across(value: float) -> float:
        share = (math.log10(max(least, value)) - axis.low) / (most - axis.low)
        return round(LEFT + 10 + WIDE * share, 1)

    def down(value: float) -> float:
        return round(TOP + HIGH * (1 - min(1.0, max(0.0, value))), 1)

    families = list(FAMILIES)
    points = [
        Point(
            each,
            families.index(each.where.setting.family),
            across(axis.cost(each)),
            down(each.figures["ssim"].mean.value),
            axis.text.format(axis.cost(each)),
        )
        for each in rows
    ]
    there = {point.number for point in points}
    ticks = [
        (
            axis.least if power == axis.low else f"{10.0**power:,.{max(0, -power)}f}",
            across(10.0**power),
        )
        for power in range(axis.low, most + 1)
    ]
    return Scatter(
        axis.title,
        points,
        ticks,
        [(f"{part / 5:g}", down(part / 5)) for part in range(6)],
        [(n, name) for n, name in enumerate(FAMILIES.values()) if n in there],
    )
