"""An attack that is a package of its own is found by its entry point, checked and submitted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from splitzoo.attacks import catalogue
from splitzoo.bench import ResultStore
from splitzoo.bench.cli import main

PACKAGE = Path(__file__).with_name("outside_attack")


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages that this process and its workers import from."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    before = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(folder), before])))
    return folder


def declare(folder: Path, name: str, attack: str, source: str) -> None:
    """A package of one module as an installer leaves it, with one entry point."""
    (folder / f"{name}.py").write_text(source, "utf-8")
    about = folder / f"{name}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", "utf-8")
    (about / "entry_points.txt").write_text(
        f"[splitzoo.attacks]\n{attack} = {name}:Mine\n", "utf-8"
    )


def test_the_example_is_listed_checked_submitted_and_benched(
    packages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = shutil.copytree(PACKAGE, tmp_path / "source")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    pip += ["--disable-pip-version-check", "--target", str(packages), str(source)]
    done = subprocess.run(pip, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    assert main(["list"]) == 0
    listed = capsys.readouterr().out
    assert "two_layers" in listed
    assert "Two layers" in listed
    catalogue().pop("two_layers")

    where = ["--only", "black_box_rand_set/lenet/conv1", "--results", str(tmp_path / "results")]
    short = ["--field", "steps=20", "--field", "noise_images=64"]
    assert main(["submit", "two_layers", *where, *short]) == 0
    said = capsys.readouterr()
    assert "checks, none failed" in said.err
    assert "64 queries" in said.out
    (result,) = ResultStore(tmp_path / "results").all("paper10")
    assert (result.attack.name, result.failure) == ("two_layers", None)
    catalogue().pop("two_layers")

    assert main(["bench", "--attack", "two_layers", *where, *short, "--fresh"]) == 0
    assert "Two layers" in capsys.readouterr().out
    catalogue().pop("two_layers")


TAKEN = """
from dataclasses import dataclass
from splitzoo.attacks import GrayImage

@dataclass(frozen=True, kw_only=True)
class Mine(GrayImage):
    name = "{name}"
    title = "Mine"
"""


@pytest.mark.parametrize(
    ("attack", "source", "said"),
    [
        ("broken", "import nowhere", "'broken' of package cannot be loaded: ModuleNotFoundError"),
        ("ends", "raise SystemExit(3)", "'ends' of package cannot be loaded: SystemExit: 3"),
        ("no_class", "", "'no_class' of package cannot be loaded: AttributeError"),
        ("no_attack", "class Mine: pass", "'no_attack' of package is no class that derives from"),
        ("other", TAKEN.format(name="another"), "'other' of package states the name 'another'"),
        ("rmle", TAKEN.format(name="rmle"), "the catalogue has an attack 'rmle' already"),
    ],
)
def test_a_broken_package_is_a_line_and_the_list_goes_on(
    attack: str, source: str, said: str, packages: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    declare(packages, "package", attack, source)
    sys.modules.pop("package", None)
    assert main(["list"]) == 0
    found = capsys.readouterr()
    assert "gray_image" in found.out
    (line,) = found.err.splitlines()
    assert line.startswith("splitzoo: warning: ")
    assert said in line
    assert attack == "rmle" or main(["bench", "--attack", attack]) == 2
    sys.modules.pop("package", None)


def test_an_unknown_name_lists_what_packages_bring(
    packages: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    declare(packages, "package", "mine", TAKEN.format(name="mine"))
    assert main(["bench", "--attack", "minne"]) == 2
    assert "did you mean 'mine'?" in capsys.readouterr().err
