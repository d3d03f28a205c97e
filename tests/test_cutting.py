"""Any module is cut in two, or refused: the halves are the whole, bit for bit."""

from __future__ import annotations

import io
from copy import deepcopy
from typing import Any, cast

import pytest
import torch
import torch.nn.functional as F
from splitzoo.zoo.cutting import Cut, cut, places
from splitzoo.zoo.errors import InputError, UnknownNameError
from torch import Tensor, nn
from torchvision import models


def images(count: int, size: int = 32, seed: int = 1) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def settled(module: nn.Module) -> nn.Module:
    """The module in eval mode, with batch-norm statistics that are not zeros and ones."""
    generator = torch.Generator().manual_seed(7)
    for name, value in module.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
    return module.eval()


@torch.no_grad()
def assert_whole(halves: Cut, module: nn.Module, fresh: Tensor) -> None:
    whole = deepcopy(module).eval()
    assert torch.equal(halves.cloud(halves.edge(fresh)), whole(fresh.clone()))


def reloaded(half: nn.Module) -> nn.Module:
    file = io.BytesIO()
    torch.save(half, file)
    file.seek(0)
    return cast(nn.Module, torch.load(file, weights_only=False))


class Block(nn.Module):
    """Two convolutions, and an identity that goes around them."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(4, 4, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.second = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(self.relu(self.first(x)))


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, stride=4)
        self.block = Block()
        self.head = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.block(self.stem(x)).mean((2, 3)))


class Functional(nn.Module):
    """Functions in the place of layers, in-place ones too, and sizes taken before the cut."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=4)
        self.norm = nn.BatchNorm2d(4)
        self.late = nn.Linear(4 * 8 * 8, 5)
        self.token = nn.Parameter(torch.linspace(-1, 1, 5).view(1, 5))
        self.register_buffer("shift", torch.linspace(0, 1, 5))

    def forward(self, x: Tensor) -> Tensor:
        n, height = x.size(0), x.shape[2]
        x = x - 0.5
        x.mul_(2)
        y = F.relu(self.conv(x), inplace=True)
        y = self.norm(y)
        y += 0.25
        y.sub_(0.5)
        torch.relu_(y)
        flat = y.view(n, -1)
        out = self.late(flat) / height
        both = torch.cat([out, self.token.expand(n, -1)], 1).view(n * 2, 5)
        return both.view(x.shape[0], 2, 5) * self.shift.expand(n, 2, -1)


class Untraceable(nn.Module):
    """What follows `middle` depends on its values, which no trace can follow."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, stride=4)
        self.middle = nn.Conv2d(4, 4, 3)
        self.head = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        x.sub_(0.25)
        h = self.middle(torch.tanh(self.first(x)))
        if h.sum() > 0:
            h = torch.relu_(h)
        return cast(Tensor, self.head(h.mean((2, 3))))


class Around(Untraceable):
    """The pixels' mean goes around everything."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + x.mean((1, 2, 3))[:, None]


class Reused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, stride=4)
        self.relu = nn.ReLU(inplace=True)
        self.second = nn.Conv2d(4, 6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.second(self.relu(self.first(x)))).mean((2, 3))


class Undecided(Reused):
    """The same layers, and a decision behind them that no trace can follow."""

    def forward(self, x: Tensor) -> Tensor:
        h = super().forward(x)
        return h if h.sum() > 0 else -h


class Tied(nn.Module):
    """One parameter on both sides of the layer."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.rand(1))
        self.conv = nn.Conv2d(3, 4, 3, stride=4)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.conv(x * self.scale) * self.scale)


class Overwriting(nn.Module):
    """A block that writes into its own result before it returns, and a later write into it."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Writing()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        h = self.inner(x)
        y = self.relu(h)
        return h.flatten(1) + y.flatten(1)


class Writing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=4)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv(x)
        h.mul_(-3)
        return cast(Tensor, h)


