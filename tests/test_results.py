"""Stored results: whole, current, in their own place; and the page is a function of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from splitzoo.attacks import CATALOGUE
from splitzoo.bench import Cell, Result, ResultStore, Run, assignments, exact, psnr, runner, ssim
from splitzoo.bench.comparison import differences
from splitzoo.bench.leaderboard import outdated, render, write_leaderboard
from splitzoo.bench.provenance import source_sha256
from splitzoo.bench.results import PUBLISHED
from splitzoo.zoo import ResultError, evaluation_set, load_judge

CELL = Cell("white_box", "lenet", "conv1")


def result_for(cell: Cell, recovered: torch.Tensor, attack: str = "rmle") -> Result:
    run = Run(cell, attack, "paper10")
    secret = evaluation_set(cell.dataset, "paper10")
    images = secret.images.floats()
    return Result(
        cell=cell,
        attack=attack,
        profile="paper10",
        seed=0,
        key=run.key(),
        per_image={
            "indices": secret.indices.tolist(),
            "psnr": psnr(images, recovered),
            "ssim": ssim(images, recovered),
            "exact": exact(images, recovered),
            "label": [True] * len(images),
        },
        cost={"offline_seconds": 0.0, "online_seconds": 5.0, "queries": 0},
        made={"device": "test", "versions": {"torch": "2"}, "date": "2026-01-01"},
        recovered_sha256="",
    )


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    """Results for LeNet at conv1: the images themselves, but for one that came back black."""
    store = ResultStore(tmp_path)
    recovered = evaluation_set("mnist", "paper10").images.floats()
    recovered[0] = 0
    store.save(result_for(CELL, recovered), recovered)
    return store


def edit(store: ResultStore, change: dict[str, Any]) -> Path:
    path = store.path("paper10", CELL, "rmle", 0)
    content = json.loads(path.read_text("utf-8"))
    content.update(change)
    path.write_text(json.dumps(content), "utf-8")
    return path


def test_a_result_comes_back_as_it_was_saved(store: ResultStore) -> None:
    result = store.load("paper10", CELL, "rmle")
    assert result is not None
    assert result.cell == CELL
    assert result.stale_because(Run(CELL, "rmle", "paper10").key()) == ""
    recovered = store.recovered(result)
    secret = evaluation_set("mnist", "paper10").images.pixels
    assert torch.equal(recovered[1:], secret[1:])
    assert not recovered[0].any()
    assert result.per_image["exact"] == [False] + [True] * 9


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("benchmark_version", 0),
        ("checkpoint_sha256", "0" * 64),
        ("evaluation_sha256", "0" * 64),
        ("attack_source_sha256", "0" * 64),
        ("attack_fields", {"tv_weight": 123.0}),
    ],
)
def test_a_result_of_other_circumstances_is_stale(
    store: ResultStore, part: str, value: object
) -> None:
    result = store.load("paper10", CELL, "rmle")
    assert result is not None
    key = {**Run(CELL, "rmle", "paper10").key(), part: value}
    assert result.stale_because(key) == part


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"cell": {"setting": "white_box"}}'])
def test_a_malformed_result_names_the_remedy(store: ResultStore, text: str) -> None:
    store.path("paper10", CELL, "rmle", 0).write_text(text, "utf-8")
    with pytest.raises(ResultError, match="delete it and run again"):
        store.load("paper10", CELL, "rmle")


@pytest.mark.parametrize(
    "change",
    [
        {
            "per_image": {
                "indices": [1],
                "psnr": [1.0, 2.0],
                "ssim": [0.1],
                "exact": [False],
                "label": [True],
            }
        },
        {"per_image": {"indices": [1], "psnr": [1.0]}},
        {"cell": {"setting": "white_box", "network": "lenet", "split": "nowhere"}},
        {"surprise": 1},
    ],
)
def test_an_incomplete_result_is_refused(store: ResultStore, change: dict[str, Any]) -> None:
    edit(store, change)
    with pytest.raises(ResultError):
        store.all("paper10")


@pytest.mark.parametrize("change", [{"attack": "../../escape"}, {"seed": 7}])
def test_a_result_in_anothers_place_is_refused(store: ResultStore, change: dict[str, Any]) -> None:
    edit(store, change)
    with pytest.raises(ResultError, match="another cell's"):
        store.all("paper10")


def test_images_that_are_not_the_results_are_refused(store: ResultStore) -> None:
    result = store.load("paper10", CELL, "rmle")
    assert result is not None
    images = store.path("paper10", CELL, "rmle", 0).with_suffix(".safetensors")
    images.write_bytes(images.read_bytes()[:-1] + b"\x01")
    with pytest.raises(ResultError, match="does not belong to its result"):
        store.recovered(result)


def test_the_page_shows_the_paper_beside_ours(store: ResultStore) -> None:
    page = write_leaderboard(store, "paper10")
    text = page.read_text("utf-8")
    assert "39.69" in text  # Table 3, MNIST conv1
    assert "0.9969" in text
    assert "90 %" in text  # nine of ten recognisable, and exact
    assert " 0.5 |" in text  # 5 seconds for ten images
    assert (page.parent / "paper10/figures/white_box-lenet-rmle.png").is_file()
    assert "(paper10/figures/white_box-lenet-rmle.png)" in text


def test_the_page_is_a_function_of_the_results(store: ResultStore) -> None:
    page = write_leaderboard(store, "paper10")
    assert outdated(store, "paper10") == []
    assert render(store, "paper10", page) == page.read_text("utf-8")
    page.write_text(page.read_text("utf-8").replace("39.69", "39.70"), "utf-8")
    assert "is not what the stored results render to" in outdated(store, "paper10")[0]


def test_an_outdated_picture_and_a_stale_result_are_told(store: ResultStore) -> None:
    write_leaderboard(store, "paper10")
    result = store.load("paper10", CELL, "rmle")
    assert result is not None
    edit(store, {"per_image": {**result.per_image, "psnr": [1.0] * 10}})
    assert any("was not drawn" in problem for problem in outdated(store, "paper10"))
    edit(store, {"key": {**result.key, "benchmark_version": 0}})
    assert any("benchmark_version changed" in problem for problem in outdated(store, "paper10"))


def test_no_results_say_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="splitzoo bench --profile standard"):
        render(ResultStore(tmp_path), "standard", tmp_path / "page.md")


def test_the_published_leaderboard_is_current_and_complete() -> None:
    """Rules as tests: every cell of Tables 3, 4, 6, 8 and Figure 12 is there, none is stale."""
    store = ResultStore(PUBLISHED)
    assert outdated(store, "standard") == []
    results = store.all("standard")
    assert {(r.cell, r.attack) for r in results} >= {(a.cell, a.attack) for a in assignments()}
    for result in results:
        assert result.attack in CATALOGUE
        assert len(result.per_image["psnr"]) == 100
        assert all(0 <= value <= 100 for value in result.per_image["psnr"])
        assert all(-1 <= value <= 1 for value in result.per_image["ssim"])


def test_every_cell_below_the_paper_is_explained() -> None:
    """The notes name each by its key, and most cells need no excuse."""
    store = ResultStore(PUBLISHED)
    found = differences(store.all("standard"))
    notes = (PUBLISHED / "notes.md").read_text("utf-8")
    short = [each for each in found if not each.reached]
    assert len(found) == 45
    assert len(short) <= 0.2 * len(found)
    for each in short:
        assert f"{each.result.cell.key} {each.result.attack}" in notes


def test_published_labels_are_what_the_judge_reads() -> None:
    """Judged one image at a time, from the stored images."""
    store = ResultStore(PUBLISHED)
    for result in store.all("standard")[::9]:
        secret = evaluation_set(result.cell.dataset).images
        judge = load_judge(result.cell.dataset)
        for row, image in list(enumerate(store.recovered(result)))[::10]:
            with torch.no_grad():
                read = int(judge(image[None].float() / 255).argmax())
            assert (read == int(secret.labels[row])) == result.per_image["label"][row]


def test_a_new_judge_judges_again_without_attacking(
    store: ResultStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = store.load("paper10", CELL, "rmle")
    assert result is not None
    edit(
        store,
        {
            "key": {**result.key, "judge_sha256": "0" * 64},
            "per_image": {**result.per_image, "label": [False] * 10},
        },
    )
    monkeypatch.setattr(runner, "run_cell", lambda *_: pytest.fail("attacked again"))
    run = Run(CELL, "rmle", "paper10")
    again, note = runner.ensure_result(run, store, torch.device("cpu"))
    assert note == "judged anew"
    assert again.per_image["label"] == [False] + [True] * 9  # the first came back black
    assert again.per_image["psnr"] == result.per_image["psnr"]
    assert runner.ensure_result(run, store, torch.device("cpu"))[1] == "kept"


def test_published_scores_agree_with_the_published_images() -> None:
    """Recomputed from the stored 8-bit images, whose rounding hides errors under 1/255."""
    store = ResultStore(PUBLISHED)
    for result in store.all("standard"):
        secret = evaluation_set(result.cell.dataset).images.floats()
        recovered = store.recovered(result).float() / 255
        assert exact(secret, recovered) == result.per_image["exact"]
        for again, stored in zip(psnr(secret, recovered), result.per_image["psnr"], strict=True):
            if stored < 40:
                assert again == pytest.approx(stored, abs=0.2)


def test_a_better_explanation_does_not_make_results_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docstrings, comments and line breaks do not count; a constant or an indent does."""
    monkeypatch.syspath_prepend(tmp_path)

    def digest(name: str, source: str) -> str:
        (tmp_path / f"{name}.py").write_text(source, "utf-8")
        return source_sha256(__import__(name).A)

    base = "class A:\n    def f(self):\n        if self:\n            g()\n        return [1, 2]\n"
    same = (
        '"""Explained."""\n# why\nclass A:\n    """Doc."""\n\n    def f(self):\n        """D."""\n'
        "        if self:\n            g()  # so\n        return [1,\n                2]\n"
    )
    other = base.replace("[1, 2]", "[1, 3]")
    indented = base.replace("        return", "            return")
    assert digest("source_f", "class A:\n    f = f'{{a}} { {1: 2}[1] !r} {f\"b\"}'\n") == (
        "98367ab1d2c61767f5ffa140d628b67d2a1dc0032a102b2965995d312cf26f7b"
    ), "the digest must be the same on every version of Python"
    digests = [digest(f"source_{i}", text) for i, text in enumerate((base, same, other, indented))]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3
