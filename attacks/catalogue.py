"""Attacks by name, with the hyperparameters that each runs with at each split.

`tuned.json` holds the fields that were chosen for a network and split, and how: only ever on
training images, by `splitzoo tune`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..zoo import UnknownNameError
from .base import Attack
from .inverse_network import InverseNetwork
from .recipes import (
    INVERSE_FIELDS,
    RECONSTRUCTION_FIELDS,
    RELEASED_WEIGHTS,
    RMLE_FIELDS,
    SHADOW_FIELDS,
)
from .rmle import RELEASED, RMLE
from .shadow_model import ModelReconstruction, ShadowModel
from .threat_model import get_setting
from .tuned import tuned


@dataclass(frozen=True)
class Entry:
    """A named row of the leaderboard: an attack class and the fields it has at every split.

    Attributes:
        by_split: further fields by "network/split", from `recipes.py`; what `tuned.json`
            holds for the cell comes last.
        names_target: fields of the attack that take the names of the target, each a template
            over {network} and {split}.
        checkpoint: template of the manifest name of the network that it learns, over {network},
            {split} and the setting's {variant}; None for an attack that learns none.
    """

    name: str
    title: str
    attack: type[Attack]
    fields: Mapping[str, Any] = field(default_factory=dict)
    by_split: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    names_target: Mapping[str, str] = field(default_factory=dict)
    checkpoint: str | None = None

    def configure(self, network: str, split: str, setting: str = "white_box") -> Attack:
        """The attack as it runs in `setting` against `network` split behind `split`."""
        target = f"{network}/{split}"
        named = {
            name: template.format(network=network, split=split)
            for name, template in self.names_target.items()
        }
        choices = tuned().get(self.name, {}).get(f"{setting}/{target}", {})
        chosen = {field: choice.value for field, choice in choices.items()}
        return self.attack(**{**named, **self.fields, **self.by_split.get(target, {}), **chosen})

    def checkpoint_name(self, network: str, split: str, setting: str) -> str | None:
        """Manifest name of the network that it learns there; None for one that learns none."""
        if self.checkpoint is None:
            return None
        described = get_setting(setting)
        variant = described.name.removeprefix(f"{described.family}_")
        return self.checkpoint.format(network=network, split=split, variant=variant)


_TARGET = {"network": "{network}", "split": "{split}"}

CATALOGUE = {
    entry.name: entry
    for entry in (
        Entry("rmle", "rMLE", RMLE, by_split=RMLE_FIELDS),
        Entry("rmle_released", "rMLE, released code", RMLE, RELEASED, RELEASED_WEIGHTS),
        Entry(
            "inverse_network",
            "Inverse-Network",
            InverseNetwork,
            by_split=INVERSE_FIELDS,
            names_target={"architecture": "{network}/{split}"},
            checkpoint="{network}_inverse_{split}-{variant}",
        ),
        Entry(
            "shadow_model",
            "Shadow model",
            ShadowModel,
            by_split=SHADOW_FIELDS,
            names_target=_TARGET,
            checkpoint="{network}_shadow_{split}-{variant}",
        ),
        Entry(
            "model_reconstruction",
            "Model reconstruction",
            ModelReconstruction,
            by_split=RECONSTRUCTION_FIELDS,
            names_target=_TARGET,
            checkpoint="{network}_shadow_{split}-queried_{variant}",
        ),
    )
}


def get_entry(name: str) -> Entry:
    """The catalogue's entry of that name; UnknownNameError lists the known ones."""
    try:
        return CATALOGUE[name]
    except KeyError:
        raise UnknownNameError("attack", name, CATALOGUE) from None
