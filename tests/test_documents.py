"""Every Python block of the README and of CONTRIBUTING runs as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from skimage.io import imread

BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
DOCUMENTS = ("README.md", "CONTRIBUTING.md")


def blocks(document: Path) -> list[str]:
    """The Python blocks of a document, in its order."""
    return BLOCK.findall(document.read_text("utf-8"))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_its_python_runs_from_top_to_bottom(name: str, repository: Path, tmp_path: Path) -> None:
    """In one process, as a reader would paste them; "path/to/splitzoo" is where the checkout is."""
    (tmp_path / "path" / "to").mkdir(parents=True)
    (tmp_path / "path" / "to" / "splitzoo").symlink_to(repository)
    code = "\n".join(blocks(repository / name))
    assert code
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    if name == "README.md":
        (shown,) = tmp_path.glob("*.png")  # two lines of ten digits, two pixels between
        assert imread(shown).shape == (2 * 30 + 2, 10 * 30 + 2, 3)


def test_a_network_of_ones_own_takes_fifteen_lines(repository: Path) -> None:
    (block,) = (each for each in blocks(repository / "README.md") if "split_module(" in each)
    assert "RMLE(" in block
    assert "InverseNetwork(" in block
    assert "psnr(" in block
    assert len([line for line in block.splitlines() if line.strip()]) <= 15


def test_the_attack_of_contributing_passes_the_projects_own_checks(
    repository: Path, tmp_path: Path
) -> None:
    """It is benched from its file, and ruff and mypy in strict mode have nothing to say of it."""
    (attack,) = (each for each in blocks(repository / "CONTRIBUTING.md") if "(Attack)" in each)
    (tmp_path / "my_attack.py").write_text(attack, "utf-8")
    code = "from splitzoo.bench.cli import main; raise SystemExit(main())"
    command = [sys.executable, "-c", code, "bench", "--only", "white_box/lenet/conv1"]
    command += ["--attack", "my_attack.py:MyAttack", "--field", "steps=20", "--results", "results"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "My attack" in done.stdout
    for room in ("zoo", "attacks", "bench"):  # where mypy finds the types
        (tmp_path / "splitzoo").mkdir(exist_ok=True)
        (tmp_path / "splitzoo" / room).symlink_to(repository / room)
    configuration = str(repository / "pyproject.toml")
    for tool in (
        ["mypy", "--explicit-package-bases", "--config-file", configuration, "my_attack.py"],
        ["ruff", "check", "--config", configuration, "my_attack.py"],
        ["ruff", "format", "--check", "--config", configuration, "my_attack.py"],
    ):
        checked = subprocess.run(
            [sys.executable, "-m", *tool],
            cwd=tmp_path,
            env={**os.environ, "MYPYPATH": str(tmp_path)},
            capture_output=True,
            text=True,
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr
