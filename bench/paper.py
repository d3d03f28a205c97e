"""The paper's tables and figures: which attack it ran where, and the numbers that it printed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

PAPER = Path(__file__).with_name("paper.json")


@dataclass(frozen=True)
class Table:
    """One row block of a table of the paper: an attack in a setting, at all five targets.

    `path` leads to its numbers in `paper.json`.
    """

    number: int
    setting: str
    attack: str
    path: tuple[str, ...]


@dataclass(frozen=True)
class PaperFigure:
    """The paper's mean over its ten images: PSNR in dB, and SSIM."""

    psnr: float
    ssim: float


TABLES = (
    Table(3, "white_box", "rmle", ("table3_white_box_rmle",)),
    *(
        Table(4, f"black_box_{x}", "inverse_network", ("table4_black_box_inverse_network", x))
        for x in ("same_set", "same_dist", "rand_set")
    ),
    *(
        Table(6, f"query_free_{x}", "shadow_model", ("table6_query_free_shadow_model", x))
        for x in (
            "same_set_same_net",
            "diff_set_same_net",
            "same_set_diff_net",
            "diff_set_diff_net",
        )
    ),
    Table(
        8,
        "black_box_same_set",
        "model_reconstruction",
        ("table8_black_box_two_ways", "model_reconstruction"),
    ),
)
#: Figures 11 and 12: one network attacked behind each of its layers.
SWEEP = ("query_free_same_set_same_net", "lenet", "shadow_model")


@cache
def paper() -> dict[str, Any]:
    """Every number of Tables 3, 4, 6 and 8, as published."""
    content: dict[str, Any] = json.loads(PAPER.read_text("utf-8"))
    return content


@cache
def columns() -> tuple[str, ...]:
    """The five targets of the paper's tables, "network/split", in its order."""
    return tuple(paper()["columns"])


def paper_figure(setting: str, column: str, attack: str) -> PaperFigure | None:
    """The paper's figure for an attack in a setting on a column, None where it has none."""
    if column not in columns():
        return None
    for table in TABLES:
        if (table.setting, table.attack) == (setting, attack):
            values = paper()
            for step in table.path:
                values = values[step]
            place = columns().index(column)
            return PaperFigure(values["psnr"][place], values["ssim"][place])
    return None


def faithful_attack(setting: str) -> str:
    """The attack that the paper ran in a setting (the first, where it ran two); empty for none."""
    return next((table.attack for table in TABLES if table.setting == setting), "")
