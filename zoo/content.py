"""What a network is, as one hash: the link from target to learned network to result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


def content_sha256(
    layers: Mapping[str, nn.Module],
    architecture: Mapping[str, Any],
    loose: Mapping[str, Tensor] | None = None,
) -> str:
    """sha256 over an architecture and the names, types, shapes and bytes of all tensors.

    The architecture counts twice: as the constructor and arguments that a record keeps, and as
    the type and settings of each layer, so that another stride or pooling is another network.
    Buffers that no checkpoint stores, such as the normalisation, count too. All splits of a
    network have the same hash, since they are the same network.

    Args:
        layers: its parts by name, from pixels on: `named_children()`, or `Target.named_layers()`.
        loose: tensors by name that belong to no part.
    """
    digest = hashlib.sha256(json.dumps(dict(architecture), sort_keys=True).encode())
    for name, layer in layers.items():
        for path, part in layer.named_modules(prefix=name):
            digest.update(f"{path}: {_described(part)}\n".encode())
        tensors = {**dict(layer.named_parameters(name)), **dict(layer.named_buffers(name))}
        digest.update(tensors_digest(tensors).encode())
    if loose:
        digest.update(tensors_digest(loose).encode())
    return digest.hexdigest()


def loose_tensors(module: nn.Module) -> dict[str, Tensor]:
    """A module's own parameters and buffers, those of its parts aside."""
    own = module.named_parameters(recurse=False), module.named_buffers(recurse=False)
    return {name: value for found in own for name, value in found}


#: What decides how a layer computes, beside its tensors. Named here, since what PyTorch prints of
#: a layer may change with PyTorch.
_SETTINGS = (
    "kernel_size",
    "stride",
    "padding",
    "output_padding",
    "dilation",
    "groups",
    "padding_mode",
    "transposed",
    "ceil_mode",
    "count_include_pad",
    "divisor_override",
    "eps",
    "affine",
    "track_running_stats",
    "start_dim",
    "end_dim",
    "p",
    "negative_slope",
    "output_size",
    "num_groups",
    "normalized_shape",
    "elementwise_affine",
    "num_heads",
    "batch_first",
    "num_layers",
    "bidirectional",
    "activation_relu_or_gelu",
    "norm_first",
    "approximate",
    "alpha",
    "beta",
    "threshold",
    "value",
    "lambd",
    "min_val",
    "max_val",
    "lower",
    "upper",
    "dim",
    "upscale_factor",
    "downscale_factor",
    "size",
    "scale_factor",
    "mode",
    "align_corners",
    "unflattened_size",
)


def text_sha256(*texts: str) -> str:
    """sha256 over texts, each of which counts with its length."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(f"{len(text)} {text}\n".encode())
    return digest.hexdigest()


def _described(layer: nn.Module) -> str:
    """Its type and settings: of a layer of PyTorch those named here, of any other all it shows."""
    settings = {name: getattr(layer, name) for name in _SETTINGS if hasattr(layer, name)}
    if not type(layer).__module__.startswith("torch."):
        shown = {name: value for name, value in vars(layer).items() if not name.startswith("_")}
        plain = {name: value for name, value in shown.items() if _is_plain(value)}
        settings |= {name: plain[name] for name in sorted(plain) if name != "training"}
    return f"{type(layer).__name__} {settings}"


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple | list):
        return all(map(_is_plain, value))
    return isinstance(value, bool | int | float | str)


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """sha256 over names, types, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(
            tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
        )
    return digest.hexdigest()
