"""Any module is cut in two: edge then cloud is the whole, bit for bit, and it is never changed."""

from __future__ import annotations

import copy
import io
import pickle
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import torchvision
from splitzoo.attacks import RMLE, Adversary, Attack, InverseNetwork, ShadowModel, get_setting
from splitzoo.attacks.adversary import grant
from splitzoo.zoo import Images, InputError, Target, UnknownNameError, places, split_module
from torch import Tensor, nn

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)
#: A network of torchvision with fresh weights, the side of its images, and three places to cut.
NETWORKS: dict[str, tuple[Any, int, tuple[str, ...]]] = {
    "resnet18": (torchvision.models.resnet18, 32, ("relu", "layer1", "layer2.0.relu")),
    "mobilenet_v3_small": (
        torchvision.models.mobilenet_v3_small,
        32,
        ("features.0", "features.3", "features"),
    ),
    "vit_b_16": (
        partial(torchvision.models.vit_b_16, image_size=64),
        64,
        ("conv_proj", "encoder.layers.encoder_layer_0", "encoder.ln"),
    ),
}


def network(name: str) -> tuple[nn.Module, Tensor, tuple[str, ...]]:
    """A fresh network with statistics that are not the initial ones, an example, and places."""
    torch.manual_seed(0)
    build, side, cuts = NETWORKS[name]
    module = build(weights=None, num_classes=7)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.running_mean, -0.5, 0.5)
            nn.init.uniform_(layer.running_var, 0.5, 2.0)
    return module, torch.rand(2, 3, side, side), cuts


def whole(module: nn.Module, images: Tensor) -> Tensor:
    """What the module itself makes of normalised images, in eval mode."""
    mean, std = (torch.tensor(each).view(-1, 1, 1) for each in (MEAN, STD))
    with torch.no_grad():
        answer: Tensor = copy.deepcopy(module).eval()((images - mean) / std)
    return answer


@pytest.mark.parametrize("name", NETWORKS)
def test_edge_then_cloud_is_the_whole_and_attacks_run_on_it(name: str) -> None:
    module, example, cuts = network(name)
    images = torch.rand(3, *example.shape[1:])  # another number than the example's
    expected = whole(module, images)
    for at in cuts:
        target = split_module(module, at, example, mean=MEAN, std=STD)
        with torch.no_grad():
            features = target.edge(images)
            assert torch.equal(target.cloud(features), expected)
            assert torch.equal(target(images), expected)
        assert tuple(features.shape[1:]) == target.feature_shape
        assert (target.num_classes, target.split) == (7, at)
        attacked(target, images[:2])


def attacked(target: Target, images: Tensor) -> None:
    """rMLE and an Inverse-Network run, and answer images."""
    features = target.edge(images).detach()
    rmle = RMLE(iterations=1, tv_weight=0.1)
    recovered = rmle.prepare(Adversary(get_setting("white_box"), target)).reconstruct(features)
    assert recovered.shape == images.shape
    own = Images((255 * images).byte(), torch.zeros(2))
    asking = Adversary(get_setting("black_box_same_set"), target, data=own)
    inverse = InverseNetwork(steps=1, width=4).prepare(asking)
    assert inverse.reconstruct(features).shape == images.shape


@pytest.mark.parametrize("training", [True, False])
def test_the_callers_module_is_never_changed(training: bool) -> None:
    """Its batch-norm statistics above all, which a run in train mode would move."""
    module, example, _ = network("resnet18")
    module.train(training)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    modes = [each.training for each in module.modules()]
    flags = [getattr(each, "inplace", None) for each in module.modules()]
    target = split_module(module, "layer1", example)
    target(example)
    after = module.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert [each.training for each in module.modules()] == modes
    assert [getattr(each, "inplace", None) for each in module.modules()] == flags
    assert all(parameter.requires_grad for parameter in module.parameters())
    with torch.no_grad():
        module.conv1.weight.zero_()  # type: ignore[union-attr, operator]
    assert target.edge.get_parameter("edge.conv1.weight").any()