class Squared(nn.Module):
    """A size taken before the cut, and its square, which is not linear in the batch size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=4)

    def forward(self, x: Tensor) -> Tensor:
        n = x.size(0) * x.size(0)
        return self.conv(x).abs() * n


class Deciding(Untraceable):
    """The pixels decide whether `middle` runs, and blank images decide against it."""

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        if x.sum() > 0:
            h = self.middle(h)
        return cast(Tensor, self.head(h.mean((2, 3))))


class Noisy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=4)

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(self.conv(x), 0.5, training=True)


class Tuple(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


class Filling(nn.Module):
    """An in-place operation that has no pure form, right behind the cut."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=4)

    def forward(self, x: Tensor) -> Tensor:
        x.sub_(0.5)
        h = self.conv(x)
        h.clamp_(-0.1, 0.1).copy_(h * 2)
        return h + 1


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("at", ["layer1.0.relu", "layer2", "add_5", "avgpool", "fc"])
def test_resnet18_is_its_two_halves(at: str) -> None:
    resnet = settled(models.resnet18(weights=None))
    halves = cut(resnet, at, images(1))
    assert (halves.at, halves.how) == (at, "graph")
    assert_whole(halves, resnet, images(5, seed=2))


@pytest.mark.parametrize("at", ["features.3", "features.5", "flatten"])
def test_mobilenet_is_its_two_halves(at: str) -> None:
    mobilenet = settled(models.mobilenet_v3_small(weights=None))
    halves = cut(mobilenet, at, images(2))
    assert halves.how == "graph"
    assert_whole(halves, mobilenet, images(5, seed=2))


@pytest.mark.parametrize("at", ["conv_proj", "encoder.layers.encoder_layer_0", "encoder"])
def test_a_vision_transformer_is_its_two_halves(at: str) -> None:
    vit = models.VisionTransformer(32, 8, 3, 4, 16, 32, num_classes=7)
    nn.init.normal_(vit.heads.head.weight)
    halves = cut(vit, at, images(1))
    assert halves.how == "graph"
    assert_whole(halves, vit, images(5, seed=2))
    with pytest.raises(AssertionError, match="Wrong image height"):
        cut(vit, "encoder", images(1)).edge(images(1, 40))


def test_vit_b_16_is_its_two_halves() -> None:
    vit = models.vit_b_16(weights=None)
    nn.init.normal_(vit.heads.head.weight)
    halves = cut(vit, "encoder.layers.encoder_layer_3", images(1, 224))
    with torch.no_grad():
        features = halves.edge(images(2, 224, seed=2))
        assert features.shape == (2, 197, 768)
        assert torch.equal(halves.cloud(features), vit.eval()(images(2, 224, seed=2)))


def test_each_half_holds_only_what_it_runs() -> None:
    resnet = models.resnet18(weights=None)
    halves = cut(resnet, "layer2", images(1))
    edge, cloud = halves.edge.state_dict(), halves.cloud.state_dict()
    assert edge.keys() | cloud.keys() == resnet.state_dict().keys()
    assert not edge.keys() & cloud.keys()
    assert {name.split(".")[0] for name in edge} == {"conv1", "bn1", "layer1", "layer2"}


def test_the_places_to_cut_resnet18_are_those_between_its_blocks() -> None:
    blocks = [f"layer{layer}{end}" for layer in range(1, 5) for end in (".0", "")]
    sums = ["add"] + [f"add_{i}" for i in range(1, 8)]
    between = [name for pair in zip(sums, blocks, strict=True) for name in pair]
    stem, head = ["conv1", "bn1", "relu", "maxpool"], ["avgpool", "flatten", "fc"]
    assert places(models.resnet18(weights=None), images(1)) == [*stem, *between, *head]


@pytest.mark.parametrize("at", ["conv", "relu", "norm", "sub_", "relu_", "view", "late", "cat"])
def test_functions_are_cut_and_sizes_before_the_cut_are_computed_anew(at: str) -> None:
    module = settled(Functional())
    for example in (images(1), images(2), images(3)):
        if at not in places(module, example):
            pytest.fail(f"{at} does not separate {places(module, example)}")
        halves = cut(module, at, example)
        assert halves.how == "graph"
        assert_whole(halves, module, images(7, seed=2))


@pytest.mark.parametrize("at", ["conv", "sub_", "relu_", "late"])
def test_neither_images_nor_features_are_written_to(at: str) -> None:
    halves = cut(settled(Functional()), at, images(2))
    given = images(4)
    with torch.no_grad():
        features = halves.edge(given)
        kept = features.clone()
        halves.cloud(features)
    assert torch.equal(given, images(4))
    assert torch.equal(features, kept)


