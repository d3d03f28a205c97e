"""Attacks by name, with the hyperparameters that each runs with at each target.

Every class in this folder that has a `name` is an attack of the catalogue. `recipes.py` holds the
fields that the paper's attacks run with at the paper's targets, and `tuned.json` those that were
chosen for a target, and how: only ever on training images, by `splitzoo tune`.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from ..zoo import MisuseError, UnknownNameError
from ..zoo.discovery import by_name, modules
from .base import Attack
from .learned import LearnedAttack
from .recipes import FIELDS
from .settings import get_setting
from .tuned import tuned


@cache
def catalogue() -> dict[str, type[Attack]]:
    """Every attack by name: those of this folder, and those that `load_attack` has brought."""
    here = modules(sys.modules[__package__])
    found: dict[str, type[Attack]] = by_name(
        (attack.name, attack, module) for module in here for attack in named_attacks(module)
    )
    order = [*FIELDS, *sorted(set(found) - set(FIELDS))]
    return {name: found[name] for name in order}


def named_attacks(module: ModuleType) -> list[type[Attack]]:
    """The attacks with a name that a module defines itself, in its order."""
    return [
        each
        for each in vars(module).values()
        if inspect.isclass(each)
        and issubclass(each, Attack)
        and each.__module__ == module.__name__
        and vars(each).get("name")
    ]


def get_attack(name: str) -> type[Attack]:
    """The attack of that name; UnknownNameError lists the known ones."""
    try:
        return catalogue()[name]
    except KeyError:
        raise UnknownNameError("attack", name, catalogue()) from None


def load_attack(reference: str) -> type[Attack]:
    """The attack that `reference` names: one of the catalogue, or "path/to/file.py:MyAttack".

    An attack of a file joins the catalogue of this process under its `name`, or under its class's.
    Raises UnknownNameError, and MisuseError for a file or class that is no attack.
    """
    path, colon, wanted = reference.rpartition(":")
    if not colon or not path.endswith(".py"):
        return get_attack(reference)
    attack = getattr(_module_of(Path(path)), wanted, None)
    if not (inspect.isclass(attack) and issubclass(attack, Attack)):
        raise MisuseError(f"{path} has no attack {wanted!r}; name a class that derives from Attack")
    if inspect.isabstract(attack):
        lacking = ", ".join(sorted(attack.__abstractmethods__))
        raise MisuseError(f"{wanted} of {path} lacks {lacking}; write it")
    for name in ("requires", "title", "citation"):
        if not hasattr(attack, name):
            raise MisuseError(f"{wanted} of {path} does not state its {name}")
    name = attack.name or wanted
    known = catalogue().get(name)
    if known is not None and known.__module__ in {
        m.__name__ for m in modules(sys.modules[__package__])
    }:
        raise MisuseError(f"the catalogue has an attack {name!r} already; give yours another name")
    attack.name = name
    catalogue()[name] = attack
    return attack


def _module_of(path: Path) -> ModuleType:
    if not path.is_file():
        raise MisuseError(f"there is no file {path}; give the attack as path/to/file.py:MyAttack")
    spec = importlib.util.spec_from_file_location(f"attack_of_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise MisuseError(f"{path} cannot be run: {type(error).__name__}: {reason}") from error
    return module


def configured(
    name: str,
    target: str,
    setting: str,
    overrides: Mapping[str, Any] | None = None,
    *,
    tuned_for: bool = True,
) -> Attack:
    """The attack of that name as it runs against `target`, "network/split", in a setting.

    `overrides` are fields that the caller chose, in place of the recipes' and the tuned ones, and
    `tuned_for` is whether the latter were chosen for what is attacked.
    """
    choices = tuned().get(name, {}).get(f"{setting}/{target}", {}) if tuned_for else {}
    chosen = {field: choice.value for field, choice in choices.items()}
    recipe = FIELDS.get(name, {}).get(target, {})
    return get_attack(name)(**{**recipe, **chosen, **(overrides or {})})


def checkpoint_name(name: str, network: str, split: str, setting: str) -> str | None:
    """Manifest name of the network that an attack learns there; None for one that learns none."""
    attack = get_attack(name)
    if not issubclass(attack, LearnedAttack) or attack.checkpoint is None:
        return None
    described = attack.trained_in(get_setting(setting))
    variant = described.name.removeprefix(f"{described.family}_")
    return attack.checkpoint.format(network=network, split=split, variant=variant)
