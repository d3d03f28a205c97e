"""Shared pieces of the tests: a small untrained target, and a copy of the repository."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from splitzoo.attacks import catalogue
from splitzoo.bench.store import PUBLISHED
from splitzoo.zoo import Target, load_split

REPOSITORY = Path(__file__).resolve().parent.parent

torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _same_results() -> Iterator[None]:
    """No test writes into the results that the repository publishes."""

    def written() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in PUBLISHED.rglob("*") if path.is_file()}

    before = written()
    yield
    assert written() == before


@pytest.fixture(autouse=True)
def _same_attacks() -> Iterator[None]:
    """What a test brings into the catalogue leaves it with the test."""
    before = dict(catalogue())
    yield
    catalogue().clear()
    catalogue().update(before)


@pytest.fixture
def repository() -> Path:
    """The checkout that these tests stand in."""
    return REPOSITORY


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The system's Chromium; a test that asks for it is skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip("there is no Chromium here")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=path)
        yield chromium
        chromium.close()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what torch.hub needs, to be damaged at will."""
    copy = tmp_path / "checkout"
    copy.mkdir()
    shutil.copy(REPOSITORY / "hubconf.py", copy)
    shutil.copytree(REPOSITORY / "zoo", copy / "zoo", ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture
def lenet() -> Target:
    """The published LeNet, split behind its first layer."""
    return load_split("lenet", "conv1")


@pytest.fixture
def digits() -> torch.Tensor:
    """Four images of LeNet's shape, drawn at random."""
    return torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(0))
