"""What a folder holds, found by its files, so that something new is one file."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType


def modules(package: ModuleType) -> Iterator[ModuleType]:
    """Every module of a package, imported, in the order of their names."""
    for found in sorted(pkgutil.iter_modules(package.__path__), key=lambda each: each.name):
        yield importlib.import_module(f"{package.__name__}.{found.name}")


def constants(package: ModuleType, name: str) -> Iterator[object]:
    """The constant of that name of every module of a package that has one."""
    for module in modules(package):
        if hasattr(module, name):
            yield getattr(module, name)
