"""What the page of every row offers: its columns, and what its rows can be filtered by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...attacks import FAMILIES, SETTINGS
from .scatter import scatters
from .shown import Shown


@dataclass(frozen=True)
class Group:
    """Options that stand together, and what all of them are chosen by."""

    name: str
    title: str
    options: list[tuple[str, str]]


def table_page(rows: Sequence[Shown]) -> dict[str, Any]:
    """What the template needs beside the rows; nothing is offered that no row has."""
    settings = dict.fromkeys(row.where.setting.name for row in rows)
    columns = {row.where.column: row for row in sorted(rows, key=lambda row: row.place)}
    networks = dict.fromkeys(row.network.name for row in rows)
    titles = {row.network.name: row.network.title for row in rows}
    return {
        "settings": [
            Group(family, title, options)
            for family, title in FAMILIES.items()
            if (
                options := [
                    (name, SETTINGS[name].title)
                    for name in settings
                    if SETTINGS[name].family == family
                ]
            )
        ],
        "places": [
            Group(
                name,
                titles[name],
                [(c, c) for c, row in columns.items() if row.network.name == name],
            )
            for name in networks
        ],
        "attacks": list({row.row.label: row.title for row in rows}.items()),
        "metrics": list({n: f.metric for row in rows for n, f in row.figures.items()}.values()),
        "shares": list(dict.fromkeys(title for row in rows for title in row.row.shares)),
        "scatters": scatters(rows),
    }
