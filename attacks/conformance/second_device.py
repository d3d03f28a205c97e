"""A device that is not the CPU, made of Python, for machines that have no other.

PyTorch's own way to write a device in Python ("privateuseone") runs no backward pass where PyTorch
is built for CUDA and there is none. So the tensors here say that they are on the device "meta",
which has no arithmetic of its own, wrap tensors of the CPU and compute what these compute. Like a
GPU, the device refuses tensors of the CPU beside its own (numbers and indices excepted), a
generator of the CPU for a draw of its own, and `.numpy()`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

NAME = "meta"
DEVICE = torch.device(NAME)
_MOVES = {"aten::copy_", "aten::_to_copy"}
_INDEXING = {"aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_"}


class CannotFollowError(Exception):
    """Something that a real device does and this one cannot, such as an index that is a list."""


class Elsewhere(Tensor):
    """A tensor on the device; `held` is what it holds, on the CPU."""

    held: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor, requires_grad: bool = False) -> Elsewhere:
        wrapper: Elsewhere = Tensor._make_wrapper_subclass(
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=DEVICE,
            requires_grad=requires_grad,
        )
        wrapper.held = inner
        return wrapper

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"Elsewhere({self.held})"

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return computed(func, args, kwargs or {})


def computed(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """An operation on the device: what the CPU makes of the inner tensors, wrapped."""
    name = func._schema.name
    given = pytree.tree_leaves((args, kwargs))
    tensors = [each for each in given if isinstance(each, Tensor)]
    apart = [each for each in tensors if not isinstance(each, Elsewhere) and each.dim() > 0]
    if any(each.device.type == NAME for each in apart):
        raise CannotFollowError(f"{name} of a tensor that was made without its values")
    if name in _INDEXING and isinstance(args[0], Elsewhere):  # by positions from anywhere
        apart = [each for each in apart if each.is_floating_point()]
    if apart and len(apart) < len(tensors) and name not in _MOVES:
        raise RuntimeError(f"{name}: Expected all tensors to be on the same device, {NAME} and cpu")
    generator = kwargs.get("generator")
    if generator is not None and generator.device.type == "cpu":
        raise RuntimeError(f"{name}: Expected a '{NAME}' device type for generator but found 'cpu'")
    wanted = kwargs.get("device")
    leaves = wanted is not None and torch.device(wanted).type == "cpu"
    inner_args, inner_kwargs = pytree.tree_map(
        lambda each: each.held if isinstance(each, Elsewhere) else each, (args, dict(kwargs))
    )
    if "device" in inner_kwargs:
        inner_kwargs["device"] = torch.device("cpu")
    answer = func(*inner_args, **inner_kwargs)
    if leaves:
        return answer
    if func._schema.is_mutable and isinstance(answer, Tensor):
        return next(each for each in tensors if isinstance(each, Elsewhere))
    return pytree.tree_map(
        lambda each: Elsewhere(each) if isinstance(each, Tensor) else each, answer
    )


class SecondDevice(TorchDispatchMode):
    """While it is entered, the device is there: tensors that are made on it hold values."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        ours = any(isinstance(each, Elsewhere) for each in pytree.tree_leaves((args, kwargs)))
        made = kwargs.get("device") is not None and torch.device(kwargs["device"]) == DEVICE
        return computed(func, args, kwargs) if ours or made else func(*args, **kwargs)


@contextmanager
def second_device() -> Iterator[torch.device]:
    """While it is entered the device is there, and modules can be moved to it."""
    before = torch.__future__.get_overwrite_module_params_on_conversion()
    # A module's .to() must make new parameters, since what these wrap cannot be exchanged.
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        with SecondDevice():  # type: ignore[no-untyped-call]
            yield DEVICE
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(before)
