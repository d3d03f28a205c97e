"""Training in the arithmetic that the device has, and saying so."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from splitzoo.attacks import LearnedAttack, catalogue
from splitzoo.bench.cli import main
from splitzoo.bench.referee import offline
from splitzoo.bench.referee.offline import recipe_of, trainable
from splitzoo.zoo import Images, UnknownNameError, device, judges, precision, resume, training
from splitzoo.zoo.judges import JudgeRecipe, train_judge
from splitzoo.zoo.precision import pick_precision
from splitzoo.zoo.recipe import AdamRecipe
from splitzoo.zoo.resume import Conditions
from splitzoo.zoo.training import train_target
from splitzoo.zoo.words import duration

CPU = torch.device("cpu")


@pytest.fixture
def few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (24, 1, 28, 28), generator=generator, dtype=torch.uint8)
    data = Images(pixels, torch.arange(24) % 10)
    for module in (training, judges, offline):
        monkeypatch.setattr(module, "load_dataset", lambda name, part: data)


@pytest.mark.parametrize("native", [True, False])
def test_bfloat16_only_where_the_processor_has_it(
    native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The detection is PyTorch's own; either answer is tried, whatever this machine says."""
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert pick_precision("auto", CPU) == ("bfloat16" if native else "float32")
    for chosen in ("float32", "bfloat16"):
        assert pick_precision(chosen, CPU) == chosen
    assert pick_precision("auto", torch.device("meta")) == "float32"
    with pytest.raises(UnknownNameError, match="auto, float32, bfloat16"):
        pick_precision("half", CPU)


def targets_train(conditions: Conditions) -> None:
    train_target("lenet", device=CPU, conditions=conditions, recipe=AdamRecipe(epochs=1))


def judges_train(conditions: Conditions) -> None:
    recipe = JudgeRecipe(epochs=1, batch_size=8, whitening_images=8)
    train_judge("mnist", device=CPU, conditions=conditions, recipe=recipe)


@pytest.mark.usefixtures("few_images")
@pytest.mark.parametrize("train", [targets_train, judges_train])
@pytest.mark.parametrize("chosen", ["float32", "bfloat16"])
def test_forward_passes_run_in_the_precision_that_was_chosen(
    train: Callable[[Conditions], None], chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = set()
    convolution = torch.nn.Conv2d.forward

    def forward(self: torch.nn.Conv2d, images: torch.Tensor) -> torch.Tensor:
        answer = convolution(self, images)
        if len(images) > 1:  # one alone is how a network learns its shapes
            seen.add(answer.dtype)
        return answer

    monkeypatch.setattr(torch.nn.Conv2d, "forward", forward)
    train(Conditions(precision=chosen))
    assert seen == {getattr(torch, chosen)}


def test_precision_is_no_part_of_any_recipe() -> None:
    for name in trainable():
        assert "precision" not in str(recipe_of(name))
    for attack in catalogue().values():
        if issubclass(attack, LearnedAttack):
            assert "precision" not in attack.TRAINING


@pytest.mark.usefixtures("few_images")
def test_a_run_is_not_resumed_in_another_precision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a training in each would be recorded as one."""
    file = tmp_path / "progress.safetensors"
    targets_train(Conditions("float32", file))
    saved = []
    monkeypatch.setattr(resume, "save_progress", lambda *_: saved.append(1))
    targets_train(Conditions("float32", file))
    assert saved == []
    targets_train(Conditions("bfloat16", file))
    assert saved == [1]


@pytest.mark.usefixtures("few_images")
@pytest.mark.parametrize("rests_on", [{"target_sha256": "b"}, {"images_sha256": "b"}])
def test_a_run_is_not_resumed_against_another_target_or_with_other_images(
    rests_on: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "progress.safetensors"
    before = {"target_sha256": "a", "images_sha256": "a"}
    targets_train(Conditions("float32", file, before))
    saved = []
    monkeypatch.setattr(resume, "save_progress", lambda *_: saved.append(1))
    targets_train(Conditions("float32", file, {**before, **rests_on}))
    assert saved == [1]


def test_a_training_says_how_long_it_will_take(
    few_images: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the first step to the tenth 27 s pass, so that each takes 3 and all 24 take 72."""
    clock = itertools.count(0, 27)
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(clock)))
    recipe = AdamRecipe(epochs=2, batch_size=2)
    train_target("lenet", device=CPU, conditions=Conditions(), recipe=recipe)
    assert "training lenet: 3000 ms a step, 72 s here" in capsys.readouterr().err


@pytest.mark.usefixtures("few_images")
def test_an_estimate_trains_ten_steps_and_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SPLITZOO_CACHE", str(tmp_path))
    recipe = AdamRecipe(epochs=500, batch_size=2)
    monkeypatch.setattr(training, "recipes", lambda: {"lenet": recipe})
    assert main(["info", "lenet", "--estimate", "--device", "cpu"]) == 0
    said = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(r"here it would take .+ in (float32|bfloat16) on .+ measured now", said)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_what_a_checkpoint_took_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "cifar10_judge"]) == 0
    assert "its training took 17 min in bfloat16 on cpu" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("seconds", "words"), [(42, "42 s"), (89.4, "89 s"), (480, "8 min"), (7500, "2 h 5 min")]
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_device_names_its_processor() -> None:
    assert device.processor_name()
    assert device.processor_name() in device.describe_device(CPU)
    assert not precision.computes_bfloat16(torch.device("meta"))
