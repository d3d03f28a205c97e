"""A network in two halves: the trusted edge and the untrusted cloud (paper §2.2, §3.1)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import cast, overload

import torch
from torch import Tensor, nn

from .checks import check_batch, check_images
from .content import content_sha256
from .errors import UnknownNameError
from .network import Layers, Network, get_network
from .portable import Portable


class Normalize(Portable, nn.Module):
    """Per-channel (x - mean) / std; the edge's first layer, so nobody can normalise twice."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std


class Half(Portable, nn.Sequential):
    """One side of the split: a chain of named layers that refuses a batch of another shape.

    One with `pixels` also refuses what does not lie in [0, 1].
    """

    def __init__(
        self, layers: Layers, expects: tuple[int, ...], what: str, *, pixels: bool = False
    ) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.expects = expects
        self.what = what
        self.pixels = pixels

    def forward(self, input: Tensor) -> Tensor:
        (check_images if self.pixels else check_batch)(input, self.expects, self.what)
        return self.unchecked(input)

    @overload
    def __getitem__(self, idx: slice) -> nn.Sequential: ...

    @overload
    def __getitem__(self, idx: int) -> nn.Module: ...

    def __getitem__(self, idx: slice | int) -> nn.Module:
        """A layer, or several of them in a row: a chain that refuses nothing."""
        chain = nn.Sequential(OrderedDict(self._modules))  # a layer may stand in it twice
        return chain[idx]

    def unchecked(self, input: Tensor) -> Tensor:
        """What the layers make of any batch: noise, or images on their way in a descent."""
        output = input
        for layer in self:
            output = layer(output)
        return output


class Target(Portable, nn.Module):
    """A network cut in two: `forward(x) == cloud(edge(x))`, bit for bit.

    Attributes:
        edge: f_θ1, images N×C×H×W in [0, 1] -> features N×`feature_shape`. Raises InputError on
            anything else; `edge.unchecked` answers it.
        cloud: f_θ2, features -> logits N×`num_classes`. Behind the last layer it is empty.
        network: name of the architecture, e.g. "lenet".
        split: where it is cut: the edge's last layer, e.g. "relu2".
        input_shape, feature_shape: shapes of one image and of its features, without N.
        normalisation: mean and standard deviation per channel.
        architecture: what its content hash is taken of, beside its layers and tensors.

    More than two participants is the same thing: an adversary in the middle owns every layer
    from its own to the last (paper §3.1), so one split point says it all.
    """

    edge: Half
    cloud: Half

    def __init__(
        self,
        edge: Layers,
        cloud: Layers,
        *,
        network: str,
        split: str,
        input_shape: tuple[int, ...],
        normalisation: tuple[tuple[float, ...], tuple[float, ...]],
        architecture: Mapping[str, str],
        num_classes: int | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.split = split
        self.input_shape = input_shape
        self.normalisation = normalisation
        self.architecture = dict(architecture)
        device = _device_of({**edge, **cloud})
        layers: Layers = {"normalize": Normalize(*normalisation).to(device), **edge}
        self.edge = Half(layers, input_shape, f"images of {network}", pixels=True)
        self.feature_shape = _shape_behind(self.edge, input_shape, device)
        self.cloud = Half(cloud, self.feature_shape, f"features of {network} at {split}")
        self.num_classes = num_classes or _shape_behind(self.cloud, self.feature_shape, device)[-1]

    @property
    def name(self) -> str:
        """ "network/split"."""
        return f"{self.network}/{self.split}"

    @property
    def sha256(self) -> str:
        """Content hash of the network, the same for all splits of a published one."""
        return content_sha256(dict(self.named_layers()), self.architecture)

    def forward(self, images: Tensor) -> Tensor:
        """Images N×C×H×W in [0, 1] -> logits N×classes. Raises InputError on anything else."""
        return cast(Tensor, self.cloud(self.edge(images)))

    def load_layers(self, state: Mapping[str, Tensor]) -> None:
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


def chain_target(network: Network, split: str) -> Target:
    """A fresh target of a network of the zoo, cut behind one of its named layers.

    Raises UnknownNameError where the network has no such layer.
    """
    if split not in network.splits:
        raise UnknownNameError(f"split of {network.name}", split, network.splits)
    network.layers()  # published weights were drawn behind those of one discarded stack
    layers = network.layers()
    names = list(layers)
    behind = names.index(split) + 1
    return Target(
        {name: layers[name] for name in names[:behind]},
        {name: layers[name] for name in names[behind:]},
        network=network.name,
        split=split,
        input_shape=network.input_shape,
        normalisation=(network.mean, network.std),
        architecture={"network": network.name},
        num_classes=network.num_classes,
    )


@cache
def feature_shape(network: str, split: str) -> tuple[int, ...]:
    """Shape of the features at a split of a network of the zoo, without N; draws nothing."""
    with torch.random.fork_rng(devices=[]):
        return chain_target(get_network(network), split).feature_shape


def _device_of(layers: Layers) -> torch.device:
    tensors = (each for layer in layers.values() for each in layer.state_dict().values())
    return next(tensors, torch.empty(0)).device


def _shape_behind(module: Half, shape: tuple[int, ...], device: torch.device) -> tuple[int, ...]:
    """Shape of what a half makes of one image; nothing in it is changed, statistics neither."""
    modes = {each: each.training for each in module.modules()}
    module.eval()
    with torch.no_grad():
        answer = module.unchecked(torch.zeros(1, *shape, device=device))
    for each, mode in modes.items():
        each.training = mode
    return tuple(answer.shape[1:])
