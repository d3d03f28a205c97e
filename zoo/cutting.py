"""Cutting any module in two: along its graph, or by hooks where it cannot be traced."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .checks import check_features
from .errors import InputError, UnknownNameError
from .hooking import hooked, separating_submodules
from .tracing import NotSizeError, Traced

#: Places that an error lists at most.
_LISTED = 30


@dataclass(frozen=True)
class Cut:
    """A module in two halves: `edge` then `cloud` equals the whole, bit for bit.

    Attributes:
        edge: images -> features, one tensor N×….
        cloud: features -> outputs.
        at: the name of the place, as it was asked for.
        how: "graph", or "hooks" where the module could not be traced.
    """

    edge: nn.Module
    cloud: nn.Module
    at: str
    how: str


def cut(module: nn.Module, at: str, example: Tensor) -> Cut:
    """Cut a module behind a submodule, by its path, or behind a node of its graph, by its name.

    The module is copied, and its copy is put into eval mode; it is never changed itself. A
    submodule that is called several times stands for its last call.

    Args:
        example: a batch of what the module maps to its output, finite.

    Raises UnknownNameError for a place that does not exist, and InputError where more than one
    tensor would cross the cut, listing the places where one does, or where the module cannot be
    run, holds NaN, or answers no tensor.
    """
    check_features(example, tuple(example.shape[1:]), "the example")
    whole = _Whole(copy.deepcopy(module)).eval().requires_grad_(False)
    for each in whole.modules():
        if getattr(each, "inplace", False) is True:
            setattr(each, "inplace", False)  # noqa: B010
    _check_runs(whole, example)
    try:
        traced = Traced(whole, example)
    except Exception:  # whatever a module's own code does when it is given no real tensor
        return _by_hooks(whole, at, example)
    return _by_graph(whole, traced, at, example)


def places(module: nn.Module, example: Tensor) -> list[str]:
    """Names of the places at which a module can be cut, in order."""
    whole = _Whole(copy.deepcopy(module)).eval()
    try:
        return list(dict.fromkeys(Traced(whole, example).separators()))
    except Exception:  # as in `cut`
        return list(separating_submodules(whole.module, example))


class _Whole(nn.Module):
    """The module called with images alone, its other arguments left at their defaults."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, images: Tensor) -> Tensor:
        answer: Tensor = self.module(images)
        return answer


def _by_graph(whole: _Whole, traced: Traced, at: str, example: Tensor) -> Cut:
    node = traced.node(at)
    if node is None or node not in traced.data or node in (traced.images, traced.output):
        raise UnknownNameError("place to cut", at, dict.fromkeys(traced.separators()))
    others = traced.crossing(node)
    if others:
        crossing = ", ".join(traced.name(each) for each in others)
        raise InputError(
            f"behind {at} more than one tensor would cross the cut ({crossing} too); cut behind "
            f"one of {_listed(traced.separators())}"
        )
    if not traced.is_batch(node):
        raise InputError(f"{at} answers no floating-point tensor N×…; cut at another place")
    try:
        edge, cloud = traced.halves(node)
        _verify(whole, edge, cloud, at, example)
    except (InputError, NotSizeError):
        if at in dict(whole.module.named_modules()):
            return _by_hooks(whole, at, example)
        raise
    return Cut(edge, cloud, at, "graph")


def _by_hooks(whole: _Whole, at: str, example: Tensor) -> Cut:
    module = whole.module
    if not at or at not in dict(module.named_modules()):
        known = separating_submodules(module, example)
        raise UnknownNameError("place to cut", at, known)
    halves = hooked(module, at, example)
    if halves is None:
        raise InputError(
            f"something flows around {at}, or it answers no batch of numbers; cut behind one of "
            f"{_listed(separating_submodules(module, example))}"
        )
    _verify(whole, *halves, at, example)
    return Cut(*halves, at, "hooks")


def _listed(names: Iterable[str]) -> str:
    found = list(dict.fromkeys(names))
    return ", ".join(found[:_LISTED]) + (", …" if len(found) > _LISTED else "") or "none"


@torch.no_grad()
def _check_runs(whole: nn.Module, example: Tensor) -> None:
    """Raise InputError unless the module answers the example with finite numbers, twice alike."""
    for name, tensor in [*whole.named_parameters(), *whole.named_buffers()]:
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            plain = name.removeprefix("module.")
            raise InputError(f"{plain} holds NaN or infinity; load the network's weights again")
    try:
        outputs = [whole(example), whole(example)]
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"the module cannot be run on the example: {type(error).__name__}: {reason}"
        ) from error
    if not isinstance(outputs[0], Tensor):
        kind = type(outputs[0]).__name__
        raise InputError(f"the module answers a {kind}; wrap it in one that answers one tensor")
    if not torch.isfinite(outputs[0]).all():
        raise InputError("the module answers the example with NaN or infinity; check its weights")
    if not torch.equal(*outputs):
        raise InputError("the module answers the same images differently; make it deterministic")


@torch.no_grad()
def _verify(whole: nn.Module, edge: nn.Module, cloud: nn.Module, at: str, example: Tensor) -> None:
    """Raise InputError unless the halves equal the whole on two batches and change nothing."""
    noise = torch.rand(example.shape, generator=torch.Generator().manual_seed(0))
    for images in (example, 0.5 * example.flip(0) + 0.25 * noise.to(example)):
        before = images.clone()
        features = edge(images)
        kept = features.clone()
        answer = cloud(features)
        if not (torch.equal(images, before) and torch.equal(features, kept)):
            raise InputError(f"cut behind {at}, the network writes into what it is given")
        if not torch.equal(answer, whole(images)):
            raise InputError(
                f"cut behind {at}, the halves do not give what the whole does: something flows "
                "around the cut; cut elsewhere"
            )
