"""What each attack reaches against the time that an image takes it, a panel for each split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ...attacks import FAMILIES, catalogue, get_attack
from ..paper import columns, faithful_attack, paper_figure
from ..score.means import mean
from .rows import Row

#: By family, as on the site.
COLOURS = ("#b3261e", "#1f5f99", "#3f7a2d", "#8a5a00", "#7b3fa0", "#006d77")
#: By attack, in the catalogue's order.
MARKS = "osD^vPX*<>p"
WHITE_BOX = "white_box"
#: Seconds at the left end of a logarithmic axis: no image takes less.
LEAST = 1e-6


def compared(results: Sequence[Row]) -> tuple[Row, ...]:
    """The rows of the paper's columns, those that look at no feature included; none where fewer
    than two are left to compare."""
    found = tuple(row for row in results if row.scenario.column in columns())
    return found if sum(not get_attack(row.attack).baseline for row in found) > 1 else ()


def quality_figure(title: str, results: Sequence[Row]) -> Figure:
    """Mean PSNR over seconds per image, online: a mark for each attack and setting."""
    attacks = [each for each in catalogue() if not get_attack(each).baseline]
    there = [each for each in attacks if any(row.attack == each for row in results)]
    marks = {each: MARKS[place % len(MARKS)] for place, each in enumerate(there)}
    shown = [row for row in results if row.attack in marks]
    times = [max(LEAST, row.seconds_per_image) for row in shown]
    figure = Figure(figsize=(10.5, 6.3), dpi=110, layout="constrained")
    axes = figure.subplots(2, 3).flat
    for axis, column in zip(axes, columns(), strict=False):
        mine = [row for row in results if row.scenario.column == column]
        axis.set_xlim(min(times) / 2, 2 * max(times))
        _panel(axis, column, mine, marks)
    figure.axes[-1].axis("off")
    legend = figure.axes[-1].legend(
        handles=_handles(marks), loc="center", fontsize=9, frameon=False
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    figure.suptitle(title, fontsize=10, parse_math=False)
    figure.supxlabel("seconds per image, online", fontsize=9)
    figure.supylabel("mean PSNR, dB", fontsize=9)
    return figure


def _panel(axis: Axes, column: str, results: Sequence[Row], marks: dict[str, str]) -> None:
    """One split: marks, and lines at what needs no feature and at the paper's white-box figure."""
    families = list(FAMILIES)
    for row in results:
        value = mean(row.per_image["psnr"]).value
        if get_attack(row.attack).baseline:
            axis.axhline(value, color="#999999", linewidth=0.8, zorder=1)
            continue
        setting = row.scenario.setting
        color = COLOURS[families.index(setting.family) % len(COLOURS)]
        axis.plot(
            max(LEAST, row.seconds_per_image),
            value,
            color=color,
            markerfacecolor=color if setting.images else "white",
            **_shape(marks[row.attack]),
        )
    figure = paper_figure(WHITE_BOX, column, faithful_attack(WHITE_BOX))
    if figure is not None:
        axis.axhline(figure.psnr, color="#555555", linewidth=0.9, linestyle="--", zorder=1)
    axis.set_xscale("log")
    axis.set_title(column, fontsize=9.5)
    axis.tick_params(labelsize=8)
    axis.grid(linewidth=0.3)


def _shape(mark: str) -> dict[str, Any]:
    return {"marker": mark, "markersize": 9 if mark == "*" else 6.5, "linestyle": "none"}


def _handles(marks: dict[str, str]) -> list[Artist]:
    """The legend: a colour for each family, a shape for each attack, and the two lines."""
    dark = "#444444"
    return [
        *(
            Patch(color=COLOURS[number % len(COLOURS)], label=family)
            for number, family in enumerate(FAMILIES.values())
        ),
        Patch(color=dark, label="filled: it holds images like the secrets"),
        Patch(facecolor="white", edgecolor=dark, label="hollow: it holds none"),
        *(
            Line2D([], [], color=dark, label=get_attack(name).title, **_shape(mark))
            for name, mark in marks.items()
        ),
        Line2D([], [], color="#555555", linestyle="--", label="the paper's figure in white-box"),
        Line2D([], [], color="#999999", label="gray or mean image: looks at no feature"),
    ]
