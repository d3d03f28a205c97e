"""The threat model is enforced, and the base class lets no broken promise through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass
from typing import Any

import pytest
import torch
import torchvision
from splitzoo.attacks import (
    RMLE,
    SETTINGS,
    Adversary,
    Attack,
    Capability,
    Draws,
    Setting,
    catalogue,
    get_setting,
)
from splitzoo.zoo import (
    CapabilityError,
    ContractError,
    Images,
    InputError,
    Target,
    UnknownNameError,
    fresh_copy,
    load_split,
    split_module,
)
from torch import Tensor, nn

CPU = torch.device("cpu")
ASK: dict[Capability, Callable[[Adversary], Any]] = {
    Capability.EDGE: lambda adversary: adversary.edge,
    Capability.QUERY: lambda adversary: adversary.query(torch.zeros(1, 1, 28, 28)),
    Capability.DATA: lambda adversary: adversary.data,
    Capability.STRUCTURE: lambda adversary: adversary.fresh_edge(),
}


def adversary_of(lenet: Target, *grants: Capability) -> Adversary:
    data = Images(torch.zeros(1, 1, 28, 28, dtype=torch.uint8), torch.zeros(1))
    images = "training_set" if Capability.DATA in grants else None
    return Adversary(
        Setting("test", "test", "Test", "-", frozenset(grants), images),
        lenet,
        device=CPU,
        data=lambda: data,
        fresh_edge=lambda: load_split("lenet", "conv1", weights=None).edge,
    )


@pytest.mark.parametrize("granted", list(Capability))
@pytest.mark.parametrize("asked", list(Capability))
def test_only_what_is_granted_can_be_used(
    lenet: Target, granted: Capability, asked: Capability
) -> None:
    adversary = adversary_of(lenet, granted)
    implied = granted is Capability.EDGE and asked is not Capability.DATA
    if asked is granted or implied:
        ASK[asked](adversary)
    else:
        with pytest.raises(CapabilityError, match=f"test does not grant {asked.value}"):
            ASK[asked](adversary)


EDGE, STRUCTURE, QUERY, DATA = Capability
#: Table 1, row by row: what is granted, and which images.
TABLE_1: dict[str, tuple[set[Capability], str | None]] = {
    "white_box": ({EDGE, STRUCTURE}, None),
    "white_box_same_dist": ({EDGE, STRUCTURE, DATA}, "same_distribution"),  # beyond the paper
    "black_box_same_set": ({QUERY, DATA}, "training_set"),
    "black_box_same_dist": ({QUERY, DATA}, "same_distribution"),
    "black_box_rand_set": ({QUERY}, None),
    "query_free_same_set_same_net": ({DATA, STRUCTURE}, "training_set"),
    "query_free_diff_set_same_net": ({DATA, STRUCTURE}, "same_distribution"),
    "query_free_same_set_diff_net": ({DATA}, "training_set"),
    "query_free_diff_set_diff_net": ({DATA}, "same_distribution"),
}


def test_the_settings_grant_what_table_1_says() -> None:
    found = {name: (set(s.grants), s.images) for name, s in SETTINGS.items()}
    assert found == TABLE_1


def test_who_holds_the_edge_asks_its_own_copy(lenet: Target, digits: Tensor) -> None:
    adversary = adversary_of(lenet, Capability.EDGE)
    assert torch.equal(adversary.query(digits), lenet.edge(digits))
    assert adversary.queries == 0


def test_images_must_be_named_where_they_are_granted() -> None:
    with pytest.raises(ValueError, match="say which images"):
        Setting("test", "test", "Test", "-", frozenset({Capability.DATA}))


def test_every_query_is_counted(lenet: Target, digits: Tensor) -> None:
    adversary = adversary_of(lenet, Capability.QUERY)
    answer = adversary.query(digits)
    adversary.query(torch.randn(3, 1, 28, 28))  # §5 queries with Gaussian noise
    assert adversary.queries == 7
    assert torch.equal(answer, lenet.edge(digits))
    with pytest.raises(InputError, match="NaN"):
        adversary.query(torch.full((1, 1, 28, 28), float("nan")))


def test_a_fresh_edge_knows_nothing_of_the_target(lenet: Target) -> None:
    fresh: Any = adversary_of(lenet, Capability.STRUCTURE).fresh_edge()
    target: Any = lenet.edge
    assert fresh.conv1.weight.shape == target.conv1.weight.shape
    assert not torch.equal(fresh.conv1.weight, target.conv1.weight)


class Learned(nn.Module):
    """What a module can keep of its training, in places that PyTorch would not draw anew."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.utils.parametrizations.weight_norm(nn.Conv2d(1, 4, 3))
        self.norm, self.frozen = nn.BatchNorm2d(4), torchvision.ops.FrozenBatchNorm2d(4)
        self.token, self.scale = nn.Parameter(torch.zeros(4, 1, 1)), nn.Parameter(torch.tensor(1.0))
        self.many = nn.ParameterList([torch.zeros(4, 1, 1)])
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.register_buffer("positions", torch.arange(4.0).view(4, 1, 1), persistent=False)
        for value in self.state_dict().values():
            value.copy_(7 + torch.rand(value.shape))

    def reset_parameters(self) -> None:
        """One that draws nothing."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.frozen(self.norm(self.conv(x))) * self.scale + self.token + self.many[0]
        tokens = (x + self.positions).flatten(2).transpose(1, 2)
        return tokens + self.attention(tokens, tokens, tokens)[0]  # type: ignore[no-any-return]


def test_a_fresh_edge_keeps_no_learned_value_wherever_it_stands() -> None:
    """Every value above 7 is a learned one, but for the constant positions."""
    edge = Learned().eval()
    fresh = fresh_copy(edge)
    found = fresh.state_dict()
    assert found.keys() == edge.state_dict().keys()
    assert {name: value for name, value in found.items() if (value >= 7).any()} == {}
    assert torch.equal(fresh.get_buffer("norm.running_mean"), torch.zeros(4))
    assert torch.equal(fresh.get_buffer("frozen.running_var"), torch.ones(4))
    assert torch.equal(fresh.get_buffer("positions"), edge.get_buffer("positions"))
    assert fresh(torch.rand(2, 1, 5, 5)).isfinite().all()


def test_a_fresh_edge_of_the_targets_own_structure_is_drawn_on_the_cpu() -> None:
    """Wherever the target lies: the device "meta" has no values that could be drawn."""
    target = split_module(Learned(), "norm", torch.rand(2, 1, 5, 5))
    adversary = Adversary(get_setting("query_free_same_set_same_net"), target, data=Images)
    torch.manual_seed(0)
    fresh = adversary.fresh_edge()
    assert {each.device.type for each in fresh.parameters()} == {"cpu"}
    assert {name: v for name, v in fresh.state_dict().items() if (v >= 7).any()} == {}
    torch.manual_seed(0)
    again = adversary.fresh_edge()
    assert torch.equal(again(torch.ones(1, 1, 5, 5)), fresh(torch.ones(1, 1, 5, 5)))


@pytest.mark.filterwarnings("ignore:.*without a gradient")  # its own copy was silenced
def test_an_attack_can_neither_change_the_target_nor_leave_a_gradient(
    lenet: Target, digits: Tensor
) -> None:
    before = {name: value.clone() for name, value in lenet.state_dict().items()}
    adversary = adversary_of(lenet, Capability.EDGE)
    with torch.no_grad():
        for parameter in (*adversary.edge.parameters(), *adversary.cloud.parameters()):
            parameter.zero_()
    features = lenet.edge(digits).detach()
    RMLE(iterations=2, tv_weight=0.1).prepare(adversary).reconstruct(features)
    assert all(torch.equal(value, before[name]) for name, value in lenet.state_dict().items())
    assert all(parameter.grad is None for parameter in lenet.parameters())


def test_what_an_attack_requires_is_checked_before_any_work(lenet: Target) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Busy(Scripted):
        requires = frozenset({Capability.QUERY})

        def offline(self, adversary: Adversary, generator: torch.Generator) -> Any:
            raise AssertionError("work was done")

    with pytest.raises(CapabilityError, match="Busy requires queries to the edge"):
        Busy(answer=lambda f: f).prepare(adversary_of(lenet, Capability.STRUCTURE))


@dataclass(frozen=True, kw_only=True)
class Scripted(Attack):
    """Returns whatever the test tells it to."""

    requires = frozenset[Capability]()
    title = "Scripted"
    citation = "-"
    answer: Callable[[Tensor], Any]

    def online(self, state: Any, features: Tensor, draws: Draws) -> Tensor:
        result: Tensor = self.answer(features)
        return result


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (lambda f: None, "tensor"),
        (lambda f: torch.zeros(len(f), 1, 27, 28), "N×1×28×28"),
        (lambda f: torch.zeros(len(f) + 1, 1, 28, 28), "5 images"),
        (lambda f: torch.zeros(len(f), 1, 28, 28, dtype=torch.float64), "float64"),
        (lambda f: torch.full((len(f), 1, 28, 28), float("nan")), "NaN"),
        (lambda f: torch.full((len(f), 1, 28, 28), 1.01), r"\[0, 1\]"),
        (lambda f: torch.full((len(f), 1, 28, 28), -0.01), r"\[0, 1\]"),
    ],
)
def test_a_broken_promise_is_refused(
    lenet: Target, digits: Tensor, answer: Callable[[Tensor], Any], complaint: str
) -> None:
    prepared = Scripted(answer=answer).prepare(adversary_of(lenet))
    with pytest.raises(ContractError, match=complaint) as caught:
        prepared.reconstruct(lenet.edge(digits))
    assert "Scripted" in str(caught.value)


def test_what_comes_back_carries_no_graph(lenet: Target, digits: Tensor) -> None:
    leak = torch.zeros(4, 1, 28, 28, requires_grad=True)
    prepared = Scripted(answer=lambda f: leak * 1).prepare(adversary_of(lenet))
    assert not prepared.reconstruct(lenet.edge(digits)).requires_grad


@pytest.mark.parametrize("features", [torch.zeros(2, 16, 8, 8), torch.zeros(8, 24, 24)])
def test_features_of_another_split_are_refused(lenet: Target, features: Tensor) -> None:
    prepared = Scripted(answer=lambda f: f).prepare(adversary_of(lenet))
    with pytest.raises(InputError, match="N×8×24×24"):
        prepared.reconstruct(features)


def test_the_contract_cannot_be_overridden() -> None:
    with pytest.raises(TypeError, match="may not override prepare"):
        type("Rogue", (Scripted,), {"prepare": lambda self, adversary: None})


def test_hyperparameters_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        RMLE().tv_weight = 1.0  # type: ignore[misc]


@pytest.mark.parametrize("name", catalogue())
def test_every_attack_states_its_source_and_needs(name: str) -> None:
    attack = catalogue()[name]
    assert attack.citation
    assert attack.title
    assert attack.__doc__
    assert any(not setting.missing(attack.requires) for setting in SETTINGS.values())


def test_an_unknown_setting() -> None:
    with pytest.raises(UnknownNameError, match="known are white_box"):
        get_setting("gray_box")
