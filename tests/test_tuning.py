"""A hyperparameter is chosen on the training images that were given, and the choice is used."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from msgspec.structs import replace
from splitzoo.attacks import by_name, configured
from splitzoo.attacks.recipes import SHALLOW
from splitzoo.attacks.tuned import TUNED, decode, end_of, open_ends, tuned
from splitzoo.bench import Scenario, scenario
from splitzoo.bench.cli import main
from splitzoo.bench.referee import tuning
from splitzoo.bench.referee.tuning import chosen_with, outdated_choices
from splitzoo.zoo import Images, MisuseError

CPU = torch.device("cpu")
CELL = scenario("white_box/lenet/conv1")


@pytest.fixture
def bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """The training images are two, each a white bar on black."""
    pixels = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
    pixels[:, :, 8:20, 12:16] = 255
    train = Images(pixels, torch.tensor([0, 1]))
    monkeypatch.setattr(tuning, "load_dataset", lambda name, part: train)


@pytest.mark.usefixtures("bar")
def test_the_best_value_is_kept_with_its_evidence_and_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A huge λ flattens the image, so a small one must win, and be used from then on."""
    chosen = tuning.tune("rmle", CELL, "tv_weight", [0.0, 0.01, 1e4], per_class=1, device=CPU)
    assert chosen.value < 1e4
    assert [point.value for point in chosen.evidence.curve] == [0.0, 0.01, 1e4]
    assert chosen.evidence.train_indices == [0, 1]

    path = tmp_path / "tuned.json"
    tuning.keep("rmle", CELL, "tv_weight", chosen, path)
    tuning.keep("rmle", CELL, "beta", replace(chosen, evidence=chosen.evidence), path)
    monkeypatch.setattr(by_name, "tuned", lambda: decode(path.read_bytes()))
    attack = configured("rmle", "lenet/conv1", "white_box")
    expected = {"tv_weight": chosen.value, "beta": chosen.value, **SHALLOW}
    assert expected.items() <= vars(attack).items()


class Curve:
    """A stand-in for attacks: the PSNR of a value is what the test says."""

    def __init__(self, best: float) -> None:
        self.best, self.tried = best, list[float]()

    def install(self, monkeypatch: pytest.MonkeyPatch) -> Curve:
        def attack(attack: Any, where: Scenario, shown: Images, **_: Any) -> Any:
            self.tried.append(attack.tv_weight)
            noise = 0.01 + abs(math.log10((attack.tv_weight + 1e-9) / (self.best + 1e-9))) / 40
            images = (shown.floats() - noise).clamp(0, 1)
            return SimpleNamespace(pixels=(255 * images).round().byte())

        monkeypatch.setattr(tuning, "attack_images", attack)
        return self


