"""Training on a handful of images: interrupted and resumed, it ends in the same weights."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from splitzoo.bench.cli import main
from splitzoo.bench.engines.answering import answer
from splitzoo.bench.engines.items import WorkerDiedError
from splitzoo.bench.engines.training import train_all
from splitzoo.bench.referee import offline
from splitzoo.bench.referee.checkpoints import Checkpoints
from splitzoo.zoo import Images, load_split, networks, resume, training
from splitzoo.zoo.recipe import AdamRecipe, turned
from splitzoo.zoo.resume import Conditions
from splitzoo.zoo.training import active_units, train_target

CPU = torch.device("cpu")
RECIPE = AdamRecipe(epochs=3, batch_size=8, halve_every=2, augment=True)


@pytest.fixture(autouse=True)
def few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (20, 1, 28, 28), generator=generator, dtype=torch.uint8)
    data = Images(pixels, torch.arange(20) % 10)
    monkeypatch.setattr(training, "load_dataset", lambda name, part: data)


def train(progress: Path) -> dict[str, torch.Tensor]:
    conditions = Conditions(progress_file=progress)
    model, _ = train_target("lenet", device=CPU, conditions=conditions, recipe=RECIPE)
    return model.layer_state()


def test_an_interrupted_run_ends_in_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = train(tmp_path / "uninterrupted.safetensors")

    save = resume.save_progress
    saved = []

    def save_then_die(*arguments: Any) -> None:
        save(*arguments)
        saved.append(arguments)
        if len(saved) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(resume, "save_progress", save_then_die)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "progress.safetensors")
    resumed = train(tmp_path / "progress.safetensors")
    assert len(saved) == 3  # two epochs before, and only the third after
    assert expected.keys() == resumed.keys()
    assert all(torch.equal(expected[name], resumed[name]) for name in expected)


def test_progress_of_another_recipe_is_not_continued(tmp_path: Path) -> None:
    progress = tmp_path / "progress.safetensors"
    first = train(progress)
    conditions = Conditions(progress_file=progress)
    other, _ = train_target(
        "lenet", device=CPU, conditions=conditions, recipe=AdamRecipe(epochs=3, seed=1)
    )
    assert not torch.equal(first["conv1.weight"], other.layer_state()["conv1.weight"])


@pytest.mark.parametrize("content", [b"", b"torn" * 100])
def test_a_torn_progress_file_starts_over(tmp_path: Path, content: bytes) -> None:
    expected = train(tmp_path / "whole.safetensors")
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes(content)
    again = train(torn)
    assert all(torch.equal(expected[name], again[name]) for name in expected)


def test_augmentation_keeps_range_and_moves_little() -> None:
    """A centred dot stays within 0.1 of the side, a rotation of 10° and a scale of 1.1."""
    images = torch.zeros(500, 3, 32, 32)
    images[:, :, 15:17, 15:17] = 1
    moved = turned(images, torch.Generator().manual_seed(0))
    assert moved.shape == images.shape
    assert moved.min() >= 0
    assert moved.max() <= 1
    weight = moved[:, 0] / moved[:, 0].sum((1, 2), keepdim=True)
    axis = torch.arange(32) - 15.5
    shift = torch.stack([(weight.sum(2) * axis).sum(1), (weight.sum(1) * axis).sum(1)])
    assert shift.abs().max() < 0.1 * 32 * 1.2
    assert shift.std(1).min() > 1  # and it does move: uniform ±3.2 has a deviation of 1.85


def test_augmentation_flips_half() -> None:
    images = torch.zeros(1000, 1, 32, 32)
    images[..., :16] = 1
    moved = turned(images, torch.Generator().manual_seed(0))
    right_is_brighter = moved[..., 20:].mean((1, 2, 3)) > moved[..., :12].mean((1, 2, 3))
    assert 430 < right_is_brighter.sum() < 570


def test_active_units_counts_non_zeros() -> None:
    model = load_split("lenet", "relu1")
    images = Images(torch.randint(256, (7, 1, 28, 28), dtype=torch.uint8), torch.zeros(7))
    with torch.no_grad():
        expected = (model.edge(images.floats()) > 0).float().mean().item()
    shares = active_units(model, images, CPU)
    assert shares["relu1"] == pytest.approx(expected)
    assert shares["fc3"] == 1


def test_what_a_new_target_leaves_behind_is_trained_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With --all each network is asked for when its turn comes, not before the first."""
    unfinished, trained = {"target"}, []

    def train(name: str, *_: Any, **__: Any) -> None:
        trained.append(name)
        unfinished.discard(name)
        if name == "target":
            unfinished.add("its network")

    kept = SimpleNamespace(file="x", reached={})
    for name, stand_in in {
        "trainable": lambda: dict.fromkeys(["target", "its network", "another"], ""),
        "is_finished": lambda name, record: name not in unfinished,
    }.items():
        monkeypatch.setattr(offline, name, stand_in)
    monkeypatch.setattr(Checkpoints, "train", lambda self, name, *_: train(name) or kept)
    monkeypatch.setattr(Checkpoints, "settle", lambda self, record: None)
    assert main(["train", "--all", "--adopt", "--device", "cpu"]) == 0
    assert trained == ["target", "its network"]


