"""The Inverse-Networks of the authors' released code: features in, images out (paper §5).

Deliberately small, and of an architecture that owes nothing to the edge. The paper names no
shapes; kernel sizes that the released code leaves to be inferred follow from the sizes of
features and images.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from .errors import UnknownNameError


def _upsample(channels: int, out: int) -> nn.ConvTranspose2d:
    """A transposed 3×3 convolution that doubles height and width."""
    return nn.ConvTranspose2d(channels, out, 3, stride=2, padding=1, output_padding=1)


INVERSES: dict[str, Callable[[], nn.Module]] = {
    "lenet/conv1": lambda: nn.Sequential(nn.Conv2d(8, 1, 5, padding=4)),
    "lenet/relu2": lambda: nn.Sequential(
        nn.ConvTranspose2d(16, 8, 5),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 1, 5, stride=2, output_padding=1),
    ),
    "cifar_cnn/conv11": lambda: nn.Sequential(nn.ConvTranspose2d(64, 3, 3, padding=1)),
    "cifar_cnn/relu22": lambda: nn.Sequential(
        _upsample(128, 64),
        nn.ReLU(),
        nn.ConvTranspose2d(64, 3, 3, padding=1),
    ),
    "cifar_cnn/relu32": lambda: nn.Sequential(
        _upsample(128, 128),
        nn.ReLU(),
        _upsample(128, 64),
        nn.ReLU(),
        nn.ConvTranspose2d(64, 3, 3, padding=1),
    ),
}


def inverse_network(target: str) -> nn.Module:
    """A fresh Inverse-Network for "network/split", Xavier-initialised (§5.1).

    Maps features N×feature shape to images N×C×H×W; its answers are pixels, not clamped.
    Raises UnknownNameError for a target that the paper has no Inverse-Network for.
    """
    if target not in INVERSES:
        raise UnknownNameError("Inverse-Network", target, INVERSES)
    network = INVERSES[target]()
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)) and layer.bias is not None:
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return network
