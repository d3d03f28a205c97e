"""A change of what an attack computes cannot pass unseen, and a refactoring costs nothing."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from splitzoo.attacks import RMLE, by_name, catalogue, rmle


def load(file: str) -> ModuleType:
    path = Path(__file__).with_name(file)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


golden: Any = load("golden.py")


@pytest.mark.parametrize("name", golden.CASES)
def test_an_attack_recovers_what_its_version_recovered(name: str) -> None:
    """If this fails, the attack computes something else: raise its `version` (and where `learned`
    differs its `training_version`), and record it anew with `python tests/golden.py CASE`."""
    stored = json.loads(golden.path(name).read_text("utf-8"))
    attack = golden.CASES[name].attack
    assert stored["version"] == attack.version
    assert stored["training_version"] == getattr(attack, "training_version", None)
    for part, difference in golden.differences(stored, golden.golden_run(name)).items():
        assert difference <= 1, part


def test_every_attack_has_a_golden_run() -> None:
    covered = {case.attack for case in golden.CASES.values()}
    assert covered == set(catalogue().values())


@pytest.mark.parametrize("name", [name for name in golden.CASES if name != "gray_image"])
def test_the_golden_run_is_a_run_worth_keeping(name: str) -> None:
    """It moves away from a constant start, so that a change has something to show in."""
    stored = json.loads(golden.path(name).read_text("utf-8"))
    for part, values in stored["outcome"].items():
        assert torch.tensor(values).std() > 10 * golden.TOLERANCES[part]
    assert stored["torch"]


def test_another_outcome_is_not_recorded_under_the_same_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(golden, "FOLDER", tmp_path)
    golden.record("rmle")
    golden.record("rmle")
    honest = rmle.total_variation
    monkeypatch.setattr(rmle, "total_variation", lambda images, beta: 9 * honest(images, 2.0))
    with pytest.raises(ValueError, match=r"raise RMLE\.version first"):
        golden.record("rmle")
    monkeypatch.setattr(RMLE, "version", 2)
    golden.record("rmle")


def test_a_change_of_behaviour_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A squared variation in place of its root: the kind of slip that a refactoring makes."""
    stored = json.loads(golden.path("rmle").read_text("utf-8"))
    honest = rmle.total_variation
    monkeypatch.setattr(rmle, "total_variation", lambda images, beta: 9 * honest(images, 2.0))
    assert golden.differences(stored, golden.golden_run("rmle"))["recovered"] > 1


def test_the_version_is_part_of_what_makes_a_result_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    from splitzoo.bench import Run, scenario

    run = Run(scenario("white_box/lenet/conv1"), "rmle")
    before = run.identity()

    @dataclass(frozen=True, kw_only=True)
    class Newer(RMLE):
        version = 2

    Newer.__name__ = "RMLE"
    monkeypatch.setitem(by_name.catalogue(), "rmle", Newer)
    changed = {name for name, value in run.identity().items() if before[name] != value}
    assert changed == {"attack_version"}
