"""Imports go one way: bench → attacks → zoo."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ALLOWED = {"zoo": {"zoo"}, "attacks": {"attacks", "zoo"}, "bench": {"bench", "attacks", "zoo"}}


@pytest.mark.parametrize("room", ALLOWED)
def test_imports_go_one_way(repository: Path, room: str) -> None:
    for file in (repository / room).rglob("*.py"):
        depth = len(file.relative_to(repository).parts) - 1
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                roots = {alias.name.split(".")[0] for alias in node.names}
                assert not roots & {*ALLOWED, "splitzoo"}, f"{file}: {roots}"
            elif isinstance(node, ast.ImportFrom):
                if node.level > depth:  # above this room: `from ..zoo import …`
                    assert node.module, file
                    assert node.module.split(".")[0] in ALLOWED[room], f"{file}: {node.module}"
                elif node.level == 0:
                    root = (node.module or "").split(".")[0]
                    assert root not in {*ALLOWED, "splitzoo"}, f"{file}: {root}"
