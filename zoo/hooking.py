"""Cutting a module that cannot be traced: both halves run it whole, hooks do the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from .errors import InputError
from .forgetting import Uses, forgetting
from .whole import Whole, altered, first_line, run_whole, unfit


class _Reached(BaseException):
    """Stops a run at the cut; no Exception, so that no module can catch it."""

    def __init__(self, features: Any) -> None:
        super().__init__()
        self.features = features


class _Hooked(nn.Module):
    """The whole module, and the call of one of its submodules behind which it is cut."""

    def __init__(self, module: nn.Module, at: str, call: int) -> None:
        super().__init__()
        self.module = module
        self.at = at
        self.call = call

    def _run(self, images: Tensor, at_the_cut: Callable[[Any], Any]) -> Any:
        """Run the module on images, its submodule's output replaced by `at_the_cut(output)`."""
        calls = 0

        def hook(_module: nn.Module, _inputs: Any, output: Any) -> Any:
            nonlocal calls
            calls += 1
            return at_the_cut(output) if calls == self.call else None

        handle = self.module.get_submodule(self.at).register_forward_hook(hook)
        try:
            output = self.module(_copied(images))
        finally:
            handle.remove()
        if calls != self.call:
            raise InputError(
                f"{self.at} ran {calls} times, not {self.call} times as on the example; "
                "cut where every batch takes the same way"
            )
        return output


class _HookedEdge(_Hooked):
    """Images -> features: the module, stopped at the cut."""

    def forward(self, images: Tensor) -> Any:
        def stop(output: Any) -> Any:
            raise _Reached(output)

        try:
            return self._run(images, stop)
        except _Reached as reached:
            return reached.features


class _HookedCloud(_Hooked):
    """Features -> outputs: the module on blank images, with the features put in at the cut."""

    def __init__(self, module: nn.Module, at: str, call: int, shape: Iterable[int]) -> None:
        super().__init__(module, at, call)
        self.shape = tuple(shape)

    def forward(self, features: Tensor) -> Any:
        output = self.on(features.new_zeros(len(features), *self.shape), features)
        if isinstance(output, Tensor) and output.isnan().any() and features.isfinite().all():
            raise InputError(
                "these features take a way through the module that the example did not, or overflow"
                "; cut it with an example whose images take every way"
            )
        return output

    def on(self, images: Tensor, features: Tensor) -> Any:
        """The outputs of features, where the part before the cut runs on the given images."""
        return self._run(images, lambda _: _copied(features))

    def noting(self, features: Tensor, uses: Uses) -> None:
        """Run on features; tell `uses` when the cut is behind."""

        def put_in(_: Any) -> Tensor:
            uses.behind = True
            return _copied(features)

        self._run(features.new_zeros(len(features), *self.shape), put_in)


def _copied(values: Tensor) -> Tensor:
    """A copy in the usual order, in case the module views or writes into it."""
    return values.clone(memory_format=torch.contiguous_format)


def hooked(whole: Whole, copy: nn.Module, at: str, call: int) -> tuple[_HookedEdge, _HookedCloud]:
    edge = _HookedEdge(copy, at, call)
    cloud = _HookedCloud(copy, at, call, whole.batches[0].shape[1:])
    return edge.eval(), cloud.eval()


def hooked_fault(whole: Whole, edge: _HookedEdge, cloud: _HookedCloud) -> str | None:
    """Why the halves are not the whole, or None where they are."""
    if not edge.call:
        return "the module never calls it in eval mode"
    try:
        for images in whole.batches:
            features = edge(images)
            fault = unfit(features, len(images))
            if fault:
                return fault
            others = altered(1 - images, len(images))
            if not torch.equal(cloud.on(images, features), cloud.on(others, features)):
                return "what follows does not depend on its output alone"
    except Exception as error:
        return f"on other images it fails with {first_line(error)}"
    return whole.fault(edge, cloud)


def without_the_edge(whole: Whole, edge: _HookedEdge, cloud: _HookedCloud) -> _HookedCloud:
    """A cloud of its own that holds nothing of what only the edge uses."""
    uses = Uses()
    for images in whole.batches:
        features = edge(images)
        with uses:
            uses.behind = False
            cloud.noting(features, uses)
    return forgetting(cloud, uses)


def calls_of(whole: Whole, copy: nn.Module) -> dict[str, int]:
    """How often each submodule runs on the example, in the order of the last calls."""
    found: dict[str, int] = {}

    def counting(path: str) -> Callable[..., None]:
        def count(_module: nn.Module, _inputs: Any, _output: Any) -> None:
            found[path] = found.pop(path, 0) + 1

        return count

    handles = [
        part.register_forward_hook(counting(path))
        for path, part in copy.named_modules(remove_duplicate=False)
        if path
    ]
    run_whole(copy, whole.batches[0])
    for handle in handles:
        handle.remove()
    return found
