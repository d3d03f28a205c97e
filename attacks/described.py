"""What the attacks of this folder say of themselves, read without running them.

A list of them need not wait for torch, which every attack imports.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from .settings import Capability


@dataclass(frozen=True)
class Described:
    """An attack's name, title, and what it requires."""

    name: str
    title: str
    requires: frozenset[Capability]


def described_attacks(folder: Path = Path(__file__).parent) -> list[Described]:
    """Every class with a `name` of the files in `folder`, in the order of files and classes.

    `title` and `requires` are written out in the class, or in one that it derives from.
    """
    found: list[Described] = []
    classes: dict[str, ast.ClassDef] = {}
    for path in sorted(folder.glob("*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef):
                classes[node.name] = node
    for node in classes.values():
        name = _literal(_stated(node, "name", {}))
        if name:
            requires = _stated(node, "requires", classes)
            words = (
                [each.attr for each in ast.walk(requires) if isinstance(each, ast.Attribute)]
                if requires
                else []
            )
            found.append(
                Described(
                    name,
                    _literal(_stated(node, "title", classes)),
                    frozenset(Capability[word] for word in words),
                )
            )
    return found


def _stated(node: ast.ClassDef, name: str, classes: dict[str, ast.ClassDef]) -> ast.expr | None:
    """What a class assigns to a name in its body, or one of its bases in `classes` does."""
    for line in node.body:
        if isinstance(line, ast.Assign) and any(
            isinstance(each, ast.Name) and each.id == name for each in line.targets
        ):
            return line.value
    for base in node.bases:
        if isinstance(base, ast.Name) and base.id in classes:
            stated = _stated(classes[base.id], name, classes)
            if stated is not None:
                return stated
    return None


def _literal(value: ast.expr | None) -> str:
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""
