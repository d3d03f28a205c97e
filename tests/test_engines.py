"""Runs side by side, in shares, and in processes that die."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from splitzoo.bench import ResultStore
from splitzoo.bench.cli import main

#: Behind conv1 its process dies, as often as the file says that it may; it is gray everywhere.
DYING = """
import os, signal
from dataclasses import dataclass
from pathlib import Path
from splitzoo.attacks import Attack

DEATHS = Path({deaths!r})

@dataclass(frozen=True, kw_only=True)
class Dying(Attack):
    name, title, citation = "dying", "Dying", "nobody"
    requires = frozenset()

    def offline(self, adversary, generator):
        left = int(DEATHS.read_text())
        if adversary.feature_shape == (8, 24, 24) and left:
            DEATHS.write_text(str(left - 1))
            os.kill(os.getpid(), signal.SIGKILL)
        return adversary.input_shape

    def online(self, state, features, draws):
        return features.new_full((len(features), *state), 0.5)
"""


def benched(tmp_path: Path, deaths: int, *words: str) -> tuple[int, ResultStore]:
    """White-box LeNet, both splits, with the attack that dies so often."""
    path, results = tmp_path / "dying.py", tmp_path / "results"
    (tmp_path / "deaths").write_text(str(deaths))
    path.write_text(DYING.format(deaths=str(tmp_path / "deaths")), "utf-8")
    arguments = ["bench", "--only", "white_box/lenet", "--attack", f"{path}:Dying"]
    return main([*arguments, "--results", str(results), *words]), ResultStore(results)


def table(store: ResultStore) -> dict[str, Any]:
    """Every result without times, by its path, and the bytes of its images."""
    found = {}
    for path in sorted((store.folder / "paper10").glob("*/*/*.json")):
        content = json.loads(path.read_text("utf-8"))
        content["cost"], content["made"] = None, None
        images = path.with_suffix(".safetensors")
        found[path.name, path.parent.name] = content, images.read_bytes()
    return found


def test_two_processes_and_two_shares_make_the_table_of_one(tmp_path: Path) -> None:
    """Though one of the processes is killed twice in the middle."""
    (tmp_path / "one").mkdir()
    status, store = benched(tmp_path / "one", 0)
    assert status == 0
    expected = table(store)
    assert len(expected) == 2
    (tmp_path / "two").mkdir()
    status, store = benched(tmp_path / "two", 2, "--jobs", "2")
    assert status == 0
    assert table(store) == expected
    assert (tmp_path / "two" / "deaths").read_text() == "0"
    (tmp_path / "shares").mkdir()
    status, store = benched(tmp_path / "shares", 0, "--shard", "1/2")
    assert status == 0
    assert len(table(store)) == 1
    status, store = benched(tmp_path / "shares", 0, "--shard", "2/2")
    assert status == 0
    assert table(store) == expected


def test_a_run_whose_process_always_dies_has_failed_and_the_rest_goes_on(tmp_path: Path) -> None:
    status, store = benched(tmp_path, 99, "--jobs", "2")
    assert status == 1
    outcomes = {result.where.target.split: result.failure for result in store.all("paper10")}
    assert outcomes == {"conv1": "its process died 3 times", "relu2": None}
    assert (tmp_path / "deaths").read_text() == "96"


@pytest.mark.parametrize("share", ["0/2", "3/2", "1", "a/b", "1/2/3"])
def test_a_share_that_is_none_is_refused(share: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bench", "--shard", share])
    assert "is no share" in capsys.readouterr().err