class Functional(nn.Module):
    """Calls of functions, sizes that cross the cut, a write in place, and a layer used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.act, self.head = nn.ReLU(inplace=True), nn.Linear(4 * 16, 5)

    def forward(self, x: Tensor) -> Tensor:
        count, _, height, width = x.shape
        y = self.act(self.first(x))
        y = self.act(self.second(y))
        y += 1.5
        y = F.avg_pool2d(F.relu(y), height // 4)
        assert isinstance(width, object)
        return self.head(y.view(count, -1) * (width / height))  # type: ignore[no-any-return]


@pytest.mark.parametrize("at", ["first", "second", "act", "relu", "avg_pool2d", "add", "mul"])
def test_functional_calls_and_sizes_are_no_hindrance(at: str) -> None:
    module, images = Functional(), torch.rand(2, 3, 16, 16)
    target = split_module(module, at, images, mean=MEAN, std=STD)
    others = torch.rand(5, 3, 16, 16)
    kept = others.clone()
    with torch.no_grad():
        features = target.edge(others)
        sent = features.clone()
        answer = target.cloud(features)
    assert torch.equal(answer, whole(module, others))
    assert torch.equal(others, kept)
    assert torch.equal(features, sent), "the cloud writes into what it was sent"


def test_a_layer_that_is_called_twice_is_named_by_its_last_call() -> None:
    module, images = Functional(), torch.rand(2, 3, 16, 16)
    target = split_module(module, "act", images)
    conv = copy.deepcopy(module)
    with torch.no_grad():
        expected = F.relu(conv.second(F.relu(conv.first(images))))
        assert torch.equal(target.edge(images), expected)


class Skipping(nn.Module):
    """x -> a -> b -> (a(x) + c(b)) -> head: between a and the sum two values are on their way."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1)
        self.c, self.head = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        kept = self.a(x)
        return self.head(kept + self.c(self.b(kept))).mean((2, 3))  # type: ignore[no-any-return]


def test_a_cut_that_two_tensors_cross_lists_those_that_one_does() -> None:
    images = torch.rand(2, 3, 8, 8)
    for at in ("b", "c"):
        with pytest.raises(
            InputError, match=r"'a' would cross .* cut it at one of a, add, head, mean$"
        ):
            split_module(Skipping(), at, images)
    assert places(Skipping(), images) == ["a", "add", "head", "mean"]


class Deciding(nn.Module):
    """Looks at its values to decide, which no tracing can follow."""

    def __init__(self, around: bool = False) -> None:
        super().__init__()
        self.a, self.b, self.head = nn.Linear(12, 6), nn.Linear(6, 6), nn.Linear(6, 3)
        self.around = around

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        y = self.a(x)
        if y.sum() > 1e9:
            y = -y
        y = self.b(y)
        if self.around:
            y = y + x[:, :6]
        return self.head(y)  # type: ignore[no-any-return]


@pytest.mark.parametrize("at", ["a", "b"])
def test_what_cannot_be_traced_is_cut_by_hooks(at: str) -> None:
    module, images = Deciding(), torch.rand(2, 3, 2, 2)
    target = split_module(module, at, images, mean=MEAN, std=STD)
    assert target.architecture["cut"] == f"hooks {at}"
    others = torch.rand(4, 3, 2, 2)
    assert torch.equal(target(others), whole(module, others))
    assert not module.a._forward_hooks


