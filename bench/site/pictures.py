"""Where images stand on the page: which of a row's are shown, and where on a sheet each is."""

from __future__ import annotations

from ..report.rows import Row
from ..secrets.evaluation import evaluation_set
from ..store.sheet import ACROSS, lines_and_across


def places(row: Row) -> list[int]:
    """Where the first ACROSS of the paper's images stand among a row's."""
    dataset = row.scenario.target.dataset.name
    there = row.per_image["indices"]
    ten = evaluation_set(dataset, "paper10").indices.tolist()[:ACROSS]
    return [there.index(index) for index in ten]


def size(count: int) -> str:
    """What a sheet of `count` images measures in images, as CSS has it."""
    lines, across = lines_and_across(count)
    return f"{100 * across}% {100 * lines}%"


def position(place: int, count: int) -> str:
    """Where on a sheet of `count` images one stands, as CSS has it."""
    lines, across = lines_and_across(count)
    down, right = divmod(place, across)
    return f"{_share(right, across)}% {_share(down, lines)}%"


def _share(place: int, count: int) -> str:
    return f"{100 * place / max(1, count - 1):.4g}"
