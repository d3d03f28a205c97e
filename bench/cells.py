"""What is attacked under which threat model: the cells of the leaderboard, as data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..attacks import SETTINGS
from ..zoo import NETWORKS, UnknownNameError, get_network

PAPER = Path(__file__).with_name("paper.json")
#: Which table of the paper a setting's figures stand in.
TABLES = {"white_box": "table3_white_box_rmle"}


@dataclass(frozen=True)
class Cell:
    """A network, split behind a layer, attacked in a setting."""

    setting: str
    network: str
    split: str

    @property
    def target(self) -> str:
        """The column: "network/split"."""
        return f"{self.network}/{self.split}"

    @property
    def key(self) -> str:
        """The cell's name: "setting/network/split"."""
        return f"{self.setting}/{self.target}"

    @property
    def dataset(self) -> str:
        """The data set of its network."""
        return get_network(self.network).dataset


@dataclass(frozen=True)
class PaperFigure:
    """The paper's mean over its ten images: PSNR in dB, and SSIM."""

    psnr: float
    ssim: float


@cache
def paper() -> dict[str, Any]:
    """Every number of Tables 3, 4, 6 and 8, as published."""
    content: dict[str, Any] = json.loads(PAPER.read_text("utf-8"))
    return content


@cache
def columns() -> tuple[str, ...]:
    """The five targets of the paper's tables, "network/split", in its order."""
    return tuple(paper()["columns"])


def paper_cells() -> list[Cell]:
    """Every cell that the paper has a figure for and this benchmark a setting."""
    return [Cell(setting, *target.split("/")) for setting in TABLES for target in columns()]


def paper_figure(cell: Cell) -> PaperFigure | None:
    """The paper's figure for a cell, None where it has none."""
    if cell.setting not in TABLES or cell.target not in columns():
        return None
    table, column = paper()[TABLES[cell.setting]], columns().index(cell.target)
    return PaperFigure(table["psnr"][column], table["ssim"][column])


def select_cells(only: Sequence[str], cells: Sequence[Cell] | None = None) -> list[Cell]:
    """The cells that match at least one pattern; all of them without a pattern.

    A pattern is one or more words joined by "/", each a setting, network or split, and a cell
    matches if it has them all: "lenet", "white_box/cifar_cnn", "relu22". UnknownNameError
    names a word that is none of these, or a combination that no cell has.
    """
    cells = paper_cells() if cells is None else cells
    if not only:
        return list(cells)
    words = dict.fromkeys(word for cell in cells for word in cell.key.split("/"))
    chosen: list[Cell] = []
    for pattern in only:
        wanted = [word for word in pattern.split("/") if word]
        for word in wanted:
            if word not in words:
                raise UnknownNameError("setting, network or split", word, words)
        matching = [cell for cell in cells if set(wanted) <= set(cell.key.split("/"))]
        if not matching or not wanted:
            raise UnknownNameError("cell", pattern, [cell.key for cell in cells])
        chosen += matching
    return [cell for cell in cells if cell in chosen]


def check_names(setting: str, network: str, split: str) -> Cell:
    """A cell from three names, each of which must exist."""
    if setting not in SETTINGS:
        raise UnknownNameError("setting", setting, SETTINGS)
    if network not in NETWORKS:
        raise UnknownNameError("network", network, NETWORKS)
    if split not in NETWORKS[network].splits:
        raise UnknownNameError(f"split of {network}", split, NETWORKS[network].splits)
    return Cell(setting, network, split)
