"""What is attacked under which threat model, and the numbers that the paper printed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..attacks import SETTINGS
from ..zoo import NETWORKS, UnknownNameError, get_network

PAPER = Path(__file__).with_name("paper.json")


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


@cache
def paper() -> dict[str, Any]:
    """Every number of Tables 3, 4, 6 and 8, as published."""
    content: dict[str, Any] = json.loads(PAPER.read_text("utf-8"))
    return content


@cache
def columns() -> tuple[str, ...]:
    """The five targets of the paper's tables, "network/split", in its order."""
    return tuple(paper()["columns"])


@cache
def _splits(network: str) -> tuple[str, ...]:
    return NETWORKS[network].splits


def check_names(setting: str, network: str, split: str) -> Cell:
    """A cell from three names, each of which must exist."""
    if setting not in SETTINGS:
        raise UnknownNameError("setting", setting, SETTINGS)
    if network not in NETWORKS:
        raise UnknownNameError("network", network, NETWORKS)
    if split not in _splits(network):
        raise UnknownNameError(f"split of {network}", split, _splits(network))
    return Cell(setting, network, split)
