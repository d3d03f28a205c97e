"""Leakage as a curve: what each family of settings recovers, by layer or by defence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...attacks import FAMILIES, get_attack
from ..score.metric import all_metrics
from ..score.metrics.ssim import RECOGNISABLE_SSIM
from .shown import Figure, Shown

#: Pixels beside the field that is drawn in, its height, and what the places of the axis share.
LEFT, RIGHT, TOP, HIGH, BELOW, WIDE = 40, 14, 12, 170, 74, 520
#: Where the axis of a metric ends; what lies beyond is drawn at its end.
ENDS = {"ssim": 1.0, "psnr": 50.0}


@dataclass(frozen=True)
class Point:
    """The strongest of a family's rows at a place of the axis, in pixels, and its 95 % interval."""

    shown: Shown
    figure: Figure
    place: int
    x: float
    y: float
    high: float
    low: float


@dataclass(frozen=True)
class Line:
    """A family's points in the axis's order; `number` is its place among the families."""

    number: int
    title: str
    points: list[Point]

    @property
    def joints(self) -> list[tuple[Point, Point, bool]]:
        """Each two neighbours, and whether a place between them was not measured."""
        pairs = zip(self.points, self.points[1:], strict=False)
        return [(one, other, other.place - one.place > 1) for one, other in pairs]


@dataclass(frozen=True)
class Curve:
    """A metric's chart. Heights are pixels from the top; `floor` is what needs no feature."""

    metric: str
    lines: list[Line]
    names: list[tuple[str, float]]
    rules: list[tuple[str, float]]
    floor: tuple[str, float] | None
    limit: float | None
    wide: float

    @property
    def title(self) -> str:
        """What its axis says."""
        return all_metrics()[self.metric].title

    @property
    def clipped(self) -> bool:
        """Whether a point is drawn at the end of the axis that lies beyond it."""
        points = (point for line in self.lines for point in line.points)
        return any(point.figure.mean.value > ENDS[self.metric] for point in points)

    @property
    def legend(self) -> list[tuple[int, str]]:
        """The number and the title of each family."""
        return [(line.number, line.title) for line in self.lines]

    high: float = TOP + HIGH + BELOW
    left: float = LEFT
    bottom: float = TOP + HIGH
    top: float = TOP


def curve(
    rows: Sequence[Shown], names: Sequence[str], called: Callable[[Shown], str], metric: str
) -> Curve:
    """The chart of rows by what they are called, one of `names`, which is the axis.

    Of several rows in one place the strongest of each family is drawn.
    """
    step = WIDE / len(names)
    xs = [round(LEFT + step * (place + 0.5), 1) for place in range(len(names))]

    def point(shown: Shown, place: int) -> Point:
        figure = shown.figures[metric]
        half = figure.mean.half_width if figure.mean.n > 1 else 0.0
        value = figure.mean.value
        heights = [_down(each, metric) for each in (value, value + half, value - half)]
        return Point(shown, figure, place, xs[place], *heights)

    lines = []
    for number, (family, title) in enumerate(FAMILIES.items()):
        mine = [row for row in rows if row.where.setting.family == family]
        best = [strongest([row for row in mine if called(row) == name], metric) for name in names]
        points = [point(shown, place) for place, shown in enumerate(best) if shown]
        if points:
            lines.append(Line(number, title, points))
    floors = [row for row in rows if get_attack(row.row.attack).baseline]
    floor = max(floors, key=lambda row: row.figures[metric].mean.value, default=None)
    end = ENDS[metric]
    return Curve(
        metric,
        lines,
        list(zip(names, xs, strict=True)),
        [(f"{end * part / 5:g}", _down(end * part / 5, metric)) for part in range(6)],
        (floor.title, _down(floor.figures[metric].mean.value, metric)) if floor else None,
        _down(RECOGNISABLE_SSIM, metric) if metric == "ssim" else None,
        LEFT + WIDE + RIGHT,
    )


def strongest(rows: Sequence[Shown], metric: str) -> Shown | None:
    """The row of the highest mean that looks at features."""
    there = (row for row in rows if not get_attack(row.row.attack).baseline)
    return max(there, key=lambda row: row.figures[metric].mean.value, default=None)


def _down(value: float, metric: str) -> float:
    end = ENDS[metric]
    return round(TOP + HIGH * (1 - min(end, max(0.0, value)) / end), 1)
