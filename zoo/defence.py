"""What an edge does to its features before it sends them, as a value, and the ones there are."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from types import MappingProxyType
from typing import Any, ClassVar, cast, final

from torch import nn

from . import defences
from .discovery import named
from .errors import MisuseError, UnknownNameError
from .target import Target


@dataclass(frozen=True, kw_only=True)
class Defence(ABC):
    """A frozen dataclass whose fields are its knobs; it makes a target of another.

    To an adversary the result is one more edge, whose structure and manner it is told. A field of
    real numbers may declare its least and greatest value: `metadata={"ends": (0.0, None)}`.

    Raises MisuseError for a number that is none, or lies beyond its ends.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    citation: ClassVar[str]

    def __post_init__(self) -> None:
        for each in fields(self):
            if each.type in ("float", float):
                value = _checked(self.name, each.name, getattr(self, each.name), each.metadata)
                object.__setattr__(self, each.name, value)  # 1 and 1.0 are the same defence

    @abstractmethod
    def layer(self, target: Target) -> nn.Module:
        """What is put behind the target's edge: features to features of the same shape.

        One that draws random numbers has `reseed(seed)`, which begins others, and
        `number(numbers)`, after which it answers images of these numbers: what it draws for an
        image follows from the seed and from the image's number alone.
        """

    @final
    def protect(self, target: Target) -> Target:
        """A copy of the target whose edge ends with the defence's layer.

        Raises MisuseError for a target that is defended already.
        """
        if "defence" in target.architecture:
            raise MisuseError(
                f"{target.name} is defended by {target.architecture['defence']} already; "
                "protect the target that has no defence"
            )
        protected = copy.deepcopy(target)
        protected.edge.add_module(self.name, self.layer(target).train(target.training))
        protected.architecture = {**target.architecture, "defence": self.label}
        return protected

    @property
    def label(self) -> str:
        """Name and knobs in a word, e.g. "gaussian_noise-sigma0.5"."""
        return "-".join([self.name, *(f"{k}{v}" for k, v in asdict(self).items())])


def _checked(defence: str, field: str, value: Any, declared: Mapping[str, Any]) -> float:
    low, high = declared.get("ends", (None, None))
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and math.isfinite(value):
        if (low is None or value >= low) and (high is None or value <= high):
            return float(value)
        raise MisuseError(f"{defence}: {field} cannot be {value!r}; its ends are {(low, high)}")
    raise MisuseError(f"{defence}: {field} cannot be {value!r}; give a finite number")


def number_images(edge: nn.Module, numbers: Iterable[int]) -> None:
    """Say which images an edge is about to be shown, by their numbers.

    What is random in its answers follows from these, whoever shares a batch with them and whatever
    was answered before.
    """
    numbers = list(numbers)
    for layer in edge.modules():
        if hasattr(layer, "number"):
            cast(Any, layer).number(numbers)


def reseed(edge: nn.Module, seed: int) -> None:
    """Begin other random numbers in an edge that draws some: the victim's own begin with 0."""
    for layer in edge.modules():
        if hasattr(layer, "reseed"):
            cast(Any, layer).reseed(seed)


@cache
def all_defences() -> Mapping[str, type[Defence]]:
    """Every defence by name: the `DEFENCE` of each file in `zoo/defences/`."""
    return MappingProxyType(named(defences, "DEFENCE"))


def get_defence(name: str) -> type[Defence]:
    """The defence of that name; UnknownNameError lists the known ones."""
    try:
        return all_defences()[name]
    except KeyError:
        raise UnknownNameError("defence", name, all_defences()) from None
