"""An attack from outside reaches rows in one command, and its failures are rows too."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from splitzoo.attacks import GrayImage, catalogue
from splitzoo.bench import evaluation_set, psnr, scenario
from splitzoo.bench.cli import main
from splitzoo.bench.commands import submit
from splitzoo.bench.engines import here
from splitzoo.bench.report.beside import best_known, on_images, published_rows
from splitzoo.bench.store.folder import ResultStore

ATTACK = """
from dataclasses import dataclass
import torch
from splitzoo.attacks import Attack, Capability

@dataclass(frozen=True, kw_only=True)
class Halves(Attack):
    name, title, citation = "halves", "Halves", "nobody, nowhere"
    requires = frozenset({Capability.QUERY})
    level: float = 0.5

    def offline(self, adversary, generator):
        if adversary.feature_shape[0] == 16:
            raise ValueError("only shallow\\nedges")
        return adversary.input_shape

    def online(self, state, features, draws):
        return torch.full((len(features), *state), self.level, device=features.device)
"""


@pytest.fixture
def attack(tmp_path: Path) -> str:
    path = tmp_path / "halves.py"
    path.write_text(ATTACK, "utf-8")
    return f"{path}:Halves"


def test_its_rows_stand_beside_the_best_known(
    attack: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One scenario works and one fails; both are stored, and the status is a failure's."""
    folder = tmp_path / "results"
    command = ["submit", attack, "--only", "black_box_rand_set/lenet", "--results", str(folder)]
    assert main([*command, "--field", "level=0.25"]) == 1
    said = capsys.readouterr().out
    assert re.search(r"conv1 .*dB / .*100\.00 dB / 1\.0000 \(Affine inversion\).* 0 queries", said)
    assert "failed: ValueError: only shallow edges" in " ".join(said.split())
    works, fails = ResultStore(folder).all("paper10")
    assert works.failure is None
    assert works.isolation in ("sandbox", "process")
    assert fails.failure == "ValueError: only shallow edges"
    secret = evaluation_set("mnist", "paper10").images.floats()
    gray = secret * 0 + 64 / 255
    assert works.reported["psnr"] == pytest.approx(psnr(secret, gray), abs=1e-4)
    catalogue().pop("halves")


def test_its_rows_are_shown_and_verified_where_it_is_named(
    attack: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By other processes than the one that submitted it; its words write nothing of their own."""
    monkeypatch.setattr(submit, "passes", lambda *given: True)
    title = r"$\\frac$ | <b>`x`</b>"
    (tmp_path / "halves.py").write_text(ATTACK.replace('"Halves"', f'"{title}"'), "utf-8")
    there = ["--results", str(tmp_path), "--profile", "paper10"]
    assert main(["submit", attack, "--only", "black_box_rand_set/lenet/conv1", *there]) == 0
    catalogue().pop("halves")
    assert main(["leaderboard", *there]) == 1
    assert "bring the attack" in capsys.readouterr().err

    assert main(["verify", *there, "--attack", attack, "--only", "halves"]) == 0
    assert "borne out (sample)" in capsys.readouterr().out
    catalogue().pop("halves")
    assert main(["leaderboard", *there, "--attack", attack]) == 0
    page = (tmp_path / "leaderboard-paper10.md").read_text("utf-8")
    assert r"| \$\\frac\$ \| &lt;b&gt;\`x\`&lt;/b&gt;" in page
    assert "<b>" not in page
    catalogue().pop("halves")


def test_an_attack_that_was_edited_is_run_again(
    attack: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(submit, "passes", lambda *given: True)  # tried by the other tests
    folder = tmp_path / "results"
    command = ["submit", attack, "--only", "black_box_rand_set/lenet/conv1"]
    command += ["--results", str(folder)]
    for content, note in ((ATTACK, "new"), (ATTACK, "kept"), (ATTACK + "\n", "was stale")):
        (tmp_path / "halves.py").write_text(content, "utf-8")
        assert main(command) == 0
        assert f"({note}" in capsys.readouterr().err
    catalogue().pop("halves")


def test_what_fails_a_check_is_not_submitted(
    attack: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "halves.py").write_text(ATTACK.replace("self.level", "torch.nan"), "utf-8")
    folder = tmp_path / "results"
    assert main(["submit", attack, "--only", "white_box/lenet", "--results", str(folder)]) == 1
    said = capsys.readouterr()
    assert "FAILED    images" in said.err
    assert "halves is not submitted" in said.err
    assert "Traceback" not in said.err
    assert ResultStore(folder).all("paper10") == []
    catalogue().pop("halves")


def test_the_template_is_the_one_of_contributing(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which a test of the documents runs, types and lints."""
    assert main(["submit", "--template"]) == 0
    assert capsys.readouterr().out in (repository / "CONTRIBUTING.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["submit"], "name the attack as FILE.py:CLASS"),
        (["submit", "nowhere.py:Mine"], "there is no file"),
        (["submit", "gray_image"], "bench --attack gray_image --isolated"),
        (["submit", "{attack}", "--field", "colour=1"], "unknown field of halves 'colour'"),
        (["submit", "{attack}", "--only", "query_free"], "requires queries"),
        (["submit", "{attack}", "--time-limit", "soon"], "no time above nought"),
    ],
)
def test_misuse_is_answered_in_a_line(
    words: list[str], said: str, attack: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = main([word.format(attack=attack) for word in words])
    except SystemExit as refused:  # of argparse
        status = int(refused.code or 0)
    assert status == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
    catalogue().pop("halves", None)


def test_the_best_known_is_taken_over_the_same_images() -> None:
    """Of the paper's ten images out of the hundred, by hand."""
    known = published_rows()
    (gray,) = (
        row
        for row in known
        if (row.attack, row.scenario.key) == (GrayImage.name, "white_box/lenet/conv1")
    )
    indices = evaluation_set("mnist", "paper10").indices.tolist()
    places = [gray.per_image["indices"].index(each) for each in indices]
    expected = sum(gray.per_image["psnr"][place] for place in places) / 10
    found = on_images(gray, indices)
    assert found is not None
    assert found.psnr == pytest.approx(expected)
    assert on_images(gray, [*indices, 9_999]) is None
    best = best_known(gray.results[0], known)
    assert best is not None
    assert (best.attack, best.psnr) == ("Affine inversion", 100.0)
    assert scenario("white_box/lenet/conv1").key == gray.scenario.key


def test_an_interrupted_bench_draws_what_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = here.ensure_result
    asked: list[str] = []

    def interrupted(run: Any, *given: Any, **named: Any) -> Any:
        asked.append(run.key)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return honest(run, *given, **named)

    monkeypatch.setattr(here, "ensure_result", interrupted)
    command = ["bench", "--only", "white_box/lenet", "--attack", "gray_image"]
    assert main([*command, "--results", str(tmp_path)]) == 130
    assert "Gray image" in (tmp_path / "leaderboard-paper10.md").read_text("utf-8")
    assert len(asked) == 2
