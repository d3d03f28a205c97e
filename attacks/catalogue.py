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
from .inverse_network import InverseNetwork
from .rmle import DEEP, RELEASED, RMLE, SHALLOW
from .shadow_model import ModelReconstruction, ShadowModel
from .threat_model import get_setting

TUNED = Path(__file__).with_name("tuned.json")


@dataclass(frozen=True)
class Entry:
    """A named row of the leaderboard: an attack class and the fields it has at every split.

    Attributes:
        by_split: further fields by "network/split", as the paper or its code states them; what
            `tuned.json` holds for the cell comes last.
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
        chosen = tuned().get(self.name, {}).get(f"{setting}/{target}", {}).get("fields", {})
        return self.attack(**{**named, **self.fields, **self.by_split.get(target, {}), **chosen})

    def checkpoint_name(self, network: str, split: str, setting: str) -> str | None:
        """Manifest name of the network that it learns there; None for one that learns none."""
        if self.checkpoint is None:
            return None
        described = get_setting(setting)
        variant = described.name.removeprefix(f"{described.family}_")
        return self.checkpoint.format(network=network, split=split, variant=variant)


#: A single convolution bears a longer step than a stack.
_ONE_LAYER = {"learning_rate": 1e-2}
_DEEP_INVERSE = {"precision": "bfloat16", "steps": 4000}
#: At the deep splits the released code inverts a shadow in 500 long steps.
_OVER_SHADOW = {"iterations": 500, "step_size": 1e-1, "start": 0.5}
#: LeNet's deeper edges are dead for a gray image: the start is the one tuned for rMLE.
_OVER_LENET = {"iterations": 1000, "step_size": 1e-2, "start": 0.25}
_GRAY = {"start": 0.5}
_OVER_FITTED = {"iterations": 1500, "step_size": 1e-2, **_GRAY}
_SHADOW_OF_CIFAR = {"precision": "bfloat16", "batch_size": 32, "steps": 4690}
_DEEP_SHADOW = {**_SHADOW_OF_CIFAR, "steps": 3126, "weight_decay": 0.5}
_TARGET = {"network": "{network}", "split": "{split}"}

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
        Entry(
            "inverse_network",
            "Inverse-Network",
            InverseNetwork,
            {"learning_rate": 2e-3},
            {
                "lenet/conv1": _ONE_LAYER,
                "lenet/relu2": {"steps": 20_000},
                "cifar_cnn/conv11": _ONE_LAYER,
                "cifar_cnn/relu22": _DEEP_INVERSE,
                "cifar_cnn/relu32": _DEEP_INVERSE,
            },
            names_target={"architecture": "{network}/{split}"},
            checkpoint="{network}_inverse_{split}-{variant}",
        ),
        Entry(
            "shadow_model",
            "Shadow model",
            ShadowModel,
            {**_OVER_LENET, "steps": 8000},
            {
                "lenet/conv1": {**SHALLOW, **_GRAY},
                "cifar_cnn/conv11": {
                    **_GRAY,
                    **SHALLOW,
                    **_SHADOW_OF_CIFAR,
                    "learning_rate": 1e-2,
                    "weight_decay": 1.0,
                },
                "cifar_cnn/relu22": {**_OVER_SHADOW, **_DEEP_SHADOW},
                "cifar_cnn/relu32": {**_OVER_SHADOW, **_DEEP_SHADOW},
            },
            names_target=_TARGET,
            checkpoint="{network}_shadow_{split}-{variant}",
        ),
        Entry(
            "model_reconstruction",
            "Model reconstruction",
            ModelReconstruction,
            _OVER_LENET,
            {
                "lenet/conv1": {**SHALLOW, **_GRAY, "learning_rate": 3e-3},
                "cifar_cnn/conv11": {
                    **SHALLOW,
                    **_GRAY,
                    "learning_rate": 3e-3,
                    "steps": 3126,
                },
                "cifar_cnn/relu22": {**_OVER_FITTED, **_SHADOW_OF_CIFAR},
                "cifar_cnn/relu32": {**_OVER_FITTED, **_SHADOW_OF_CIFAR},
            },
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


@cache
def tuned(path: Path = TUNED) -> dict[str, dict[str, dict[str, Any]]]:
    """attack -> "setting/network/split" -> {"fields": chosen values, "evidence": how, by field}."""
    try:
        content: dict[str, dict[str, dict[str, Any]]] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ResultError(f"{path} cannot be read ({error}); restore it from git") from error
    return content
