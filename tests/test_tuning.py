"""A hyperparameter is chosen on the training images that were given, and the choice is used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from splitzoo.attacks import catalogue, get_entry
from splitzoo.attacks.rmle import SHALLOW
from splitzoo.bench import Cell, Run, tuning
from splitzoo.zoo import Images, manifest

CELL = Cell("white_box", "lenet", "conv1")


def test_the_best_value_is_kept_with_its_evidence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A huge λ flattens the image, so the small one must win, and be used from then on."""
    pixels = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
    pixels[:, :, 8:20, 12:16] = 255
    train = Images(pixels, torch.tensor([0, 1]))
    monkeypatch.setattr(tuning, "load_dataset", lambda name, part: train)
    monkeypatch.setattr(catalogue, "TUNED", tmp_path / "tuned.json")
    chosen = tuning.tune(
        "rmle", CELL, "tv_weight", [0.01, 1e4], per_class=1, device=torch.device("cpu")
    )
    assert chosen["value"] == 0.01
    assert [point["tv_weight"] for point in chosen["evidence"]["curve"]] == [0.01, 1e4]
    assert chosen["evidence"]["train_indices"] == [0, 1]

    path = tmp_path / "tuned.json"
    tuning.keep("rmle", CELL, "tv_weight", chosen, path)
    tuning.keep("rmle", CELL, "beta", {"value": 1.5, "evidence": {}}, path)
    monkeypatch.setattr(catalogue, "tuned", lambda: json.loads(path.read_text("utf-8")))
    attack = get_entry("rmle").configure("lenet", "conv1")
    assert {"tv_weight": 0.01, "beta": 1.5, **SHALLOW}.items() <= vars(attack).items()


def test_every_tuned_value_has_evidence_from_training_images() -> None:
    """What is published: highest PSNR of its own curve, on the current checkpoint."""
    published = json.loads(catalogue.TUNED.read_text("utf-8"))
    for attack, cells in published.items():
        for key, entry in cells.items():
            setting, network, split = key.split("/")
            run = Run(Cell(setting, network, split), attack, "standard")
            learned = run.published()
            assert entry["fields"].keys() == entry["evidence"].keys()
            for field, value in entry["fields"].items():
                evidence = entry["evidence"][field]
                best = max(evidence["curve"], key=lambda point: point["psnr"])
                assert best[field] == value
                assert evidence.get("network_sha256") == (learned.sha256 if learned else None)
                assert evidence["checkpoint_sha256"] == manifest().get(network).sha256
                assert len(evidence["train_indices"]) >= 10


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
