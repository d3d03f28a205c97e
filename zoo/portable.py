"""Modules that can be pickled by whoever took them from the hub."""

from __future__ import annotations

import copy
import functools
import sys
from typing import Any, TypeVar

import torch

T = TypeVar("T", bound="Portable")


class Portable:
    """A module that survives `torch.save` into another process, where its class is unknown.

    A checkout that torch.hub loads is imported under a private name (see `hubconf.py`), which no
    other process can import. Such a module is pickled as a call of `torch.hub.load` on the same
    checkout; one of an installed Splitzoo as any other.
    """

    def __reduce_ex__(self, protocol: Any) -> Any:
        package, _, module = type(self).__module__.partition(".")
        checkout = getattr(sys.modules.get(package), "__checkout__", None)
        if checkout is None:
            return super().__reduce_ex__(protocol)
        blank = functools.partial(torch.hub.load, checkout, "_blank", source="local")
        return blank, (module, type(self).__qualname__), self.__dict__

    def __deepcopy__(self: T, memo: dict[int, Any]) -> T:
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        twin.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return twin
