"""A network in two halves: the trusted edge and the untrusted cloud (paper §2.2, §3.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn

from .errors import InputError, UnknownNameError
from .networks import Layers, Network


class Normalize(nn.Module):
    """Per-channel (x - mean) / std; the edge's first layer, so nobody can normalise twice."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std


class Half(nn.Sequential):
    """One side of the split: a chain of named layers that refuses a batch of another shape."""

    def __init__(self, layers: Layers, expects: tuple[int, ...], what: str) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.expects = expects
        self.what = what

    def forward(self, input: Tensor) -> Tensor:
        check_batch(input, self.expects, self.what)
        output = input
        for layer in self:
            output = layer(output)
        return output


class SplitModel(nn.Module):
    """A network cut behind the layer `split`: `forward(x) == cloud(edge(x))`, bit for bit.

    Attributes:
        edge: f_θ1, images N×C×H×W in [0, 1] -> features N×`feature_shape`.
        cloud: f_θ2, features -> logits N×`num_classes`. Behind the last layer it is empty.
        network: name of the architecture, e.g. "lenet".
        split: name of the edge's last layer, e.g. "relu2".
        input_shape, feature_shape: shapes of one image and of its features, without N.
        normalisation: mean and standard deviation per channel.

    More than two participants is the same thing: an adversary in the middle owns every layer
    from its own to the last (paper §3.1), so one split point says it all.
    """

    edge: Half
    cloud: Half

    def __init__(self, network: Network, split: str) -> None:
        super().__init__()
        if split not in network.splits:
            raise UnknownNameError(f"split of {network.name}", split, network.splits)
        layers = network.layers()
        names = list(layers)
        cut = names.index(split) + 1
        self.network = network.name
        self.split = split
        self.input_shape: tuple[int, ...] = network.input_shape
        self.num_classes = network.num_classes
        self.normalisation = network.mean, network.std
        edge: Layers = {"normalize": Normalize(network.mean, network.std)}
        edge |= {name: layers[name] for name in names[:cut]}
        self.edge = Half(edge, self.input_shape, f"images of {network.name}")
        self.feature_shape = _output_shape(self.edge, self.input_shape)
        self.cloud = Half(
            {name: layers[name] for name in names[cut:]},
            self.feature_shape,
            f"features of {network.name} at {split}",
        )

    def forward(self, images: Tensor) -> Tensor:
        """Images N×C×H×W in [0, 1] -> logits N×classes. Raises InputError on anything else."""
        check_images(images, self.input_shape)
        return cast(Tensor, self.cloud(self.edge(images)))

    def load_layers(self, state: dict[str, Tensor]) -> None:
        """Load a checkpoint, whose names carry no half, so that all splits share it."""
        prefixed = {f"{self.half_of(name.split('.')[0])}.{name}": v for name, v in state.items()}
        self.load_state_dict(prefixed, strict=True)

    def layer_state(self) -> dict[str, Tensor]:
        """The parameters under the names that `load_layers` reads, e.g. "conv1.weight"."""
        return {name.split(".", 1)[1]: value for name, value in self.state_dict().items()}

    def named_layers(self) -> Iterator[tuple[str, nn.Module]]:
        """All layers from pixels to logits, whichever half holds them."""
        yield from self.edge.named_children()
        yield from self.cloud.named_children()

    def half_of(self, layer: str) -> str:
        """Which half holds a layer: "edge" or "cloud" (where an unknown one would go)."""
        return "edge" if hasattr(self.edge, layer) else "cloud"

    def extra_repr(self) -> str:
        return f"{self.network} split behind {self.split}, features {self.feature_shape}"


def check_batch(batch: Any, shape: tuple[int, ...], what: str) -> None:
    """Raise InputError unless `batch` is a floating-point tensor N×`shape`."""
    expected = "N×" + "×".join(map(str, shape))
    if not isinstance(batch, Tensor):
        raise InputError(f"{what} must be a torch tensor {expected}, not {type(batch).__name__}")
    if tuple(batch.shape[1:]) != shape or batch.dim() != len(shape) + 1:
        found = "×".join(map(str, batch.shape)) or "a scalar"
        hint = "; add the batch dimension with [None]" if tuple(batch.shape) == shape else ""
        raise InputError(f"{what} must be {expected}, not {found}{hint}")
    if not batch.is_floating_point():
        raise InputError(
            f"{what} must be floating point, not {batch.dtype}; "
            "for 8-bit pixels use x.float() / 255"
        )


def check_features(features: Any, shape: tuple[int, ...], what: str = "features") -> None:
    """Raise InputError unless `features` is N×`shape`, floating point and finite."""
    check_batch(features, shape, what)
    if not torch.isfinite(features.detach()).all():
        raise InputError(f"{what} hold NaN or infinity; clean them before they are used")


def check_images(images: Any, shape: tuple[int, ...], what: str = "images") -> None:
    """Raise InputError unless `images` is N×`shape`, floating point, finite and in [0, 1]."""
    check_features(images, shape, what)
    if not images.numel():
        return
    low, high = (value.item() for value in torch.aminmax(images.detach()))
    if low < 0 or high > 1:
        raise InputError(
            f"{what} must lie in [0, 1], not [{low:.3g}, {high:.3g}]; do not normalise them "
            "(the edge does), and divide 8-bit pixels by 255"
        )


@torch.no_grad()
def _output_shape(module: nn.Module, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(module(torch.zeros(1, *shape)).shape[1:])
