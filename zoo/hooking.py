"""Cutting a module that cannot be traced: it runs whole, and hooks stop it or take its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from .portable import Portable


class HookedEdge(Portable, nn.Module):
    """Runs a module until the submodule `at` has answered for the last time; that is its answer."""

    def __init__(self, module: nn.Module, at: str, calls: int) -> None:
        super().__init__()
        self.module, self.at, self.calls = module, at, calls

    def forward(self, images: Tensor) -> Tensor:
        count = 0

        def stop(submodule: nn.Module, given: Any, answer: Tensor) -> None:
            nonlocal count
            count += 1
            if count == self.calls:
                raise _AnswerError(answer)

        with _hook(self.module, self.at, stop):
            try:
                self.module(images)
            except _AnswerError as answer:
                return answer.value
        raise RuntimeError(f"{self.at} was not called {self.calls} times")


class HookedCloud(Portable, nn.Module):
    """Runs a module on blank images, and lets given features pass for what `at` answers last."""

    def __init__(
        self, module: nn.Module, at: str, calls: int, input_shape: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.module, self.at, self.calls, self.input_shape = module, at, calls, input_shape

    def forward(self, features: Tensor) -> Tensor:
        return self.answer(features, features.new_zeros(len(features), *self.input_shape))

    def answer(self, features: Tensor, images: Tensor) -> Tensor:
        """The module's output for the features, with these images before the cut."""
        count = 0

        def replace(submodule: nn.Module, given: Any, answer: Tensor) -> Tensor | None:
            nonlocal count
            count += 1
            return features if count == self.calls else None

        with _hook(self.module, self.at, replace):
            output: Tensor = self.module(images)
        return output


def hooked(module: nn.Module, at: str, example: Tensor) -> tuple[HookedEdge, HookedCloud] | None:
    """The halves of a cut at a submodule; None where more than its answer reaches the output.

    That is so where two different images give two outputs although the submodule's answer is one.
    """
    calls = _calls(module, at, example)
    edge = HookedEdge(module, at, calls)
    cloud = HookedCloud(module, at, calls, tuple(example.shape[1:]))
    if not calls:
        return None
    with torch.no_grad():
        features = edge(example)
        if not isinstance(features, Tensor) or features.shape[:1] != example.shape[:1]:
            return None
        if not features.is_floating_point():
            return None
        outputs = [cloud.answer(features, images) for images in (example, example.flip(-1) * 0.5)]
    return (edge, cloud) if torch.equal(outputs[0], outputs[1]) else None


def separating_submodules(module: nn.Module, example: Tensor) -> Iterator[str]:
    """Paths of the submodules at which a module can be cut by hooks, in order."""
    for path, _ in module.named_modules():
        if path and hooked(module, path, example) is not None:
            yield path


class _AnswerError(Exception):
    """Carries an answer out of a run that need not go on."""

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.value = value


@contextmanager
def _hook(module: nn.Module, at: str, hook: Callable[..., Any]) -> Iterator[None]:
    handle = module.get_submodule(at).register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def _calls(module: nn.Module, at: str, example: Tensor) -> int:
    """How often a submodule is called in a run."""
    count = 0

    def counting(*_: Any) -> None:
        nonlocal count
        count += 1

    with torch.no_grad(), _hook(module, at, counting):
        module(example)
    return count
