"""What the page about the paper says, from the comparison that the leaderboard makes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from markupsafe import Markup, escape

from ..paper import columns
from ..report.comparison import (
    SIMILAR_DB,
    TECHNIQUES,
    Difference,
    applicability,
    differences,
    findings,
)
from ..report.layers import SECTION_7_1, verdicts
from ..report.rows import Row
from ..report.wording import with_interval
from .shown import Shown


@dataclass(frozen=True)
class Compared:
    """A row beside the paper's figure."""

    shown: Shown
    difference: Difference


def paper_page(results: Sequence[Row]) -> dict[str, Any]:
    """What the template needs."""
    found = differences(results)
    lines = []
    for (setting, title), group in groupby(found, _line):
        by_column = {
            each.result.scenario.column: Compared(Shown(each.result), each) for each in group
        }
        lines.append((f"{setting}: {title}", [by_column.get(column) for column in columns()]))
    return {
        "applicability": applicability(),
        "columns": columns(),
        "differences": found,
        "findings": findings(results),
        "reproduction": lines,
        "section_7_1": SECTION_7_1,
        "similar": SIMILAR_DB,
        "techniques": list(TECHNIQUES),
        "verdicts": verdicts(results),
        "with_interval": with_interval,
    }


def emphasised(text: str) -> Markup:
    """Text as HTML, with what Markdown sets in bold or in italics."""
    safe = str(escape(text))
    safe = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", safe)
    return Markup(re.sub(r"\*(.+?)\*", r"<em>\1</em>", safe))


def _line(difference: Difference) -> tuple[str, str]:
    shown = Shown(difference.result)
    return shown.where.setting.title, shown.title
