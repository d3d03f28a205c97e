"""Every attack runs on a device that is not the CPU, and what mixes devices fails there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from splitzoo.attacks import catalogue

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def said() -> list[dict[str, Any]]:
    """What the device's own process found."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "second_device.py"],
        cwd=HERE,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_device_refuses_what_a_gpu_refuses(said: list[dict[str, Any]]) -> None:
    """Otherwise what runs on it proves nothing."""
    (worth,) = (each["worth"] for each in said if "worth" in each)
    assert len(worth) >= 7
    assert [name for name, refused in worth.items() if not refused] == []


def test_every_attack_recovers_there_what_it_recovers_here(said: list[dict[str, Any]]) -> None:
    """The golden cases, and a run of the benchmark; a descent may round its way a little apart."""
    cases = {each["case"]: each for each in said if "case" in each}
    recorded = {path.stem for path in (HERE / "golden").glob("*.json")}
    assert set(cases) == recorded | {"benched"}
    assert {*catalogue()} <= set(cases)
    assert {name: each["error"] for name, each in cases.items() if "error" in each} == {}
    for each in cases.values():
        assert each["difference"].get("learned", 0.0) < 1e-5
        assert each["difference"]["recovered"] < 0.03
