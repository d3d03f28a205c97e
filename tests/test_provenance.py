"""One chain by content hash: target, learned network, result."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from splitzoo.bench import ResultStore, Run, scenario
from splitzoo.bench.referee import runs
from splitzoo.bench.referee.offline import is_finished
from splitzoo.bench.store import PUBLISHED
from splitzoo.zoo import Manifest, Target, content_sha256, get_network, load_split, manifest
from splitzoo.zoo.loading import content_of, content_of_network
from splitzoo.zoo.manifests import FOLDER
from torch import nn

LENET = {"network": "lenet"}
RECORDS = list(manifest().records.values())


def test_all_splits_of_a_network_are_the_same_network() -> None:
    found = {load_split("lenet", s).sha256 for s in get_network("lenet").splits}
    assert found == {manifest().get("lenet").content_sha256}


def change_a_weight(model: Target) -> None:
    with torch.no_grad():
        model.edge.get_parameter("conv1.weight")[0, 0, 0, 0] += 1e-6


def change_the_normalisation(model: Target) -> None:
    model.edge.get_buffer("normalize.std")[:] = 0.25


def change_a_stride(model: Target) -> None:
    model.cloud.get_submodule("conv2").stride = (2, 2)  # type: ignore[assignment]


def change_a_layer(model: Target) -> None:
    model.cloud.set_submodule("pool1", nn.AvgPool2d(2))


def change_a_type(model: Target) -> None:
    model.cloud.get_submodule("fc1").double()


class Loose(nn.Module):
    """A network with parameters of its own, one of them a single number, and a knob."""

    def __init__(self, knob: float = 1.0) -> None:
        super().__init__()
        self.scale, self.token = nn.Parameter(torch.tensor(2.0)), nn.Parameter(torch.ones(3))
        self.register_buffer("kept", torch.zeros(3), persistent=False)
        self.inner = nn.Sequential(nn.GroupNorm(2, 4), nn.ELU(1.0), nn.Flatten())
        self.knobbed = Knobbed(knob)


class Knobbed(nn.Module):
    def __init__(self, knob: float) -> None:
        super().__init__()
        self.knob = knob


def test_two_networks_share_a_hash_only_if_they_are_the_same() -> None:
    """Values that no layer holds, numbers without a dimension, types, shapes and knobs count."""
    changes: list[Callable[[Any], object]] = [
        lambda model: model.scale.data.add_(1),
        lambda model: model.token.data.add_(1),
        lambda model: model.kept.add_(1),
        lambda model: setattr(model, "token", nn.Parameter(torch.ones(3, 1))),
        lambda model: setattr(model, "token", nn.Parameter(torch.ones(3).double())),
        lambda model: setattr(model, "scale", nn.Parameter(torch.tensor([2.0]))),
        lambda model: setattr(model.inner[0], "num_groups", 4),
        lambda model: setattr(model.inner[1], "alpha", 0.5),
        lambda model: setattr(model.knobbed, "knob", 2.0),
        lambda model: setattr(model, "more", nn.Parameter(torch.ones(1))),
    ]
    hashes = [content_of_network(Loose(), {})]
    for change in changes:
        other = Loose()
        change(other)
        hashes.append(content_of_network(other, {}))
    assert len(set(hashes)) == len(changes) + 1
    assert content_of_network(Loose(), {}) == hashes[0]


@pytest.mark.parametrize(
    "change",
    [change_a_weight, change_the_normalisation, change_a_stride, change_a_layer, change_a_type],
)
def test_whatever_changes_the_network_changes_its_hash(change: object) -> None:
    model = load_split("lenet", "conv1")
    before = model.sha256
    other = copy.deepcopy(model)
    assert other.sha256 == before
    change(other)  # type: ignore[operator]
    assert other.sha256 != before
    assert content_sha256(dict(model.named_layers()), {"network": "another"}) != before


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_every_record_holds_what_its_file_holds_and_its_target(record: object) -> None:
    from splitzoo.zoo import Record

    assert isinstance(record, Record)
    assert content_of(FOLDER / record.file, record.architecture) == record.content_sha256
    if record.kind in ("inverse", "shadow"):
        network = record.name.split("_inverse_")[0].split("_shadow_")[0]
        assert record.target_sha256 == manifest().get(network).content_sha256


@pytest.fixture
def retrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """LeNet has been trained anew: its record holds another network."""
    known = manifest()
    lenet = replace(known.get("lenet"), content_sha256="1" * 64)
    other = Manifest({**known.records, "lenet": lenet}, known.hub)
    for module in ("splitzoo.bench.referee.runs", "splitzoo.zoo.by_name"):
        monkeypatch.setattr(f"{module}.manifest", lambda: other)


def test_a_retrained_target_leaves_its_old_networks_behind(retrained: None) -> None:
    """They answer another edge: the benchmark trains anew, and so does `train --all`."""
    run = Run(scenario("black_box_same_set/lenet/conv1"), "inverse_network")
    assert run.published() is None
    stored = ResultStore(PUBLISHED).load(run.scenario, run.attack)
    assert stored is not None
    assert stored.stale_because(run.identity()) == "target_sha256, network, network_sha256"
    name = "lenet_inverse_conv1-same_set"
    assert not is_finished(name, manifest().get(name))
    untouched = "cifar_cnn_inverse_conv11-same_set"
    assert is_finished(untouched, manifest().get(untouched))


def test_another_recipe_is_another_network(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(scenario("black_box_same_set/lenet/conv1"), "inverse_network")
    assert run.published() is not None
    honest = Run.recipe
    monkeypatch.setattr(Run, "recipe", lambda self: {**honest(self), "steps": 1})
    assert run.published() is None


def test_a_network_that_is_trained_for_a_row_is_named_by_its_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a published network the row still says which one it rests on."""
    run = Run(scenario("black_box_rand_set/lenet/conv1", "paper10"), "inverse_network")
    monkeypatch.setattr(Run, "published", lambda self: None)
    few = replace(run.configure(), steps=3, noise_images=64)  # type: ignore[call-arg]
    monkeypatch.setattr(Run, "configure", lambda self: few)
    result = runs.carry_out(run, ResultStore(tmp_path), torch.device("cpu"))
    assert result.network is not None
    assert result.network.name is None
    assert result.network.precision in ("float32", "bfloat16")
    assert result.cost.queries == 64