def test_inside_a_block_the_identity_crosses_and_is_named() -> None:
    separating = "stem, block, mean, head"
    with pytest.raises(InputError) as refusal:
        cut(Residual(), "block.first", images(1))
    assert str(refusal.value) == (
        "cannot cut at 'block.first': 'stem' would cross the cut beside it; "
        f"cut it at one of {separating}"
    )
    assert places(Residual(), images(1)) == separating.split(", ")


def test_the_whole_that_is_cut_is_the_one_that_writes_in_place() -> None:
    module = Overwriting()
    assert places(module, images(1)) == ["inner.conv", "inner", "relu", "add"]
    for at in ("inner.conv", "inner", "relu"):
        assert_whole(cut(module, at, images(2)), module, images(5, seed=2))
    with torch.no_grad():
        inner = cut(module, "inner", images(2)).edge(images(3))
        assert torch.equal(inner, module.inner(images(3)))


def test_a_write_that_has_no_pure_form_spares_images_and_features() -> None:
    module, given = Filling(), images(3)
    halves = cut(module, "conv", images(2))
    assert halves.how == "graph"
    with torch.no_grad():
        features = halves.edge(given)
        kept = features.clone()
        found = halves.cloud(features)
        assert torch.equal(found, module(images(3)))
    assert torch.equal(features, kept)
    assert torch.equal(given, images(3))


@pytest.mark.parametrize("at", ["first", "middle", "head"])
def test_what_cannot_be_traced_is_cut_by_hooks(at: str) -> None:
    module = Untraceable()
    halves = cut(module, at, images(2))
    assert halves.how == "hooks"
    for sign in (1, -1):
        with torch.no_grad():
            module.middle.weight.mul_(sign)
        assert_whole(cut(module, at, images(2)), module, images(5, seed=2))
    assert places(module, images(2)) == ["first", "middle", "head"]
    names = {name.removeprefix("module.") for name in halves.edge.state_dict()}
    assert names == module.state_dict().keys()


def test_hooks_refuse_what_flows_around_the_cut() -> None:
    with pytest.raises(InputError, match=r"does not depend on its output alone.*no place"):
        cut(Around(), "middle", images(2))


def test_hooks_refuse_a_place_that_only_some_images_reach() -> None:
    with pytest.raises(InputError, match=r"middle ran 0 times.*cut it at one of head"):
        cut(Deciding(), "middle", images(2))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_what_follows_from_the_batch_size_is_computed_and_not_guessed(count: int) -> None:
    module = Squared()
    halves = cut(module, "conv", images(count))
    assert halves.how == "graph"
    assert_whole(halves, module, images(7, seed=2))


def test_hooks_are_gone_after_a_run_and_after_a_failure() -> None:
    halves = cut(Untraceable(), "middle", images(2))
    halves.cloud(halves.edge(images(2)))
    with pytest.raises(RuntimeError):
        halves.edge(torch.rand(1, 2, 32, 32))
    parts = [*halves.edge.modules(), *halves.cloud.modules()]
    assert not any(part._forward_hooks for part in parts)


@pytest.mark.parametrize(
    ("module", "at"), [(Functional(), "conv"), (Reused(), "relu"), (Untraceable(), "middle")]
)
def test_the_module_is_left_as_it_is(module: nn.Module, at: str) -> None:
    settled(module).train()
    module(images(2)).sum().backward()
    state = deepcopy(module.state_dict())
    grads = [None if p.grad is None else p.grad.clone() for p in module.parameters()]
    layers = {path: dict(vars(part)) for path, part in module.named_modules()}
    cut(module, at, images(2))
    places(module, images(2))
    assert all(part.training for part in module.modules())
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())
    for parameter, grad in zip(module.parameters(), grads, strict=True):
        assert grad is None if parameter.grad is None else torch.equal(parameter.grad, grad)
    assert {path: dict(vars(part)) for path, part in module.named_modules()} == layers
    assert all(getattr(part, "inplace", True) for part in module.modules())