class Hiding(Deciding):
    """Weights in every place that there is: loose, scalar, in lists, and in buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.5))
        self.loose = nn.Parameter(torch.randn(12))
        self.lists = [torch.randn(12)]
        self.norm, self.after = nn.BatchNorm1d(6), nn.Parameter(torch.randn(6))
        nn.init.uniform_(self.norm.running_mean, 1, 2)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1) * self.scale + self.loose + self.lists[0]
        y = self.norm(self.a(x))
        if y.sum() > 1e9:
            y = -y
        return self.head(self.b(y) * self.after)  # type: ignore[no-any-return]


@pytest.mark.parametrize("setting", ["black_box_rand_set", "query_free_same_set_same_net"])
def test_a_cloud_that_is_cut_by_hooks_holds_nothing_of_the_edge(setting: str) -> None:
    """Every value of the edge is looked for in the bytes that an adversary is handed."""
    module, images = Hiding(), torch.rand(3, 3, 2, 2)
    secret = [module.scale, module.loose, *module.a.parameters()]
    if setting.startswith("black_box"):  # an untrained edge keeps what no checkpoint stores
        secret.append(module.lists[0])  # type: ignore[arg-type]
    secret += [module.norm.running_mean, module.norm.running_var]  # type: ignore[list-item]
    for value in secret:
        value.data.add_(0.001)  # values of their own, of which none is drawn by chance
    target = split_module(module, "norm", images, mean=MEAN, std=STD)
    assert target.architecture["cut"] == "hooks norm"
    handed = grant(get_setting(setting), target)
    given = pickle.dumps((handed.cloud, handed.edge, handed.fresh_edge))
    for value in secret:
        assert value.detach().numpy().tobytes() not in given
    assert module.head.weight.detach().numpy().tobytes() in given
    others = torch.rand(5, 3, 2, 2)
    assert torch.equal(handed.cloud(target.edge(others)), whole(module, others))


class Viewing(nn.Module):
    """Views what it convolves on both sides of the cut, as networks do that flatten so."""

    def __init__(self, traced: bool) -> None:
        super().__init__()
        self.traced, self.first = traced, nn.Conv2d(3, 4, 3, padding=1)
        self.mid, self.last = nn.Linear(4 * 36, 4 * 36), nn.Conv2d(4, 4, 3, padding=1)
        self.head = nn.Linear(4 * 36, 3)

    def forward(self, x: Tensor) -> Tensor:
        if not self.traced and x.sum() > 1e9:
            x = -x
        x = self.first(x)
        x = self.mid(x.view(x.shape[0], -1)).view(x.shape)
        return self.head(self.last(x).view(x.shape[0], -1))  # type: ignore[no-any-return]


@pytest.mark.parametrize("traced", [True, False])
def test_what_views_its_values_is_attacked_too(traced: bool) -> None:
    """Attacks lay images out channels last, where a view of what was convolved cannot be taken."""
    images = torch.rand(3, 3, 6, 6)
    target = split_module(Viewing(traced), "last", images)
    features = target.edge(images).detach()
    white_box = Adversary(get_setting("white_box"), target)
    attacks: list[tuple[Attack, Adversary]] = [(RMLE(iterations=2, tv_weight=0.1), white_box)]
    if traced:
        own = Images((255 * images).byte(), torch.zeros(3, dtype=torch.long))
        free = Adversary(get_setting("query_free_same_set_same_net"), target, data=own)
        attacks.append((ShadowModel(steps=2, iterations=2, tv_weight=0.1), free))
    for attack, adversary in attacks:
        assert attack.prepare(adversary).reconstruct(features).shape == images.shape


class Forking(nn.Module):
    """Bright images go one way behind the cut, dark ones another."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.bright, self.dark = nn.Flatten(), nn.Linear(12, 2), nn.Linear(12, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return self.bright(x) if x.mean() > 0.9 else self.dark(x)  # type: ignore[no-any-return]


def test_a_way_that_the_example_did_not_take_is_refused_and_never_wrong() -> None:
    target = split_module(Forking(), "first", torch.rand(2, 3, 2, 2))
    with pytest.raises(InputError, match="a way through the module that the example did not"):
        target(torch.ones(2, 3, 2, 2))


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16])
def test_modules_of_other_types_are_refused_and_examples_of_them_are_not(kind: Any) -> None:
    module, images = Functional(), torch.rand(2, 3, 16, 16)
    with pytest.raises(InputError, match=r"give copy.deepcopy\(module\).float\(\)$"):
        split_module(copy.deepcopy(module).to(kind), "second", images)
    target = split_module(module, "second", images.to(kind))
    assert target.edge(images).dtype == torch.float32


