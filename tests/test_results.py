"""Stored results: whole, current, in their own place; and the page is a function of them."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from PIL import Image
from splitzoo.bench import (
    Result,
    ResultStore,
    Run,
    Scenario,
    evaluation_set,
    load_results,
    scenario,
)
from splitzoo.bench.cli import main
from splitzoo.bench.referee import runs
from splitzoo.bench.referee.runs import carry_out, network_used, plain
from splitzoo.bench.report import checks
from splitzoo.bench.report.checks import outdated, unfounded, unpublishable
from splitzoo.bench.report.comparison import differences
from splitzoo.bench.report.figures import as_drawn
from splitzoo.bench.report.leaderboard import (
    leaderboard_path,
    provenance_path,
    render,
    write_leaderboard,
)
from splitzoo.bench.report.rows import rows
from splitzoo.bench.report.standing import Standing, standing
from splitzoo.bench.report.tables import best, summary
from splitzoo.bench.report.wording import ordered
from splitzoo.bench.score import metric as metric_room
from splitzoo.bench.score.metric import Metric
from splitzoo.bench.score.metrics.psnr import psnr
from splitzoo.bench.score.scoring import score, wrong_scores
from splitzoo.bench.secrets import judging
from splitzoo.bench.store import PUBLISHED
from splitzoo.bench.store.result import BENCHMARK_VERSION, Cost, Made, NetworkUsed, Verification
from splitzoo.bench.store.sheet import as_sheet
from splitzoo.zoo import Images, ResultError, files, get_defence, manifest, resolving
from splitzoo.zoo.manifests import FOLDER, Manifest

CPU = torch.device("cpu")
CELL = scenario("white_box/lenet/conv1", "paper10")


def result_for(
    cell: Scenario, recovered: torch.Tensor, attack: str = "rmle", seed: int = 0
) -> Result:
    """What a run of `cell` would store that recovered these 8-bit images."""
    run = Run(cell, attack, seed)
    secret = cell.evaluation()
    return Result(
        benchmark_version=BENCHMARK_VERSION,
        scenario=run.scenario_used(),
        attack=run.attack_used(),
        seed=seed,
        network=None,
        reported={
            "indices": secret.indices.tolist(),
            **score(secret.images, cell.target.dataset.name, recovered),
        },
        judge_sha256=manifest().get(f"{cell.target.dataset.name}_judge").content_sha256,
        cost=Cost(offline_seconds=0.0, online_seconds=5.0, queries=0),
        made=Made(device="test", versions={"torch": "2"}, date="2026-01-01"),
        recovered_sha256="0" * 64,
    )


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    """Results for LeNet at conv1: the images themselves, but for one that came back black."""
    store = ResultStore(tmp_path)
    recovered = evaluation_set("mnist", "paper10").images.pixels.clone()
    recovered[0] = 0
    store.save(result_for(CELL, recovered), recovered)
    return store


def edit(store: ResultStore, change: dict[str, Any]) -> Path:
    path = store.path(CELL, "rmle", 0)
    content = json.loads(path.read_text("utf-8"))
    content.update(change)
    path.write_text(json.dumps(content), "utf-8")
    return path


def test_a_result_comes_back_as_it_was_saved(store: ResultStore) -> None:
    result = store.load(CELL, "rmle")
    assert result is not None
    assert result.where == CELL
    assert result.stale_because(Run(CELL, "rmle").identity()) == ""
    recovered = store.recovered(result)
    secret = evaluation_set("mnist", "paper10").images.pixels
    assert torch.equal(recovered[1:], secret[1:])
    assert not recovered[0].any()
    assert result.reported["exact"] == [False] + [True] * 9


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("benchmark_version", 3),
        ("target_sha256", "0" * 64),
        ("images_sha256", "0" * 64),
        ("attack_version", 2),
        ("attack_fields", {"tv_weight": 123.0}),
        ("network_sha256", "0" * 64),
        ("network", "another"),
        ("defence", {"name": "noise", "fields": {"sigma": 0.1}, "sha256": None}),
    ],
)
def test_a_result_of_other_circumstances_is_stale(
    store: ResultStore, part: str, value: object
) -> None:
    result = store.load(CELL, "rmle")
    assert result is not None
    key = {**Run(CELL, "rmle").identity(), part: value}
    assert result.stale_because(key) == part


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"cell": {"setting": "white_box"}}'])
def test_a_malformed_result_names_the_remedy(store: ResultStore, text: str) -> None:
    store.path(CELL, "rmle", 0).write_text(text, "utf-8")
    with pytest.raises(ResultError, match="delete it and run again"):
        store.load(CELL, "rmle")


SCORES = {"psnr": [1.0], "ssim": [0.1], "exact": [False], "label": [True]}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"reported": {**SCORES, "indices": [1, 2]}}, "not equally many"),
        ({"reported": {**SCORES}}, "which images"),
        (
            {"reported": {name: 2 * each for name, each in {**SCORES, "indices": [1]}.items()}},
            "an image twice",
        ),
        ({"reported": {**SCORES, "indices": [1], "psnr": [5000.0]}}, "psnr cannot be 5000"),
        ({"reported": {**SCORES, "indices": [1], "ssim": [7.0]}}, "ssim cannot be 7"),
        ({"reported": {**SCORES, "indices": [1], "exact": [1.0]}}, "exact cannot be 1"),
        ({"reported": {**SCORES, "indices": [-1]}}, "which images"),
        ({"cost": {"offline_seconds": 0.0, "online_seconds": 5.0, "queries": -1}}, "queries"),
        ({"cost": {"offline_seconds": 0.0, "online_seconds": -5.0, "queries": 0}}, "seconds"),
        ({"failure": "it crashed"}, "say why not"),
        ({"recovered_sha256": None}, "say why not"),
        ({"seed": -1}, "seed"),
        ({"made": {"device": "x", "versions": {}, "date": "yesterday"}}, "date"),
        ({"isolation": "trust me"}, "isolation"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_value_that_cannot_be_true_is_refused(
    store: ResultStore, change: dict[str, Any], complaint: str
) -> None:
    path = edit(store, change)
    with pytest.raises(ResultError, match=complaint):
        store.load(CELL, "rmle")
    contents = store.contents("paper10")
    assert contents.results == []
    assert str(path) in contents.skipped[0]


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e999", "-NaN"])
def test_a_number_that_is_none_is_refused(store: ResultStore, text: str) -> None:
    path = store.path(CELL, "rmle", 0)
    content = path.read_text("utf-8")
    path.write_text(content.replace('"online_seconds": 5.0', f'"online_seconds": {text}'), "utf-8")
    with pytest.raises(ResultError):
        store.load(CELL, "rmle")


def test_a_result_in_anothers_place_is_refused(store: ResultStore) -> None:
    edit(store, {"seed": 7})
    assert "another scenario's" in store.contents("paper10").skipped[0]


def test_a_file_without_what_later_work_adds_is_read(store: ResultStore) -> None:
    """Defence, isolation, failure and verification have defaults: their absence is no fault."""
    path = store.path(CELL, "rmle", 0)
    content = json.loads(path.read_text("utf-8"))
    del content["isolation"], content["failure"], content["verified"]
    del content["scenario"]["defence"]
    path.write_text(json.dumps(content), "utf-8")
    result = store.load(CELL, "rmle")
    assert result is not None
    assert (result.isolation, result.verified, result.failure) == ("in_process", [], None)


def test_the_file_has_room_for_verification_and_failure(store: ResultStore) -> None:
    result = store.load(CELL, "rmle")
    assert result is not None
    checked = Verification(
        how="fresh_draw",
        seed=3,
        isolation="sandbox",
        agrees=True,
        per_image=result.reported,
        made=result.made,
    )
    images = store.recovered(result)
    store.save(replace(result, verified=[checked], isolation="sandbox"), images)
    again = store.load(CELL, "rmle")
    assert again is not None
    assert again.verified == [checked]
    store.save(replace(result, failure="out of time", recovered_sha256=None, reported={}), None)
    failed = store.load(CELL, "rmle")
    assert failed is not None
    assert failed.failure == "out of time"
    assert not store.path(CELL, "rmle", 0).with_suffix(".png").exists()
    page = render(store, "paper10", store.folder / "page.md")
    assert "out of time" in page


def test_images_that_are_not_the_results_are_refused(store: ResultStore) -> None:
    result = store.load(CELL, "rmle")
    assert result is not None
    images = store.path(CELL, "rmle", 0).with_suffix(".png")
    whole = images.read_bytes()
    for content in (whole[:-40], as_sheet(torch.zeros(10, 1, 28, 28).byte())):
        images.write_bytes(content)
        with pytest.raises(ResultError, match="does not belong to its result"):
            store.recovered(result)


def test_images_that_could_not_be_read_again_are_not_written(store: ResultStore) -> None:
    result = store.load(CELL, "rmle")
    assert result is not None
    images = store.recovered(result)
    before = {path: path.read_bytes() for path in store.folder.rglob("*.*")}
    for unreadable in (images.float() / 255, images[:9], images.expand(-1, 2, -1, -1)):
        with pytest.raises(ResultError, match="does not belong to its result"):
            store.save(result, unreadable)
    assert {path: path.read_bytes() for path in store.folder.rglob("*.*")} == before


def test_images_that_stand_there_are_not_written_anew(store: ResultStore) -> None:
    """Another machine's zlib would make other bytes of them, for git to keep."""
    result = store.load(CELL, "rmle")
    assert result is not None
    images = store.recovered(result)
    path = store.path(CELL, "rmle", 0).with_suffix(".png")
    with Image.open(path) as opened:
        opened.save(path, compress_level=0)
    stored = path.read_bytes()
    assert stored != as_sheet(images)
    store.save(replace(result, seed=0, order=5), images)
    assert path.read_bytes() == stored
    store.save(result, torch.zeros_like(images))
    assert path.read_bytes() == as_sheet(torch.zeros_like(images))


