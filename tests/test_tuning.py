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
from splitzoo.attacks import catalogue, get_entry
from splitzoo.attacks.rmle import SHALLOW
from splitzoo.attacks.tuned import TUNED, decode, tuned
from splitzoo.bench import Cell, Run, tuning
from splitzoo.bench.tuning import chosen_with
from splitzoo.zoo import Images, MisuseError, manifest

CPU = torch.device("cpu")
CELL = Cell("white_box", "lenet", "conv1")


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
    monkeypatch.setattr(catalogue, "tuned", lambda: decode(path.read_bytes()))
    attack = get_entry("rmle").configure("lenet", "conv1")
    expected = {"tv_weight": chosen.value, "beta": chosen.value, **SHALLOW}
    assert expected.items() <= vars(attack).items()


class Curve:
    """A stand-in for attacks: the PSNR of a value is what the test says."""

    def __init__(self, best: float) -> None:
        self.best, self.tried = best, list[float]()

    def install(self, monkeypatch: pytest.MonkeyPatch) -> Curve:
        def attack(attack: Any, cell: Cell, pixels: torch.Tensor, **_: Any) -> Any:
            self.tried.append(attack.tv_weight)
            noise = 0.01 + abs(math.log10((attack.tv_weight + 1e-9) / (self.best + 1e-9))) / 100
            images = (pixels - noise).clamp(0, 1)
            return SimpleNamespace(images=images)

        monkeypatch.setattr(tuning, "attack_images", attack)
        return self


@pytest.mark.usefixtures("bar")
@pytest.mark.parametrize(
    ("best", "grid", "tried"),
    [
        (3.0, [1.0, 3.0, 10.0], [1.0, 3.0, 10.0]),
        (1000.0, [1.0, 10.0], [1.0, 10.0, 100.0, 1000.0, 10000.0]),
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
def test_a_curve_that_never_turns_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    Curve(1e30).install(monkeypatch)
    with pytest.raises(MisuseError, match="still the high end of its grid"):
        tuning.tune("rmle", CELL, "tv_weight", [1.0, 2.0], per_class=1, device=CPU)


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
    assert chosen_with(attack, Cell(setting, "lenet", "conv1")) == said


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


def test_every_tuned_value_was_chosen_for_the_published_networks() -> None:
    for attack, cells in tuned().items():
        for key, choices in cells.items():
            setting, network, split = key.split("/")
            run = Run(Cell(setting, network, split), attack, "standard")
            learned = run.published()
            for choice in choices.values():
                evidence = choice.evidence
                assert evidence.network_sha256 == (learned.content_sha256 if learned else None)
                assert evidence.target_sha256 == manifest().get(network).content_sha256
                assert evidence.attack_version == run.configure().version
                assert len(evidence.train_indices) >= 10


def test_the_released_variant_has_the_released_weights() -> None:
    weights = {
        "lenet/relu2": 1.0,
        "cifar_cnn/conv11": 0.0,
        "cifar_cnn/relu22": 10.0,
        "cifar_cnn/relu32": 1000.0,
    }
    for target, weight in weights.items():
        attack = get_entry("rmle_released").configure(*target.split("/"))
        assert vars(attack)["tv_weight"] == weight
        assert (vars(attack)["beta"], vars(attack)["reduction"]) == (2.0, "mean")
