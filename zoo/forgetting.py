"""What a cloud that was cut by hooks must not hold: the weights that only the edge uses."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

T = TypeVar("T", bound=nn.Module)


class Uses(TorchDispatchMode):
    """While it is entered, notes what every operation is given, before and after the cut."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._before, self._after = set[int](), set[int]()
        self.behind = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = tree_leaves((args, kwargs or {}))
        noted = self._after if self.behind else self._before
        noted |= {_place(each) for each in given if isinstance(each, Tensor)}
        return func(*args, **(kwargs or {}))

    def behind_the_cut(self, tensor: Tensor) -> bool:
        """Whether an operation behind the cut was given it, or a view of it."""
        return _place(tensor) in self._after

    def anywhere(self, tensor: Tensor) -> bool:
        """Whether any operation was given it, or a view of it."""
        return self.behind_the_cut(tensor) or _place(tensor) in self._before


def _place(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def forgetting(module: T, uses: Uses) -> T:
    """A copy that keeps the tensors, registered or not, which are used behind the cut.

    What is used before the cut alone is zero. What no image has used yet may belong to either
    side: it is NaN, so that whatever needs it is found out.
    """
    seen: dict[int, Any] = {}
    deepcopy(module, seen)
    tensors = [each for each in seen[id(seen)] if isinstance(each, Tensor)]
    blanks = {
        id(each): _blank(each, 0.0 if uses.anywhere(each) else float("nan"))
        for each in tensors
        if not uses.behind_the_cut(each)
    }
    return deepcopy(module, blanks)


def _blank(tensor: Tensor, value: float) -> Tensor:
    blank = torch.full_like(tensor, value if tensor.is_floating_point() else 0)
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(blank, requires_grad=tensor.requires_grad)
    return blank
