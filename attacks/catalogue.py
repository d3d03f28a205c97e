"""Attacks by name, with the hyperparameters that each runs with at each split.

`tuned.json` holds the fields that were chosen for a network and split, and how: only ever on
training images, by `splitzoo tune`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ..zoo import ResultError, UnknownNameError
from .base import Attack
from .rmle import DEEP, RELEASED, RMLE, SHALLOW

TUNED = Path(__file__).with_name("tuned.json")


@dataclass(frozen=True)
class Entry:
    """A named row of the leaderboard: an attack class and the fields it has at every split.

    `by_split` gives further fields by "network/split", as the paper or its code states them;
    what `tuned.json` holds comes last.
    """

    name: str
    title: str
    attack: type[Attack]
    fields: Mapping[str, Any] = field(default_factory=dict)
    by_split: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def configure(self, network: str, split: str) -> Attack:
        """The attack as it runs against `network` split behind `split`."""
        target = f"{network}/{split}"
        chosen = tuned().get(self.name, {}).get(target, {}).get("fields", {})
        return self.attack(**{**self.fields, **self.by_split.get(target, {}), **chosen})


CATALOGUE = {
    entry.name: entry
    for entry in (
        Entry(
            "rmle",
            "rMLE",
            RMLE,
            DEEP,
            {"lenet/conv1": SHALLOW, "cifar_cnn/conv11": SHALLOW},
        ),
        Entry(
            "rmle_released",
            "rMLE, released code",
            RMLE,
            RELEASED,
            {
                "lenet/conv1": {"tv_weight": 0.0},  # not stated; as at the other affine edge
                "lenet/relu2": {"tv_weight": 1.0},
                "cifar_cnn/conv11": {"tv_weight": 0.0},
                "cifar_cnn/relu22": {"tv_weight": 10.0},
                "cifar_cnn/relu32": {"tv_weight": 1000.0},
            },
        ),
    )
}


def get_entry(name: str) -> Entry:
    """The catalogue's entry of that name; UnknownNameError lists the known ones."""
    try:
        return CATALOGUE[name]
    except KeyError:
        raise UnknownNameError("attack", name, CATALOGUE) from None


@cache
def tuned(path: Path = TUNED) -> dict[str, dict[str, dict[str, Any]]]:
    """attack -> "network/split" -> {"fields": chosen values, "evidence": how, by field}."""
    try:
        content: dict[str, dict[str, dict[str, Any]]] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ResultError(f"{path} cannot be read ({error}); restore it from git") from error
    return content
