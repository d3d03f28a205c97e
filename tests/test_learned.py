"""Attacks that train a network: with what the setting grants, resumable, and nothing more."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from splitzoo import zoo
from splitzoo.attacks import (
    SETTINGS,
    Adversary,
    InverseNetwork,
    LearnedAttack,
    ModelReconstruction,
    ShadowModel,
    catalogue,
    configured,
    learned,
)
from splitzoo.attacks.learned import Examples
from splitzoo.zoo import (
    INVERSES,
    OTHER_STRUCTURES,
    CapabilityError,
    ContractError,
    Images,
    InputError,
    Target,
    inverse_network,
    load_split,
    manifest,
    resume,
    shadow_edge,
)
from splitzoo.zoo.resume import Conditions
from splitzoo.zoo.tensor_files import write_tensors
from torch import Tensor, nn

CPU = torch.device("cpu")


@pytest.fixture
def images() -> Images:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (48, 1, 28, 28), generator=generator, dtype=torch.uint8)
    return Images(pixels, torch.arange(48) % 10)


def adversary_in(setting: str, target: Target, images: Images) -> Adversary:
    return Adversary(
        SETTINGS[setting],
        target,
        device=CPU,
        data=lambda: images,
        fresh_edge=lambda: shadow_edge("lenet", target.split, "same_net"),
    )


INVERSE = InverseNetwork(released="lenet/conv1", steps=6, batch_size=16, noise_images=32)
SHADOW = ShadowModel(table5="lenet/conv1", steps=6, batch_size=16, iterations=2, tv_weight=0.1)
FITTED = ModelReconstruction(steps=6, batch_size=16, iterations=2, tv_weight=0.1)


def test_the_networks_have_the_shapes_of_their_targets() -> None:
    for target in INVERSES:
        model = load_split(*target.split("/"))
        features = torch.zeros(2, *model.feature_shape)
        assert inverse_network(target)(features).shape == (2, *model.input_shape)
    assert set(OTHER_STRUCTURES) == set(INVERSES)
    for target in OTHER_STRUCTURES:
        network, split = target.split("/")
        model = load_split(network, split)
        for structure in ("same_net", "diff_net"):
            edge = shadow_edge(network, split, structure)
            assert edge(torch.zeros(2, *model.input_shape)).shape == (2, *model.feature_shape)


@pytest.mark.parametrize("kind", ["inverse", "decoder", "copy"])
def test_what_inverts_refuses_features_of_another_split(kind: str) -> None:
    """Its convolutions would take a grid of any size, and answer with images of another."""
    network = cast(nn.Module, getattr(zoo, f"load_{kind}")("lenet", "relu2"))
    assert network(torch.rand(2, 16, 8, 8)).shape == (2, 1, 28, 28)
    for shape in ((2, 16, 9, 9), (2, 8, 8, 8), (16, 8, 8)):
        with pytest.raises(InputError, match=r"must be N×16×8×8, not "):
            network(torch.rand(*shape))


def test_a_shadow_of_another_structure_is_another_structure() -> None:
    """Table 5: other numbers of layers, filters or filter sizes."""
    for target in OTHER_STRUCTURES:
        network, split = target.split("/")
        shapes = [
            [tuple(p.shape) for p in shadow_edge(network, split, structure).parameters()]
            for structure in ("same_net", "diff_net")
        ]
        assert shapes[0] != shapes[1]


class Scaled(nn.Module):
    """A network whose one weight has no dimension."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.5))

    def forward(self, features: Tensor) -> Tensor:
        return self.scale * F.pad(features[:, :1], (2, 2, 2, 2))


@dataclass(frozen=True, kw_only=True)
class Scaling(InverseNetwork):
    def build(self, adversary: Adversary) -> nn.Module:
        return Scaled()

    def finish(self, network: nn.Module, examples: Examples) -> None:
        """There is no first layer to fold the features' scale into."""


@dataclass(frozen=True, kw_only=True)
class Asking(Scaling):
    def examples(self, adversary: Adversary, generator: torch.Generator) -> Examples:
        time.sleep(0.05)
        return super().examples(adversary, generator)


