"""What an edge does to its features before it sends them, as a value, and the ones there are."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, ClassVar, final

from torch import nn

from . import defences
from .discovery import constants
from .errors import UnknownNameError
from .target import Target


@dataclass(frozen=True, kw_only=True)
class Defence(ABC):
    """A frozen dataclass whose fields are its knobs; it makes a target of another.

    To an adversary the result is one more edge, whose structure and manner it is told.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    citation: ClassVar[str]

    @abstractmethod
    def layer(self, target: Target) -> nn.Module:
        """What is put behind the target's edge: features to features of the same shape."""

    @final
    def protect(self, target: Target) -> Target:
        """A copy of the target whose edge ends with the defence's layer."""
        protected = copy.deepcopy(target)
        protected.edge.add_module(self.name, self.layer(target).train(target.training))
        protected.architecture = {**target.architecture, "defence": self.label}
        return protected

    @property
    def label(self) -> str:
        """Name and knobs in a word, e.g. "gaussian_noise-sigma0.5"."""
        return "-".join([self.name, *(f"{k}{v}" for k, v in asdict(self).items())])


@cache
def all_defences() -> Mapping[str, type[Defence]]:
    """Every defence by name: the `DEFENCE` of each file in `zoo/defences/`."""
    found: list[Any] = list(constants(defences, "DEFENCE"))
    return MappingProxyType({each.name: each for each in found})


def get_defence(name: str) -> type[Defence]:
    """The defence of that name; UnknownNameError lists the known ones."""
    try:
        return all_defences()[name]
    except KeyError:
        raise UnknownNameError("defence", name, all_defences()) from None