def test_whoever_looks_at_the_file_sees_the_images(store: ResultStore) -> None:
    with Image.open(store.path(CELL, "rmle", 0).with_suffix(".png")) as opened:
        picture = np.asarray(opened)
    secret = CELL.evaluation().images.pixels
    assert picture.shape == (28, 280)
    assert not picture[:, :28].any()
    for place in range(1, 10):
        assert np.array_equal(picture[:, 28 * place : 28 * (place + 1)], secret[place, 0].numpy())


def test_the_page_shows_the_paper_beside_ours(store: ResultStore) -> None:
    page = write_leaderboard(store, "paper10")
    text = page.read_text("utf-8")
    assert "39.69" in text  # Table 3, MNIST conv1
    assert "0.9969" in text
    assert "90 %" in text  # nine of ten recognisable, and exact
    assert " 0.5, 0, 0 |" in text  # 5 seconds for ten images, nothing offline, no query
    assert (page.parent / "paper10/figures/white_box-lenet-rmle.png").is_file()
    assert "(paper10/figures/white_box-lenet-rmle.png)" in text


def test_a_score_that_an_oracle_helped_is_marked() -> None:
    """λ of rMLE is tuned with true features; model reconstruction has the setting's own images."""
    images = CELL.evaluation().images.pixels
    helped = result_for(CELL, images // 2)
    granted = scenario("black_box_same_set/lenet/conv1", "paper10")
    lawful = result_for(granted, images // 2, "model_reconstruction")
    for result, mark in ((helped, "°"), (lawful, "")):
        (score,) = (line for line in summary(rows([result])).splitlines() if "PSNR, dB" in line)
        assert re.search(r"± [0-9.]+\*?(°?) +\|$", score)[1] == mark  # type: ignore[index]


def test_a_picture_shows_pixels_as_they_are(store: ResultStore) -> None:
    """Every original is in the picture, and below it what was recovered of it, each pixel as three
    by three."""
    where = scenario("white_box/cifar_cnn/conv11", "paper10")
    secrets = evaluation_set("cifar10", "paper10").images.pixels
    store.save(result_for(where, 255 - secrets), 255 - secrets)
    page = write_leaderboard(store, "paper10")
    with Image.open(page.parent / "paper10/figures/white_box-cifar_cnn-rmle.png") as picture:
        seen = np.asarray(picture)
    first = secrets[0].permute(1, 2, 0).numpy().repeat(3, axis=0).repeat(3, axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(seen[:140, :240], (96, 96, 3))[:, :, 0]
    (corner,) = np.argwhere((windows == first).all((-1, -2, -3)))
    across = (
        96
        + np.argwhere((seen[corner[0] : corner[0] + 96, corner[1] + 96 :] != 255).any((0, 2)))[0, 0]
    )
    large = secrets.permute(0, 2, 3, 1).numpy().repeat(3, axis=1).repeat(3, axis=2)
    for place, image in enumerate(large):
        left = corner[1] + place * across
        part = seen[corner[0] :, left : left + 96]
        assert (part[:96] == image).all()
        assert (part[102:198] == 255 - image).all()


@pytest.mark.parametrize(
    ("shape", "drawn"),
    [
        ((1, 28, 28), (84, 84, 3)),
        ((3, 91, 91), (90, 90, 3)),
        ((3, 224, 112), (90, 45, 3)),
        ((1, 300, 1), (90, 1, 3)),
        ((1, 2, 40), (4, 80, 3)),
    ],
)
def test_images_of_any_size_are_drawn_about_90_pixels_long(
    shape: tuple[int, ...], drawn: tuple[int, ...]
) -> None:
    assert as_drawn(torch.zeros(2, *shape, dtype=torch.uint8)).shape == (2, *drawn)


def test_the_page_is_a_function_of_the_results(store: ResultStore) -> None:
    page = write_leaderboard(store, "paper10")
    assert outdated(store, "paper10") == []
    assert render(store, "paper10", page) == page.read_text("utf-8")
    page.write_text(page.read_text("utf-8").replace("39.69", "39.70"), "utf-8")
    assert "is not what the stored results render to" in outdated(store, "paper10")[0]


def test_an_outdated_picture_and_a_stale_result_are_told(store: ResultStore) -> None:
    write_leaderboard(store, "paper10")
    result = store.load(CELL, "rmle")
    assert result is not None
    edit(store, {"reported": {**result.reported, "psnr": [1.0] * 10}})
    assert any("was not drawn" in problem for problem in outdated(store, "paper10"))
    edit(store, {"benchmark_version": 1})
    assert any("benchmark_version changed" in problem for problem in outdated(store, "paper10"))


def test_one_edited_digit_is_found_even_when_the_page_is_rendered_anew(store: ResultStore) -> None:
    """The smallest lie that the file can tell, in each number."""
    result = store.load(CELL, "rmle")
    assert result is not None
    for metric, digits in (("psnr", 4), ("ssim", 6)):
        for sign in (-1, 1):
            values = list(result.reported[metric])
            values[0] = round(values[0] + sign * 10.0**-digits, digits)
            edit(store, {"reported": {**result.reported, metric: values}})
            write_leaderboard(store, "paper10")
            assert [p for p in outdated(store, "paper10") if f"{metric} is not what" in p]
    for metric in ("exact", "label"):
        values = [not result.reported[metric][0], *result.reported[metric][1:]]
        edit(store, {"reported": {**result.reported, metric: values}})
        write_leaderboard(store, "paper10")
        assert [p for p in outdated(store, "paper10") if f"{metric} is not what" in p]
    edit(store, {"reported": dict(result.reported)})
    write_leaderboard(store, "paper10")
    assert outdated(store, "paper10") == []


@pytest.mark.parametrize(
    ("true", "another", "third", "allowed"),
    [(5.0, 5.0004, 0.0, True), (5.0, 5.1, 0.0, False), (0.0, 5.0, 5.0004, False)],
)
def test_a_label_may_differ_only_where_the_judge_hesitates_over_it(
    true: float, another: float, third: float, allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By hand: logits of the secret's label 0, of 1 and of 2; the judge never reads 0 here."""
    logits = torch.tensor([[true, another, third]])
    monkeypatch.setattr(judging, "_logits", lambda dataset, recovered: logits)
    pixels = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    secret = Images(pixels, torch.tensor([0]))
    stored = {**score(secret, "mnist", pixels), "indices": [0]}
    assert stored["label"] == [False]
    claimed = {**stored, "label": [True]}
    assert wrong_scores(claimed, secret, "mnist", pixels) == ([] if allowed else ["label"])


def test_images_swapped_and_hashed_again_are_found(store: ResultStore) -> None:
    result = store.load(CELL, "rmle")
    assert result is not None
    store.save(result, store.recovered(result).flip(0))
    write_leaderboard(store, "paper10")
    assert [p for p in outdated(store, "paper10") if "is not what its stored images score" in p]


def test_scoring_again_attacks_nothing_and_writes_only_what_was_wrong(
    store: ResultStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runs, "carry_out", lambda *_: pytest.fail("attacked again"))
    arguments = ["score", "--profile", "paper10", "--results", str(store.folder)]
    path = store.path(CELL, "rmle", 0)
    before, written = path.read_bytes(), path.stat().st_mtime_ns
    assert main(arguments) == 0
    assert path.stat().st_mtime_ns == written
    result = store.load(CELL, "rmle")
    assert result is not None
    edit(store, {"reported": {**result.reported, "psnr": [99.0] * 10}})
    assert main(arguments) == 0
    assert path.read_bytes() == before
    assert "1 scored anew" in capsys.readouterr().out


def test_a_torn_pair_heals_at_the_next_run(store: ResultStore) -> None:
    """As after a kill between the images and the scores: the images are another result's."""
    path = store.path(CELL, "rmle", 0).with_suffix(".png")
    for content in (as_sheet(torch.zeros(10, 1, 28, 28).byte()), b"", None):
        path.unlink(missing_ok=True) if content is None else path.write_bytes(content)
        again, note = runs.ensure_result(Run(CELL, "rmle"), store, CPU)
        assert note.startswith("was unusable")
        assert (
            wrong_scores(
                again.reported,
                evaluation_set("mnist", "paper10").images,
                "mnist",
                store.recovered(again),
            )
            == []
        )


def test_two_writers_never_mix_scores_and_images(tmp_path: Path) -> None:
    """Two processes write two different results to one place, forty times each."""
    code = f"""
import sys
from pathlib import Path
import torch
from test_results import CELL, result_for
from splitzoo.bench import ResultStore
shade, folder = int(sys.argv[1]), Path({str(tmp_path)!r})
images = torch.full((10, 1, 28, 28), shade, dtype=torch.uint8)
result, store = result_for(CELL, images), ResultStore(folder)
(folder / f"ready{{shade}}").touch()
while len(list(folder.glob("ready*"))) < 2:
    pass
for _ in range(40):
    store.save(result, images)
"""
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    path = os.pathsep.join(filter(None, paths))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    writers = [
        subprocess.Popen([sys.executable, "-c", code, shade], env=environment)
        for shade in ("0", "200")
    ]
    store, secret = ResultStore(tmp_path), evaluation_set("mnist", "paper10").images
    seen = set()
    while any(writer.poll() is None for writer in writers):
        with store.writing(tmp_path):  # a reader that nobody may interrupt
            result = store.load(CELL, "rmle")
            if result is not None:
                seen.add(int(store.recovered(result).max()))
    assert [writer.wait() for writer in writers] == [0, 0]
    assert seen <= {0, 200}
    result = store.load(CELL, "rmle")
    assert result is not None
    assert wrong_scores(result.reported, secret, "mnist", store.recovered(result)) == []


def test_reading_changes_nothing_on_disk(store: ResultStore) -> None:
    write_leaderboard(store, "paper10")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    place = store.path(CELL, "rmle", 0).parent
    leftover = place / f".half.json.{files._host()}-{ended.pid}.x.part"
    leftover.write_text("half")
    before = {path: path.stat().st_mtime_ns for path in store.folder.rglob("*")}
    reader = ResultStore(store.folder)
    reader.contents("paper10")
    outdated(reader, "paper10")
    load_results(store.folder, "paper10")
    assert {path: path.stat().st_mtime_ns for path in store.folder.rglob("*")} == before
    result = store.load(CELL, "rmle")
    assert result is not None
    store.save(result, store.recovered(result))
    assert not leftover.exists(), "writing sweeps up what a killed process left"


def test_a_retired_attacks_result_is_skipped_with_a_line(
    store: ResultStore, capsys: pytest.CaptureFixture[str]
) -> None:
    result = store.load(CELL, "rmle")
    assert result is not None
    foreign = replace(result, attack=replace(result.attack, name="retired"))
    store.save(foreign, store.recovered(result))
    arguments = ["leaderboard", "--profile", "paper10", "--results", str(store.folder)]
    assert main(arguments) == 0
    assert "'retired'" in capsys.readouterr().err
    assert "39.69" in leaderboard_path(store, "paper10").read_text("utf-8")
    assert main([*arguments, "--check"]) == 1, "in the published folder it must fail the build"


def test_seeds_are_all_shown_and_averaged(store: ResultStore) -> None:
    """Seed 0 left the first image black, seed 1 the others: each mean is known."""
    recovered = torch.zeros(10, 1, 28, 28, dtype=torch.uint8)
    recovered[0] = evaluation_set("mnist", "paper10").images.pixels[0]
    store.save(result_for(CELL, recovered, seed=1), recovered)
    first, second = (store.load(CELL, "rmle", seed) for seed in (0, 1))
    assert first is not None
    assert second is not None
    (row,) = rows(store.all("paper10"))
    assert row.seeds == (0, 1)
    for metric in ("psnr", "ssim"):
        pairs = zip(first.reported[metric], second.reported[metric], strict=True)
        assert row.per_image[metric] == pytest.approx([(a + b) / 2 for a, b in pairs])
    page = write_leaderboard(store, "paper10").read_text("utf-8")
    assert "10 × 2 seeds" in page
    for number, each in enumerate((first, second)):
        mean_psnr = sum(each.reported["psnr"]) / 10
        assert f"seed {number}" in page
        assert f"{mean_psnr:.2f} / " in page
    assert "50 %" in page  # exact: nine of ten with one seed, one of ten with the other


def test_a_row_of_which_one_seed_was_verified_says_which_share(store: ResultStore) -> None:
    first = store.load(CELL, "rmle")
    assert first is not None
    recovered = store.recovered(first)
    store.save(replace(first, seed=1), recovered)
    checked = Verification(
        how="whole",
        seed=0,
        isolation="sandbox",
        agrees=True,
        per_image=first.reported,
        made=first.made,
    )
    store.save(replace(first, verified=[checked]), recovered)
    page = render(store, "paper10", store.folder / "page.md")
    assert "in process; whole, 1 of 2 seeds |" in page


def test_a_row_with_a_failed_seed_is_not_averaged_over_the_others(store: ResultStore) -> None:
    result = store.load(CELL, "rmle")
    assert result is not None
    failed = replace(result, seed=1, failure="NaN", recovered_sha256=None, reported={})
    store.save(failed, None)
    assert rows(store.all("paper10")) == []
    assert "seed 1: NaN" in render(store, "paper10", store.folder / "page.md")


def test_text_from_a_file_cannot_write_the_page(store: ResultStore) -> None:
    result = store.load(CELL, "rmle")
    assert result is not None
    device = "x | y # Mine <script> [a](b) `c` *d* _e_"
    store.save(replace(result, made=replace(result.made, device=device)), store.recovered(result))
    write_leaderboard(store, "paper10")
    page = provenance_path(store, "paper10").read_text("utf-8")
    assert r"x \| y # Mine &lt;script&gt; \[a\](b) \`c\` \*d\* \_e\_" in page


def written(store: ResultStore) -> str:
    """Both pages that are written, one after the other."""
    page = write_leaderboard(store, "paper10").read_text("utf-8")
    return page + provenance_path(store, "paper10").read_text("utf-8")


HOSTILE = "a | b\u2028# c <img src=x> [d](//e) `f` *g* ~~h~~ $i$ __j__ &lt;k> \\| l"


def test_a_hostile_result_cannot_write_the_page(store: ResultStore) -> None:
    """Whatever text a file holds: a table keeps its cells, and nothing becomes markup."""
    result = store.load(CELL, "rmle")
    assert result is not None
    recovered = store.recovered(result)
    before = written(store)
    hostile = replace(
        result,
        made=Made(device=HOSTILE, versions={"torch": HOSTILE}, date="2026-01-01"),
        attack=replace(result.attack, calibrated={HOSTILE: HOSTILE}),
    )
    store.save(hostile, recovered)
    failed = replace(result, seed=1, failure=HOSTILE, recovered_sha256=None, reported={})
    other = scenario("white_box/lenet/relu2", "paper10")
    store.save(hostile, recovered)
    store.save(replace(failed, scenario=Run(other, "rmle").scenario_used()), None)
    page = written(store)
    plain = re.sub(r"\\[\\`*|\[\]~$_]", "", page)  # without what is escaped
    for markup in ("<img", "[d]", "`f`", "*g*", "~~h", "$i", "__j", "&lt;k>"):
        assert markup not in plain
    assert "# c" in page
    assert not [line for line in page.splitlines() if line.startswith("# c")]

    def cells(text: str) -> list[int]:
        text = text[text.index("# Where the numbers") :]
        return [line.count("|") for line in text.splitlines() if line.startswith("|")]

    assert set(cells(plain)) == set(cells(before))


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("attack", {"name": "rmle|"}),
        ("attack", {"type": "<b>"}),
        ("scenario", {"split": "a`b"}),
        ("made", {"device": "a\nb"}),
        ("scenario", {"defence": {"name": "gaussian_noise", "fields": {"sigma": "`|"}}}),
        ("scenario", {"defence": {"name": "gaussian_noise", "fields": {"`": 1}}}),
    ],
)
def test_a_name_that_is_none_is_refused(
    store: ResultStore, part: str, change: dict[str, Any]
) -> None:
    path = store.path(CELL, "rmle", 0)
    content = json.loads(path.read_text("utf-8"))
    content[part].update(change)
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(ResultError, match="is not a result"):
        store.load(CELL, "rmle")


@pytest.fixture
def learned(tmp_path: Path) -> tuple[ResultStore, Result]:
    """A published row that rests on a learned network, in a store of its own."""
    published = ResultStore(PUBLISHED)
    result = published.load(scenario("black_box_same_set/lenet/conv1"), "inverse_network")
    assert result is not None
    store = ResultStore(tmp_path / "learned")
    store.save(result, published.recovered(result))
    return store, result


def test_the_cost_of_a_learned_network_is_its_records(
    learned: tuple[ResultStore, Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the record nor the result can be edited alone, up or down."""
    store, result = learned
    assert unfounded(result, store) == []
    assert result.network is not None
    known = manifest()
    record = known.get("lenet_inverse_conv1-same_set")
    for edited in (
        {"queries": record.training["queries"] - 1},
        {"seconds": record.training["seconds"] - 1},
        {"seconds": record.training["seconds"] + 1},
        {"device": "a faster one"},
    ):
        other = dataclasses.replace(record, training={**record.training, **edited})
        records = Manifest({**known.records, record.name: other}, known.hub)
        with monkeypatch.context() as patch:
            patch.setattr("splitzoo.bench.report.checks.manifest", lambda r=records: r)
            assert any("record" in line for line in unfounded(result, store)), edited
    for cost in (
        replace(result.cost, queries=result.cost.queries - 1),
        replace(result.cost, queries=result.cost.queries + 1),
        replace(result.cost, offline_seconds=record.training["seconds"] - 1),
    ):
        assert any("record" in line for line in unfounded(replace(result, cost=cost), store)), cost
    bare = replace(result, network=replace(result.network, training_sha256=None))
    assert any("another training" in line for line in unfounded(bare, store))


def test_a_checkpoint_that_a_row_rests_on_is_hashed(
    learned: tuple[ResultStore, Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its header says the same of the same tensors: only the bytes differ, by a space."""
    store, result = learned
    copied = Path(shutil.copytree(FOLDER, tmp_path / "checkpoints"))
    monkeypatch.setattr(resolving, "FOLDER", copied)
    file = copied / "lenet_inverse_conv1-same_set.safetensors"
    content = file.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + size] + b" " * 8
    file.write_bytes(len(header).to_bytes(8, "little") + header + content[8 + size :])
    checks._damage.cache_clear()
    assert any("is damaged: its sha256" in line for line in unfounded(result, store))
    checks._damage.cache_clear()


def test_every_number_as_a_long_table(
    store: ResultStore, capsys: pytest.CaptureFixture[str]
) -> None:
    result = store.load(CELL, "rmle")
    assert result is not None
    table = load_results(store.folder, "paper10")
    assert len(table) == 10 * 4
    found = [row["value"] for row in table if row["metric"] == "psnr"]
    assert found == result.reported["psnr"]
    assert {row["split"] for row in table} == {"conv1"}
    each = {(row["image"], row["metric"]) for row in table}
    assert len(each) == len(table), "a row for each image and metric"
    assert {row["image"] for row in table} == set(result.reported["indices"])
    arguments = ["leaderboard", "--profile", "paper10", "--results", str(store.folder)]
    assert main([*arguments, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == table
    assert main([*arguments, "--format", "csv"]) == 0
    rows_of_csv = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [float(row["value"]) for row in rows_of_csv if row["metric"] == "psnr"] == found
    assert main([*arguments, "--format", "xml"]) == 2


def test_the_table_tells_defences_and_fields_apart(store: ResultStore) -> None:
    """By their fields too, or two rows of one attack would be averaged in pandas."""
    defence = get_defence("gaussian_noise")
    for sigma in (0.1, 0.2):
        where = Run(scenario(CELL.key, "paper10", defence(sigma=sigma)), "gray_image")
        carry_out(where, store, torch.device("cpu"))
    chosen = (("step_size", 0.5),)
    carry_out(Run(CELL, "rmle", overrides=(("iterations", 1), *chosen)), store, torch.device("cpu"))
    table = load_results(store.folder, "paper10")
    defended = {row["defence"] for row in table if row["attack"] == "gray_image"}
    assert defended == {"gaussian_noise-sigma0.1", "gaussian_noise-sigma0.2"}
    labels = {row["label"] for row in table if row["attack"] == "rmle"}
    assert len(labels) == 2
    assert "rmle" in labels
    assert len({tuple(row.items()) for row in table}) == len(table)


def test_a_tuple_among_the_fields_is_no_reason_to_run_again() -> None:
    assert plain({"ends": (0.0, (1, 2))}) == {"ends": [0.0, [1, 2]]}


def test_a_field_that_was_removed_makes_stale_and_still_renders(store: ResultStore) -> None:
    result = store.load(CELL, "rmle")
    assert result is not None
    fields = {**result.attack.fields, "retired_field": 3}
    old = replace(result, attack=replace(result.attack, fields=fields))
    store.save(old, store.recovered(result))
    assert any("attack_fields changed" in line for line in outdated(store, "paper10"))


def test_a_new_metric_needs_no_attack(store: ResultStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Older files lack it: they are left out of the page with a line until they are scored."""
    brightness = Metric(
        name="brightness",
        title="brightness",
        place=9,
        compute=lambda s, _, r: r.double().mean((1, 2, 3)).tolist(),
        low=0,
        high=255,
        digits=2,
    )
    monkeypatch.setattr(runs, "carry_out", lambda *_: pytest.fail("attacked again"))
    known = {**metric_room.all_metrics(), "brightness": brightness}
    monkeypatch.setattr(metric_room, "all_metrics", lambda: known)
    found = standing(store, "paper10")
    assert found.results == []
    assert "lacks brightness; run `splitzoo score`" in found.stale[0]
    assert main(["score", "--profile", "paper10", "--results", str(store.folder)]) == 0
    (result,) = standing(store, "paper10").results
    means = store.recovered(result).double().mean((1, 2, 3)).tolist()
    assert result.reported["brightness"] == pytest.approx(means, abs=0.005)


def test_results_of_another_time_are_left_out_and_not_averaged(store: ResultStore) -> None:
    result = store.load(CELL, "rmle")
    assert result is not None
    before = render(store, "paper10", store.folder / "page.md")
    newer = replace(result, seed=1, attack=replace(result.attack, version=9))
    store.save(newer, store.recovered(result))
    assert render(store, "paper10", store.folder / "page.md") == before
    assert any("attack_version changed" in line for line in outdated(store, "paper10"))


FORGED = {
    "another network's name": (
        "black_box_same_set",
        "inverse_network",
        {"network": NetworkUsed(sha256="0" * 64, name="lenet_inverse_conv1-rand_set")},
    ),
    "queries that it never made": (
        "white_box",
        "rmle",
        {"cost": Cost(offline_seconds=0.0, online_seconds=5.0, queries=12345)},
    ),
    "a setting that does not grant what it needs": ("query_free_diff_set_diff_net", "rmle", {}),
}


@pytest.mark.parametrize("forgery", FORGED)
def test_what_a_row_cannot_be_is_found(tmp_path: Path, forgery: str) -> None:
    setting, attack, change = FORGED[forgery]
    cell, store = scenario(f"{setting}/lenet/conv1", "paper10"), ResultStore(tmp_path)
    images = evaluation_set("mnist", "paper10").images.pixels
    result = result_for(cell, images, attack)
    store.save(replace(result, **change), images)
    assert any(cell.key in line for line in outdated(store, "paper10"))


def test_a_published_rows_network_cannot_be_exchanged() -> None:
    """The name of another network beside the hash of its own, and that other's cost."""
    cell = scenario("black_box_same_set/lenet/conv1")
    result = ResultStore(PUBLISHED).load(cell, "inverse_network")
    assert result is not None
    assert result.network is not None
    run = Run(cell, "inverse_network")
    assert result.stale_because(run.identity()) == ""
    other = replace(result, network=replace(result.network, name="lenet_inverse_conv1-rand_set"))
    assert other.stale_because(run.identity()) == "network"


def test_images_in_another_order_or_number_are_found_and_made_again(store: ResultStore) -> None:
    result = store.load(CELL, "rmle")
    assert result is not None
    images = store.recovered(result)
    swapped = [result.reported["indices"][1], result.reported["indices"][0]]
    reordered = {**result.reported, "indices": [*swapped, *result.reported["indices"][2:]]}
    fewer = {name: values[:9] for name, values in result.reported.items()}
    arguments = ["score", "--profile", "paper10", "--results", str(store.folder)]
    for reported, kept in ((reordered, images), (fewer, images[:9])):
        store.save(replace(result, reported=reported), kept)
        assert outdated(store, "paper10")
        assert main(arguments) == 1
        again, note = runs.ensure_result(Run(CELL, "rmle"), store, CPU)
        assert note.startswith("was unusable")
        assert again.reported["indices"] == result.reported["indices"]


def test_values_that_are_no_metrics_are_found_and_scored_away(store: ResultStore) -> None:
    result = store.load(CELL, "rmle")
    assert result is not None
    edit(store, {"reported": {**result.reported, "lpips": [0.0] * 10}})
    assert any("lpips is not what its stored images score" in p for p in outdated(store, "paper10"))
    assert main(["score", "--profile", "paper10", "--results", str(store.folder)]) == 0
    assert store.load(CELL, "rmle") == result


def test_scoring_never_overwrites_what_came_meanwhile(store: ResultStore) -> None:
    result = store.load(CELL, "rmle")
    assert result is not None
    images = store.recovered(result)
    newer = store.save(replace(result, made=replace(result.made, device="newer")), images)
    assert store.save(result, images, instead_of=result) == newer
    assert store.load(CELL, "rmle") == newer


def test_what_could_not_be_read_again_is_not_written(store: ResultStore) -> None:
    result = store.load(CELL, "rmle")
    assert result is not None
    with pytest.raises(ResultError):
        store.save(replace(result, made=replace(result.made, device="x" * 2000)), None)
    assert store.load(CELL, "rmle") == result


def test_a_store_of_one_layer_without_a_column_renders(tmp_path: Path) -> None:
    cell = scenario("query_free_same_set_same_net/lenet/fc1", "paper10")
    store = ResultStore(tmp_path)
    images = evaluation_set("mnist", "paper10").images.pixels
    store.save(replace(result_for(cell, images, "shadow_model"), network=published(cell)), images)
    assert "fc1" in render(store, "paper10", tmp_path / "page.md")


def published(cell: Scenario) -> NetworkUsed | None:
    return network_used(Run(cell, "shadow_model").published())


def test_no_results_say_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="splitzoo bench --profile standard"):
        render(ResultStore(tmp_path), "standard", tmp_path / "page.md")


def test_a_published_row_cannot_be_lacking_or_failed() -> None:
    """Deleting a bad row, or calling it a failure, does not make the page pass. The rest of what
    is published, score by score, `make test` checks by `splitzoo leaderboard --check`."""
    found = standing(ResultStore(PUBLISHED), "standard")
    assert unpublishable(found) == []
    first = next(result for result in found.results if result.attack.name == "inverse_network")
    others = [result for result in found.results if result is not first]
    assert unpublishable(Standing(others, [], [])) != []
    failed = replace(first, failure="it crashed", recovered_sha256=None, reported={})
    assert unpublishable(Standing([failed, *others], [], [])) != []


def test_every_cell_below_the_paper_is_explained() -> None:
    """The notes name each by its key, and most cells need no excuse."""
    store = ResultStore(PUBLISHED)
    found = differences(rows(store.all("standard")))
    notes = (PUBLISHED / "notes.md").read_text("utf-8")
    short = [each for each in found if not each.reached]
    assert len(found) == 45
    assert len(short) <= 0.25 * len(found)
    for each in short:
        assert f"{each.result.scenario.key} {each.result.attack}" in notes


def test_a_new_judge_judges_again_without_attacking(
    store: ResultStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = store.load(CELL, "rmle")
    assert result is not None
    edit(
        store,
        {"judge_sha256": "0" * 64, "reported": {**result.reported, "label": [False] * 10}},
    )
    monkeypatch.setattr(runs, "carry_out", lambda *_: pytest.fail("attacked again"))
    run = Run(CELL, "rmle")
    again, note = runs.ensure_result(run, store, CPU)
    assert note == "scored anew"
    assert again == result
    assert runs.ensure_result(run, store, CPU)[1] == "kept"


def test_the_best_of_a_cell_is_its_highest_psnr_and_no_baseline(tmp_path: Path) -> None:
    """Two attacks and a baseline that beats both, in a row of its own; of equals the one whose
    fields nobody tuned."""
    secret = evaluation_set("mnist", "paper10").images.pixels
    store = ResultStore(tmp_path)
    for attack, images in (
        ("rmle", secret),
        ("affine_inversion", secret),
        ("gray_image", secret),
    ):
        store.save(result_for(CELL, images, attack), images)
    other = scenario("white_box/lenet/relu2", "paper10")
    store.save(result_for(other, secret // 2, "rmle"), secret // 2)
    header, _, line, blind = best(ordered(rows(store.all("paper10")))).splitlines()
    assert [cell.strip() for cell in header.split("|")[2:4]] == ["lenet/conv1", "lenet/relu2"]
    first, second = (cell.strip() for cell in line.split("|")[2:4])
    assert first == "100.00 / 1.000 Affine inversion"
    halved = psnr(secret.double() / 255, (secret // 2).double() / 255)
    assert second.startswith(f"{sum(halved) / 10:.2f} / ")
    assert second.endswith("rMLE°")
    assert [cell.strip() for cell in blind.split("|")[1:4]] == [
        "Without a feature",
        "100.00 / 1.000 Gray image",
        "",
    ]
