"""A module that is to be cut, run on trial images: what both ways of cutting are held to."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from .checks import check_features
from .errors import InputError

#: Places that an error lists at most.
_LISTED = 30


@dataclass(frozen=True)
class Whole:
    """A copy of the caller's module in eval mode, and what it gives on two batches."""

    module: nn.Module
    batches: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    def copy(self) -> nn.Module:
        """A copy whose layers do not write in place."""
        copy = deepcopy(self.module)
        for part in copy.modules():
            if writes_in_place(part):
                cast(Any, part).inplace = False
        return copy

    def submodules(self) -> list[str]:
        """Every path under which the module holds another."""
        return [path for path, _ in self.module.named_modules(remove_duplicate=False) if path]

    def fault(self, edge: nn.Module, cloud: nn.Module) -> str | None:
        """Why the halves are not this module, or None where they are."""
        for images, expected in zip(self.batches, self.outputs, strict=True):
            given = images.clone()
            try:
                features = edge(given)
                fault = unfit(features, len(images))
                if fault:
                    return fault
                kept = features.clone()
                found = cloud(features)
            except Exception as error:
                return f"a half fails with {first_line(error)}"
            if features.isnan().any():
                return "the features hold NaN; repair the layers before the cut"
            if not torch.equal(given, images) or not torch.equal(features, kept):
                return "a half writes into its input; replace in-place operations in the module"
            if not torch.equal(found, expected):
                self.check_settled()
                return "the halves do not give what the whole gives"
        return None

    def check_settled(self) -> None:
        """Raise InputError unless a second run gives what the first gave."""
        for images, expected in zip(self.batches, self.outputs, strict=True):
            if not torch.equal(run_whole(self.module, images), expected):
                raise InputError(
                    "the module is not deterministic, two runs differ in eval mode; "
                    "remove what is random in it"
                )


def whole_of(module: nn.Module, example: Tensor) -> Whole:
    """Copy the module and run it on the example, and on a larger batch made from it."""
    if not isinstance(module, nn.Module):
        raise InputError(f"only a torch.nn.Module can be cut, not {type(module).__name__}")
    if any(isinstance(part, torch.jit.ScriptModule) for part in module.modules()):
        raise InputError("a scripted module cannot be cut; give the one that it was made from")
    if not isinstance(example, Tensor) or example.dim() < 2 or not len(example):
        found = list(example.shape) if isinstance(example, Tensor) else type(example).__name__
        raise InputError(f"the example must be a batch of at least one image, not {found}")
    check_features(example, tuple(example.shape[1:]), "the example's images")
    try:
        copy = deepcopy(module).eval()
        state = [*copy.named_parameters(), *copy.named_buffers()]
        unsound = [name for name, value in state if value.isnan().any()]
    except Exception as error:
        raise InputError(
            f"the module cannot be copied: {first_line(error)}; "
            "build it afresh and load its weights, so that copy.deepcopy can copy it"
        ) from error
    if unsound:
        raise InputError(f"the module's {unsound[0]} holds NaN; load sound weights before the cut")
    for _, value in state:
        value.grad = None
    batches = (example.detach().clone(), altered(example.detach(), len(example) + 2))
    return Whole(copy, batches, tuple(run_whole(copy, images) for images in batches))


def run_whole(module: nn.Module, images: Tensor) -> Tensor:
    """Its output, one tensor; InputError where it fails, gives something else, or NaN."""
    try:
        output = module(images.clone())
    except Exception as error:
        raise InputError(
            f"the module fails on images {list(images.shape)} with {first_line(error)}; "
            "give an example that it accepts in batches of any size"
        ) from error
    if not isinstance(output, Tensor):
        raise InputError(
            f"the module must give one tensor, not {type(output).__name__}; "
            "wrap it in a module that returns the tensor in question"
        )
    if output.isnan().any():
        raise InputError("the module's output holds NaN; check its weights and the example")
    return output


def repeated(images: Tensor, count: int) -> Tensor:
    """The images again and again, `count` of them."""
    return torch.cat([images] * -(-count // len(images)))[:count]


def altered(images: Tensor, count: int) -> Tensor:
    """Other images in [0, 1], made from these."""
    noise = torch.rand(count, *images.shape[1:], generator=torch.Generator().manual_seed(0))
    return (repeated(images, count).flip(0) * 0.5 + 0.25 * noise.to(images)).clamp(0, 1)


def unfit(value: Any, count: int) -> str | None:
    """Why a value from `count` images cannot be the features, or None where it can."""
    if not isinstance(value, Tensor):
        return f"its value is of type {type(value).__name__}, not one tensor"
    if not value.is_floating_point():
        return f"its tensor is {value.dtype}, not floating point"
    if not value.dim() or len(value) != count:
        return f"its tensor {list(value.shape)} from {count} images does not have the batch first"
    return None


def first_line(error: BaseException) -> str:
    """What an exception says, in a line."""
    return f"{type(error).__name__}: {str(error).strip()}".splitlines()[0]


def writes_in_place(module: nn.Module) -> bool:
    """Whether a layer was made to write into what it is given."""
    return getattr(module, "inplace", False) is True


def instead(names: list[str]) -> str:
    """What an error says of where a module can be cut."""
    if not names:
        return "no place separates this module"
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"cut it at one of {', '.join(names[:_LISTED])}{more}"