@pytest.mark.parametrize(
    ("module", "at"), [(Functional(), "norm"), (Residual(), "block"), (Untraceable(), "middle")]
)
def test_gradients_flow_through_both_halves(module: nn.Module, at: str) -> None:
    halves = cut(module, at, images(2))
    given = images(3, seed=2).requires_grad_()
    features = halves.edge(given)
    middle = features.detach().requires_grad_()
    halves.cloud(middle).square().sum().backward()
    features.backward(middle.grad)
    whole = images(3, seed=2).requires_grad_()
    module.eval()(whole * 1).square().sum().backward()
    assert given.grad is not None
    assert given.grad.abs().sum() > 0
    assert torch.allclose(given.grad, cast(Tensor, whole.grad))


@pytest.mark.parametrize(
    ("module", "at"), [(Functional(), "conv"), (Residual(), "block"), (Untraceable(), "middle")]
)
def test_halves_can_be_copied_and_saved(module: nn.Module, at: str) -> None:
    halves = cut(module, at, images(2))
    for duplicate in (deepcopy, reloaded):
        twin = Cut(duplicate(halves.edge), duplicate(halves.cloud), at, halves.how)
        assert twin.edge is not halves.edge
        assert not twin.edge.training
        assert not twin.cloud.training
        assert_whole(twin, module, images(5, seed=2))


def test_halves_share_no_memory_with_each_other_or_the_module() -> None:
    for module, at in ((Tied(), "conv"), (Untraceable(), "middle")):
        halves = cut(module, at, images(2))
        parts = (module, halves.edge, halves.cloud)
        owned = [{p.data_ptr() for p in part.parameters()} for part in parts]
        assert sum(map(len, owned)) == len(set().union(*owned))


def test_hooks_write_neither_into_images_nor_features() -> None:
    halves = cut(Untraceable(), "middle", images(2))
    given = images(4)
    with torch.no_grad():
        features = halves.edge(given)
        kept = features.clone()
        halves.cloud(features)
    assert torch.equal(given, images(4))
    assert torch.equal(features, kept)


@pytest.mark.parametrize(("kind", "how"), [(Reused, "graph"), (Undecided, "hooks")])
def test_a_layer_that_runs_twice_is_cut_at_its_last_call(kind: type[Reused], how: str) -> None:
    module = kind()
    halves = cut(module, "relu", images(2))
    assert halves.how == how
    assert halves.edge(images(3)).shape[1] == 6
    assert_whole(halves, module, images(5, seed=2))
    after = ["mean"] if how == "graph" else []
    assert places(module, images(2)) == ["first", "second", "relu", *after]


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean 'block\.first'\?"):
        cut(Residual(), "block.frist", images(1))
    with pytest.raises(UnknownNameError, match="did you mean 'middle'"):
        cut(Untraceable(), "midle", images(1))


@pytest.mark.parametrize(
    ("module", "at", "example", "reason"),
    [
        (Tuple(), "x", images(1), "must give one tensor, not tuple"),
        (Noisy(), "conv", images(1), "not deterministic"),
        (Residual(), "stem", images(1).double(), "the module fails on images .* RuntimeError"),
        (Residual(), "stem", images(1)[0], "the module fails on images"),
        (Residual(), "stem", images(0), "at least one image"),
        (Residual(), "stem", torch.zeros(1, 3, 32, 32, dtype=torch.uint8), "floating point"),
        (Residual(), "stem", "image", "not str"),
        (Residual(), "stem", images(1) * torch.nan, "NaN"),
        (Functional(), "token", images(1), "does not depend on the pixels"),
        (Functional(), "size", images(1), "does not depend on the pixels"),
        (Functional(), "view_1", images(1), "does not have the batch first"),
    ],
)
def test_what_cannot_be_cut_is_refused_in_one_line(
    module: nn.Module, at: str, example: Any, reason: str
) -> None:
    with pytest.raises(InputError, match=reason) as refusal:
        cut(settled(module), at, example)
    assert "\n" not in str(refusal.value)


def test_weights_and_outputs_that_hold_nan_are_refused() -> None:
    module = Residual()
    with torch.no_grad():
        module.block.first.weight[0, 0, 0, 0] = torch.nan
    with pytest.raises(InputError, match=r"block\.first\.weight holds NaN"):
        cut(module, "stem", images(1))
    with pytest.raises(InputError, match="output holds NaN"):
        cut(nn.Sequential(nn.Flatten(), Logarithm()), "0", images(1))


class Logarithm(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.log(-1 - x)
