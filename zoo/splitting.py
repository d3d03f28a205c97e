"""A target from any network of one's own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .checks import check_images
from .content import text_sha256
from .cutting import cut
from .errors import InputError
from .target import Normalize, Target


def split_module(
    module: nn.Module,
    at: str,
    example: Tensor,
    *,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    name: str | None = None,
) -> Target:
    """Cut any network of your own in two, in eval mode. The module itself is never changed.

    Args:
        module: maps normalised images N×C×H×W to outputs N×…, with the weights to be attacked,
            in float32 on one device.
        at: a submodule by its path, e.g. "layer2.0.relu", or a node of the traced graph.
        example: images N×C×H×W in [0, 1], of the size that the network is used with.
        mean, std: per channel, of the normalisation that it was trained with; it becomes the
            edge's first layer. None where the module takes pixels in [0, 1] as they are.
        name: what to call the network; its class by default.

    The cut follows the module's graph; where one tensor does not separate it, the InputError
    lists the places that do. A module that cannot be traced is cut by hooks.

    Raises InputError, and UnknownNameError for a place that does not exist.
    """
    shape = tuple(example.shape[1:]) if isinstance(example, Tensor) else (3, 224, 224)
    check_images(example, shape, "the example")
    device = _device(module)
    example = example.detach().to(device, torch.float32)
    channels = example.shape[1]
    normalisation = tuple(mean or (0.0,) * channels), tuple(std or (1.0,) * channels)
    for values in normalisation:
        if len(values) != channels:
            raise InputError(f"mean and std must have {channels} values, one for each channel")
    normalized = Normalize(*normalisation).to(device)(example)
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        parts = cut(module, at, normalized)
        halves = (parts.edge, parts.cloud)
        return Target(
            {"edge": parts.edge},
            {"cloud": parts.cloud},
            network=name or type(module).__name__.lower(),
            split=parts.at,
            input_shape=shape,
            normalisation=normalisation,
            architecture={
                "module": type(module).__qualname__,
                "cut": f"{parts.how} {parts.at}",
                "code": text_sha256(*(str(getattr(half, "code", "")) for half in halves)),
            },
        ).eval()


def _device(module: nn.Module) -> torch.device:
    """Where a module computes; InputError unless it does so in float32 and in one place."""
    tensors = [*module.parameters(), *module.buffers()] if isinstance(module, nn.Module) else []
    others = {each.dtype for each in tensors if each.is_floating_point()} - {torch.float32}
    if others:
        raise InputError(
            f"the module holds {min(map(str, others))}; attacks compute in torch.float32: "
            "give copy.deepcopy(module).float()"
        )
    devices = {each.device for each in tensors} or {torch.device("cpu")}
    if len(devices) > 1:
        names = " and ".join(sorted(map(str, devices)))
        raise InputError(f"the module lies on {names}; move it to one device before the cut")
    return devices.pop()
