"""What a folder holds, found by its files, so that something new is one file."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from .errors import MisuseError


def modules(package: ModuleType) -> Iterator[ModuleType]:
    """Every module of a package, imported, in the order of their names."""
    for found in sorted(pkgutil.iter_modules(package.__path__), key=lambda each: each.name):
        yield importlib.import_module(f"{package.__name__}.{found.name}")


def named(package: ModuleType, constant: str) -> dict[str, Any]:
    """The constant of every module of a package that has one, by the `name` that each states.

    MisuseError where two state the same.
    """
    found = ((each, getattr(each, constant, None)) for each in modules(package))
    return by_name((value.name, value, module) for module, value in found if value is not None)


def by_name(found: Iterable[tuple[str, Any, ModuleType]]) -> dict[str, Any]:
    """Values by name, of triples with the module that each comes from.

    MisuseError where two have the same name.
    """
    values: dict[str, Any] = {}
    places: dict[str, ModuleType] = {}
    for name, value, module in found:
        if name in values:
            raise MisuseError(
                f"{places[name].__file__} and {module.__file__} both state the name {name!r}; "
                "rename one of them"
            )
        values[name], places[name] = value, module
    return values


def run_file(path: Path, name: str) -> ModuleType:
    """The module that a file of the user's makes, under that name; what it raises is raised."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