def test_cutting_draws_no_random_number_and_leaves_hooks_and_flags() -> None:
    module, images = Deciding(), torch.rand(2, 3, 2, 2)
    module.a.weight.requires_grad_(False)
    module.a.register_forward_hook(lambda *_: torch.rand(()) and None)
    before = torch.get_rng_state()
    for at in ("a", "b"):
        split_module(module, at, images)
    assert torch.equal(torch.get_rng_state(), before)
    assert not module.a.weight.requires_grad
    assert len(module.a._forward_hooks) == 1


def test_what_flows_around_a_hook_is_found() -> None:
    images = torch.rand(2, 3, 2, 2)
    with pytest.raises(InputError, match=r"its output alone .* cut it at one of head"):
        split_module(Deciding(around=True), "b", images)


def test_gradients_flow_through_both_halves() -> None:
    for module, at in ((Functional(), "second"), (Deciding(), "a")):
        images = torch.rand(2, 3, *((16, 16) if at == "second" else (2, 2)), requires_grad=True)
        target = split_module(module, at, images.detach())
        features = target.edge(images)
        features.retain_grad()
        target.cloud(features).square().sum().backward()
        assert images.grad is not None
        assert images.grad.any()
        assert features.grad is not None
        assert features.grad.any()


@pytest.mark.parametrize(("module", "at"), [(Functional(), "second"), (Deciding(), "a")])
def test_it_survives_copying_and_saving(module: nn.Module, at: str) -> None:
    images = torch.rand(2, 3, *((16, 16) if at == "second" else (2, 2)))
    target = split_module(module, at, images)
    buffer = io.BytesIO()
    torch.save(target, buffer)
    buffer.seek(0)
    for again in (copy.deepcopy(target), torch.load(buffer, weights_only=False)):
        assert torch.equal(again(images), target(images))
        assert again.sha256 == target.sha256


def test_the_hash_tells_weights_functions_and_places_apart() -> None:
    torch.manual_seed(0)
    module, images = Functional(), torch.rand(2, 3, 16, 16)
    other = copy.deepcopy(module)
    with torch.no_grad():
        other.head.bias[0] += 1
    hashes = {
        split_module(module, "first", images).sha256,
        split_module(module, "second", images).sha256,
        split_module(other, "first", images).sha256,
        split_module(module, "first", images, mean=MEAN, std=STD).sha256,
    }
    assert len(hashes) == 4
    assert split_module(copy.deepcopy(module), "first", images).sha256 in hashes


class Pair(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


class Rolling(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.rand(())


def broken(module: nn.Module) -> nn.Module:
    with torch.no_grad():
        next(module.parameters()).fill_(float("nan"))
    return module


@pytest.mark.parametrize(
    ("module", "at", "images", "complaint"),
    [
        (Functional(), "frist", torch.rand(2, 3, 16, 16), "did you mean 'first'"),
        (Deciding(), "bb", torch.rand(2, 3, 2, 2), "known are a, b"),
        (Pair(), "x", torch.rand(2, 3, 2, 2), "one tensor, not tuple; wrap it"),
        (Rolling(), "add", torch.rand(2, 3, 2, 2), "not deterministic"),
        (broken(Functional()), "first", torch.rand(2, 3, 16, 16), "first.weight holds NaN"),
        (Functional(), "first", torch.rand(2, 1, 16, 16), "the module fails on images"),
        (Functional(), "first", 255 * torch.rand(2, 3, 16, 16), "divide 8-bit pixels by 255"),
        (Functional(), "first", [1, 2], "torch tensor"),
    ],
)
def test_what_cannot_be_cut_is_refused_in_a_line(
    module: nn.Module, at: str, images: Any, complaint: str
) -> None:
    with pytest.raises((InputError, UnknownNameError), match=complaint) as caught:
        split_module(module, at, images)
    assert "\n" not in str(caught.value)


def test_a_normalisation_of_other_channels_is_refused() -> None:
    with pytest.raises(InputError, match="3 values, one for each channel"):
        split_module(Functional(), "first", torch.rand(2, 3, 16, 16), mean=(0.5,), std=(0.5,))