def test_asking_counts_as_offline_work(
    lenet: Target, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Queries take their time, and procedural images do; the steps take none here."""
    monkeypatch.setattr(learned, "fit", lambda *given, **named: 0.0)
    _, seconds = Asking(steps=1).train(adversary_in("black_box_same_set", lenet, images))
    assert seconds >= 0.05


def test_a_number_without_a_dimension_is_trained_kept_and_stored(
    lenet: Target, images: Images, tmp_path: Path
) -> None:
    """It moves, and comes out of the progress file and out of its own with no dimension."""
    attack = Scaling(steps=6, batch_size=16)
    adversary = adversary_in("black_box_same_set", lenet, images)
    whole, _ = attack.train(adversary)
    trained = whole.get_parameter("scale")
    assert trained.dim() == 0
    assert trained != 0.5
    conditions = Conditions(progress_file=tmp_path / "progress.safetensors")
    again, _ = attack.train(adversary, conditions=conditions)
    resumed, _ = attack.train(adversary, conditions=conditions)
    assert torch.equal(resumed.get_parameter("scale"), again.get_parameter("scale"))
    write_tensors(tmp_path / "scaled.safetensors", whole.state_dict())
    assert torch.equal(load_file(tmp_path / "scaled.safetensors")["scale"], trained)


@pytest.mark.parametrize(
    ("attack", "setting", "queries"),
    [
        (INVERSE, "black_box_same_set", 48),
        (INVERSE, "black_box_same_dist", 48),
        (INVERSE, "black_box_rand_set", 32),
        (FITTED, "black_box_same_set", 48),
        (SHADOW, "query_free_same_set_same_net", 0),
        (SHADOW, "query_free_diff_set_diff_net", 0),
    ],
)
def test_queries_are_made_once_an_image_or_never(
    attack: LearnedAttack, setting: str, queries: int, lenet: Target, images: Images
) -> None:
    adversary = adversary_in(setting, lenet, images)
    features = lenet.edge(images.floats()[:3]).detach()
    recovered = attack.prepare(adversary).reconstruct(features)
    assert recovered.shape == (3, 1, 28, 28)
    assert adversary.queries == queries


@pytest.mark.parametrize("attack", [INVERSE, FITTED])
def test_what_queries_is_refused_without_queries(
    attack: LearnedAttack, lenet: Target, images: Images
) -> None:
    adversary = adversary_in("query_free_same_set_same_net", lenet, images)
    for refused in (attack.prepare, attack.train):
        with pytest.raises(CapabilityError, match="requires queries to the edge"):
            refused(adversary)


def test_the_structure_follows_the_setting(lenet: Target, images: Images) -> None:
    for setting, layers in (("same_set_same_net", 1), ("same_set_diff_net", 2)):
        shadow = SHADOW.build(adversary_in(f"query_free_{setting}", lenet, images))
        assert sum(isinstance(layer, torch.nn.Conv2d) for layer in shadow.modules()) == layers


def test_a_shadow_never_starts_where_a_target_started(lenet: Target, images: Images) -> None:
    """With the target's seed it would draw the target's initial weights, which nothing grants."""
    torch.manual_seed(manifest().get("lenet").seed)
    begun: Any = shadow_edge("lenet", "conv1", "same_net")
    adversary = adversary_in("query_free_same_set_same_net", lenet, images)
    seed = manifest().get("lenet").seed
    shadow: Any = replace(SHADOW, learning_rate=0.0).train(adversary, seed=seed)[0]
    assert begun.conv1.weight.shape == shadow.conv1.weight.shape
    difference = (begun.conv1.weight - shadow.conv1.weight).abs().mean()
    assert difference > 0.1 * begun.conv1.weight.abs().mean()


def test_an_interrupted_training_ends_in_the_same_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lenet: Target, images: Images
) -> None:
    def train(file: Path) -> tuple[Tensor, ...]:
        adversary = adversary_in("query_free_same_set_same_net", lenet, images)
        return tuple(
            SHADOW.train(adversary, conditions=Conditions(progress_file=file))[0]
            .state_dict()
            .values()
        )

    expected = train(tmp_path / "whole.safetensors")
    save = resume.save_progress

    def save_then_die(*arguments: Any) -> None:
        save(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(resume, "save_progress", save_then_die)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "cut.safetensors")
    assert all(map(torch.equal, expected, train(tmp_path / "cut.safetensors")))


def test_a_trained_network_takes_the_place_of_training(
    lenet: Target, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = lenet.edge(images.floats()[:3]).detach()
    adversary = adversary_in("black_box_same_set", lenet, images)
    network, _ = INVERSE.train(adversary)
    expected = INVERSE.prepare(adversary).reconstruct(features)
    monkeypatch.setattr(InverseNetwork, "examples", lambda *_: pytest.fail("trained again"))
    again = adversary_in("black_box_same_set", lenet, images)
    assert torch.equal(INVERSE.prepare(again, network=network).reconstruct(features), expected)
    assert again.queries == 0
    with pytest.raises(ContractError, match="learns no network"):
        configured("rmle", "lenet/conv1", "white_box").prepare(
            adversary_in("white_box", lenet, images), network=network
        )


def losses(attack: LearnedAttack, lenet: Target, values: Tensor, images: Images) -> float:
    """The attack's objective for the target's own edge, or for an exact inverse of nothing."""
    return attack.loss(lenet.edge, images.floats(), values, lenet.cloud).item()


def test_the_objectives_against_slow_loops(lenet: Target, images: Images) -> None:
    """Eq. 4, Eq. 6 and the regression of Table 8, term by term."""
    few = images.subset(torch.arange(4))
    pixels = few.floats()
    with torch.no_grad():
        features, logits = lenet.edge(pixels), lenet.cloud(lenet.edge(pixels))
    assert losses(FITTED, lenet, features, few) == pytest.approx(0, abs=1e-9)
    assert losses(FITTED, lenet, features + 0.5, few) == pytest.approx(0.25, rel=1e-4)
    entropy = 0.0
    for row, label in zip(logits.tolist(), few.labels.tolist(), strict=True):
        entropy -= row[label] - math.log(sum(math.exp(value) for value in row))
    assert losses(SHADOW, lenet, few.labels, few) == pytest.approx(entropy / 4, rel=1e-4)

    class Gray(torch.nn.Module):
        def forward(self, features: Tensor) -> Tensor:
            return torch.full((len(features), 1, 28, 28), 0.5)

    error = sum((value - 0.5) ** 2 for value in pixels.flatten().tolist()) / pixels.numel()
    found = INVERSE.loss(Gray(), pixels, features, lenet.cloud).item()
    assert found == pytest.approx(error, rel=1e-4)


def test_a_fitted_scale_leaves_what_no_multiple_of_the_features_explains() -> None:
    """By hand: of v = (3, 4), a·(1, 0) reaches (3, 0); a·(-1, 0) with a >= 0 reaches nothing."""
    attack = replace(SHADOW, fit_scale=True, tv_weight=0.0)
    images, observed = torch.zeros(2, 1, 2, 2), torch.tensor([[3.0, 4.0], [3.0, 4.0]])

    class Features(torch.nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.tensor([[1.0, 0.0], [-1.0, 0.0]]) + 0 * images.sum()

    assert attack.objective(Features(), images, images, observed).item() == 16 + 25
    given = replace(attack, fit_scale=False).objective(Features(), images, images, observed)
    assert given.item() == (4 + 16) + (16 + 16)


def test_a_fitted_scale_has_the_slope_of_its_distance() -> None:
    """Against a finite difference, in double precision."""
    attack = replace(SHADOW, fit_scale=True, tv_weight=0.0)
    generator = torch.Generator().manual_seed(0)
    edge = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 6)).double()
    image = torch.rand(1, 1, 2, 2, generator=generator, dtype=torch.float64)
    observed = torch.rand(1, 6, generator=generator, dtype=torch.float64)

    def distance(image: Tensor) -> Tensor:
        return attack.objective(edge, image, image, observed)

    assert torch.autograd.gradcheck(distance, image.requires_grad_(True))


def test_the_start_of_he_et_al_times_the_gain(lenet: Target, images: Images) -> None:
    """Their weights have the variance 2 / (inputs of a unit); here 5 · 5 · 8 in conv2."""
    attack = replace(SHADOW, init_gain=0.5)
    adversary = adversary_in("query_free_same_set_same_net", load_split("lenet", "relu2"), images)
    torch.manual_seed(0)
    network: Any = attack.build(adversary)
    deviation = 0.5 * math.sqrt(2 / (5 * 5 * 8))
    assert network.conv2.weight.std().item() == pytest.approx(deviation, rel=0.05)
    assert not network.conv2.bias.any()


def test_noise_is_standard_normal_after_normalisation(lenet: Target) -> None:
    from splitzoo.attacks.learned import query_pixels

    adversary = Adversary(SETTINGS["black_box_rand_set"], lenet, device=CPU)
    pixels = query_pixels(adversary, 500, torch.Generator().manual_seed(0))
    layer: Callable[[Tensor], Tensor] = lenet.edge.get_submodule("normalize")
    normalized = layer(pixels)
    assert normalized.mean().item() == pytest.approx(0, abs=0.01)
    assert normalized.std().item() == pytest.approx(1, abs=0.01)


def test_an_inverse_network_learns_to_invert(lenet: Target) -> None:
    """A few hundred steps on blobs: far better than the best constant image."""
    axis = torch.arange(28.0)
    generator = torch.Generator().manual_seed(0)
    centres = 6 + 16 * torch.rand(256, 2, 1, generator=generator)
    bumps = torch.exp(-((axis - centres) ** 2) / 18)
    pixels = (255 * bumps[:, 0, :, None] * bumps[:, 1, None, :]).to(torch.uint8)[:, None]
    data = Images(pixels, torch.zeros(256, dtype=torch.int64))
    attack = replace(INVERSE, steps=300, batch_size=32, learning_rate=1e-2)
    prepared = attack.prepare(adversary_in("black_box_same_set", lenet, data))
    truth = data.floats()
    error = (prepared.reconstruct(lenet.edge(truth).detach()) - truth).square().mean()
    assert error < 0.05 * truth.var()


@pytest.mark.parametrize("name", catalogue())
def test_the_recipe_is_made_of_fields(name: str) -> None:
    attack = configured(name, "lenet/conv1", "black_box_same_set")
    if isinstance(attack, LearnedAttack):
        assert set(attack.recipe()) == {*attack.TRAINING, "training_version"}
        assert attack.recipe()["steps"] == attack.steps