@pytest.mark.usefixtures("bar")
@pytest.mark.parametrize(
    ("best", "grid", "tried"),
    [
        (3.0, [1.0, 3.0, 10.0], [1.0, 3.0, 10.0]),
        (1000.0, [1.0, 10.0], [1.0, 10.0, 100.0, 1000.0, 10000.0]),
        (110.0, [3.0, 10.0], [3.0, 10.0, 33.0, 110.0, 370.0]),
        (300.0, [100.0], [100.0, 300.0, 900.0]),
    ],
)
def test_a_grid_whose_best_value_is_its_end_is_carried_on(
    best: float, grid: list[float], tried: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    curve = Curve(best).install(monkeypatch)
    chosen = tuning.tune("rmle", CELL, "tv_weight", grid, per_class=1, device=CPU)
    assert sorted(curve.tried) == pytest.approx(sorted(tried))
    assert chosen.value == pytest.approx(best)


@pytest.mark.usefixtures("bar")
def test_the_fields_own_end_may_win(monkeypatch: pytest.MonkeyPatch) -> None:
    """λ cannot be less than 0, so nothing beyond it is left to try."""
    curve = Curve(0.0).install(monkeypatch)
    chosen = tuning.tune("rmle", CELL, "tv_weight", [0.1, 1.0], per_class=1, device=CPU)
    assert chosen.value == 0
    assert curve.tried == [0.1, 1.0, 0.0]


@pytest.mark.usefixtures("bar")
def test_a_curve_that_never_turns_fails_and_is_kept_to_go_on_from(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Curve(1e30).install(monkeypatch)
    kept = []
    monkeypatch.setattr(tuning, "ensure_tunable", lambda: None)
    monkeypatch.setattr(tuning, "keep", lambda *arguments: kept.append(arguments[-1]))
    arguments = ["tune", "rmle", "--only", CELL.key, "--grid", "1,2", "--per-class", "1"]
    assert main(arguments) == 1
    assert "still an end of the grid at white_box/lenet/conv1" in capsys.readouterr().err
    (choice,) = kept
    assert end_of(choice) == "high"
    assert len(choice.evidence.curve) == 2 + tuning.EXTENSIONS


@pytest.mark.usefixtures("bar")
def test_equal_values_are_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where λ does nothing, the least of the best counts, in whatever order they were tried."""
    same = SimpleNamespace(pixels=torch.zeros(2, 1, 28, 28))
    monkeypatch.setattr(tuning, "attack_images", lambda *_, **__: same)
    for grid in ([0.1, 1.0], [1.0, 0.1]):
        chosen = tuning.tune("rmle", CELL, "tv_weight", grid, per_class=1, device=CPU)
        assert chosen.value == 0


@pytest.mark.usefixtures("bar")
def test_psnr_may_prefer_a_flat_image_and_ssim_what_there_is_to_see(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """λ below 1 gives the bar with as much noise as to lose in PSNR against its mean brightness."""
    noise = 0.8 * torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))

    def attack(attack: Any, where: Scenario, shown: Images, **_: Any) -> Any:
        pixels = shown.floats()
        flat = torch.full_like(pixels, pixels.mean().item())
        seen = attack.tv_weight < 1
        images = (pixels + noise).clamp(0, 1) if seen else flat
        return SimpleNamespace(pixels=(255 * images).round().byte())

    monkeypatch.setattr(tuning, "attack_images", attack)
    for criterion, value in (("psnr", 1.0), ("ssim", 0.0)):
        chosen = tuning.tune(
            "rmle",
            CELL,
            "tv_weight",
            [0.0, 0.5, 1.0, 2.0],
            per_class=1,
            device=CPU,
            criterion=criterion,  # type: ignore[arg-type]
        )
        assert chosen.value == value


@pytest.mark.usefixtures("bar")
def test_a_value_beyond_the_fields_own_ends_is_refused() -> None:
    with pytest.raises(MisuseError, match="tv_weight cannot be -1"):
        tuning.tune("rmle", CELL, "tv_weight", [-1.0, 1.0], per_class=1, device=CPU)


def test_what_could_not_be_read_again_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "tuned.json"
    choice = tuned()["rmle"][CELL.key]["tv_weight"]
    huge = replace(choice.evidence.curve[0], value=1e30)
    evidence = replace(choice.evidence, curve=[*choice.evidence.curve, huge])
    with pytest.raises(ValueError, match=r"1e\+?12|<="):
        tuning.keep("rmle", CELL, "tv_weight", replace(choice, evidence=evidence), path)
    assert not path.exists()


@pytest.mark.usefixtures("bar")
def test_a_curve_is_continued_only_where_nothing_has_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    curve = Curve(3.0).install(monkeypatch)
    chosen = tuning.tune("rmle", CELL, "tv_weight", [1.0, 3.0, 10.0], per_class=1, device=CPU)
    monkeypatch.setattr(tuning, "tuned", lambda: {"rmle": {CELL.key: {"tv_weight": chosen}}})
    curve.tried.clear()
    again = tuning.tune("rmle", CELL, "tv_weight", [], per_class=1, device=CPU, go_on=True)
    assert (curve.tried, again.value) == ([], chosen.value)
    other = replace(chosen, evidence=replace(chosen.evidence, target_sha256="0" * 64))
    monkeypatch.setattr(tuning, "tuned", lambda: {"rmle": {CELL.key: {"tv_weight": other}}})
    tuning.tune("rmle", CELL, "tv_weight", [1.0, 3.0, 10.0], per_class=1, device=CPU, go_on=True)
    assert curve.tried == [1.0, 3.0, 10.0]
    with pytest.raises(MisuseError, match="no curve of tv_weight to go on from"):
        tuning.tune("rmle", CELL, "tv_weight", [], per_class=1, device=CPU, go_on=True)


@pytest.mark.parametrize(
    ("setting", "attack", "said"),
    [
        ("white_box", "rmle", "oracle λ"),
        ("query_free_same_set_same_net", "shadow_model", "oracle λ"),
        ("black_box_same_set", "model_reconstruction", "granted images"),
        ("black_box_same_set", "inverse_network", ""),
    ],
)
def test_a_row_says_whether_its_adversary_could_have_chosen_so(
    setting: str, attack: str, said: str
) -> None:
    """Features of training images need both the images and an edge that may be asked."""
    assert chosen_with(attack, scenario(f"{setting}/lenet/conv1")) == said


def test_what_cannot_be_a_choice_is_refused() -> None:
    published = json.loads(TUNED.read_text("utf-8"))
    entry = published["rmle"][CELL.key]["tv_weight"]
    good = {"rmle": {CELL.key: {"tv_weight": entry}}}
    decode(json.dumps(good).encode())
    for change in (
        {"value": 123.0},
        {"value": float("nan")},
        {"evidence": {**entry["evidence"], "curve": []}},
        {"evidence": {**entry["evidence"], "train_indices": [3, 3]}},
        {"evidence": {}},
    ):
        bad = {"rmle": {CELL.key: {"tv_weight": {**entry, **change}}}}
        with pytest.raises(ValueError, match=r"."):
            decode(json.dumps(bad).encode())


def test_no_published_grid_ends_at_its_best_value() -> None:
    assert open_ends(tuned()) == []


def test_an_end_of_a_grid_is_told_with_the_command_that_goes_on() -> None:
    choice = tuned()["rmle"][CELL.key]["tv_weight"]
    curve = [point for point in choice.evidence.curve if point.value >= choice.value]
    cut = replace(choice, evidence=replace(choice.evidence, curve=curve))
    (line,) = open_ends({"rmle": {CELL.key: {"tv_weight": cut}}})
    assert "is the low end of its grid; run `splitzoo tune rmle --only" in line


def test_every_tuned_value_was_chosen_for_what_it_is_used_with() -> None:
    assert outdated_choices() == []
    for cells in tuned().values():
        for choices in cells.values():
            assert all(len(each.evidence.train_indices) >= 10 for each in choices.values())


def test_a_value_chosen_for_another_network_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    known = tuned()
    choice = known["rmle"][CELL.key]["tv_weight"]
    other = replace(choice, evidence=replace(choice.evidence, target_sha256="0" * 64))
    changed = {**known, "rmle": {**known["rmle"], CELL.key: {"tv_weight": other}}}
    monkeypatch.setattr(tuning, "tuned", lambda: changed)
    assert any("tv_weight of rmle at white_box/lenet/conv1" in line for line in outdated_choices())


def test_the_released_variant_has_the_released_weights() -> None:
    weights = {
        "lenet/relu2": 1.0,
        "cifar_cnn/conv11": 0.0,
        "cifar_cnn/relu22": 10.0,
        "cifar_cnn/relu32": 1000.0,
    }
    for target, weight in weights.items():
        attack = configured("rmle_released", target, "white_box")
        assert vars(attack)["tv_weight"] == weight
        assert (vars(attack)["beta"], vars(attack)["reduction"]) == (2.0, "mean")
