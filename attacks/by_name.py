"""Attacks by name, with the hyperparameters that each runs with at each target.

Every class in this folder that has a `name` is an attack of the catalogue. `recipes.py` holds the
fields that the paper's attacks run with at the paper's targets, and `tuned.json` those that were
chosen for a target, and how: only ever on training images, by `splitzoo tune`.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any

from ..zoo import MisuseError, UnknownNameError
from ..zoo.discovery import by_name, modules, run_file
from .base import Attack
from .installed import brought_by, installed, load_installed
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
        raise UnknownNameError("attack", name, [*catalogue(), *installed()]) from None


def load_attack(reference: str) -> type[Attack]:
    """The attack that `reference` names: one of the catalogue, a package's, or "file.py:MyAttack".

    One of a file, or of an installed package (`installed.py`), joins the catalogue of this process
    under its `name`, or under its class's. Raises UnknownNameError, and MisuseError for what is no
    attack.
    """
    path, colon, wanted = reference.rpartition(":")
    if colon and path.endswith(".py"):
        found = getattr(_module_of(Path(path)), wanted, None)
        if found is None:
            raise MisuseError(f"{path} has no attack {wanted!r}; name a class derived from Attack")
        return _joined(found, f"{wanted!r} of {path}", wanted)
    packages = installed()
    if reference in catalogue() or reference not in packages:
        return get_attack(reference)
    return load_of_package(packages[reference])


def load_of_package(point: EntryPoint) -> type[Attack]:
    """The attack that an installed package declares; MisuseError where it brings none."""
    attack = _joined(load_installed(point), brought_by(point), point.name)
    if attack.name != point.name:
        del catalogue()[attack.name]
        raise MisuseError(
            f"{brought_by(point)} states the name {attack.name!r}; declare it under that name"
        )
    return attack


def _joined(attack: Any, words: str, name: str) -> type[Attack]:
    """An attack from outside, in the catalogue; `words` say which, `name` is for one without."""
    if not (inspect.isclass(attack) and issubclass(attack, Attack)):
        raise MisuseError(f"{words} is no class that derives from Attack; name one that does")
    if inspect.isabstract(attack):
        raise MisuseError(
            f"{words} lacks {', '.join(sorted(attack.__abstractmethods__))}; write it"
        )
    for each in ("requires", "title", "citation"):
        if not hasattr(attack, each):
            raise MisuseError(f"{words} does not state its {each}")
    name = attack.name or name
    known = catalogue().get(name)
    if known is not None and known.__module__ in _own_modules():
        raise MisuseError(
            f"the catalogue has an attack {name!r} already; give {words} another name"
        )
    attack.name = name
    catalogue()[name] = attack
    return attack


def _own_modules() -> set[str]:
    return {module.__name__ for module in modules(sys.modules[__package__])}


def _module_of(path: Path) -> ModuleType:
    if not path.is_file():
        raise MisuseError(f"there is no file {path}; give the attack as path/to/file.py:MyAttack")
    try:
        return run_file(path, f"attack_of_{path.stem}")
    except Exception as error:
        reason = " ".join(str(error).split())
        own = [each for each in extract_tb(error.__traceback__) if each.filename == str(path)]
        line = f" (line {own[-1].lineno})" if own else ""
        raise MisuseError(
            f"{path} cannot be run: {type(error).__name__}: {reason}{line}"
        ) from error


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