def test_the_command_writes_a_checkpoint_that_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`splitzoo train --out`, its record, and the way from there back into a network."""
    monkeypatch.setenv("SPLITZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(training, "recipes", lambda: {"lenet": RECIPE})
    monkeypatch.setattr(offline, "recipes", lambda: {"lenet": RECIPE})
    monkeypatch.setattr(offline, "load_dataset", training.load_dataset)
    arguments = ["train", "lenet", "--out", str(tmp_path), "--device", "cpu"]
    assert main([*arguments, "--precision", "float32"]) == 0
    file = Path(capsys.readouterr().out.strip())
    record = json.loads(file.with_suffix(".json").read_text("utf-8"))
    assert record["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert record["training"]["recipe"]["epochs"] == 3
    assert set(record["reached"]["active_units"]) == set(networks()["lenet"].splits)

    assert record["training"]["precision"] == "float32"
    assert not list((tmp_path / "cache" / "training").iterdir()), "progress of what is finished"
    expected = train(tmp_path / "progress.safetensors")
    loaded = load_split("lenet", "relu2", path=file).layer_state()
    assert all(torch.equal(expected[name], loaded[name]) for name in expected)


@pytest.fixture
def brief_lenet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LeNet is trained in an instant, and is all that there is to train."""
    monkeypatch.setenv("SPLITZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(training, "recipes", lambda: {"lenet": RECIPE})
    monkeypatch.setattr(offline, "recipes", lambda: {"lenet": RECIPE})
    monkeypatch.setattr(offline, "trainable", lambda: {"lenet": "lenet"})
    monkeypatch.setattr(offline, "load_dataset", training.load_dataset)


class Dying:
    """A worker of this process that dies after the first epoch, so often; and its answers."""

    device, threads = "cpu", 1

    def __init__(self, deaths: int) -> None:
        self.deaths, self.epochs = deaths, list[int]()

    def carry_out(self, item: str) -> str:
        kept = resume.save_progress

        def save_progress(*given: Any) -> None:
            kept(*given)
            self.epochs.append(given[4])
            if self.deaths:
                self.deaths -= 1
                raise KeyboardInterrupt

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(resume, "save_progress", save_progress)
            try:
                return answer(item)
            except KeyboardInterrupt:
                raise WorkerDiedError("struck by lightning") from None

    def end(self) -> None:
        pass


@pytest.mark.usefixtures("brief_lenet")
def test_a_worker_that_dies_over_a_training_is_followed_by_one_that_goes_on(tmp_path: Path) -> None:
    worker = Dying(2)
    (record,) = train_all(["lenet"], Checkpoints(tmp_path / "out"), "float32", [worker])
    assert worker.epochs == [1, 2, 3]
    assert record == Checkpoints(tmp_path / "out").record("lenet")
    expected = train(tmp_path / "progress.safetensors")
    loaded = load_split("lenet", "relu2", path=tmp_path / "out" / "lenet.safetensors").layer_state()
    assert all(torch.equal(expected[name], loaded[name]) for name in expected)


@pytest.mark.usefixtures("brief_lenet")
def test_a_training_whose_workers_all_die_is_no_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = Checkpoints(tmp_path / "out")
    assert train_all(["lenet"], out, "float32", [Dying(3)]) == [None]
    assert (
        "failed: its worker died 3 times, at last: struck by lightning" in capsys.readouterr().err
    )
    assert out.record("lenet") is None


@pytest.mark.usefixtures("brief_lenet")
def test_all_skips_what_is_finished(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["train", "--all", "--out", str(tmp_path / "out"), "--precision", "float32"]
    assert main(command) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'out' / 'lenet.safetensors'}\n"
    for words in ([], ["--jobs", "2"]):
        assert main([*command, *words]) == 0
        assert capsys.readouterr().out == ""


def test_networks_that_become_the_zoos_come_before_what_is_learned_from_them() -> None:
    names = ["lenet_inverse_relu2-same_set", "mnist_judge", "lenet"]
    assert Checkpoints.of_the_zoo().stages(names) == [["lenet"], names[:2]]
    assert Checkpoints(Path("out")).stages(names) == [names]
