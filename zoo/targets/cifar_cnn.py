"""The six-convolution network for CIFAR-10 of He, Zhang and Lee (ACSAC 2019, §3.2, Table 2).

Shapes, padding and normalisation are those of the authors' released code, which the paper's text
leaves open.
"""

from __future__ import annotations

from torch import nn

from ..network import Layers, Network
from ..recipe import AdamRecipe


def layers() -> Layers:
    found: Layers = {}
    channels = 3
    for block, width in enumerate((64, 128, 128), start=1):
        for position in (1, 2):
            found[f"conv{block}{position}"] = nn.Conv2d(channels, width, 3, padding=1)
            found[f"relu{block}{position}"] = nn.ReLU()
            channels = width
        found[f"pool{block}"] = nn.MaxPool2d(2)
    found["flatten"] = nn.Flatten()
    found["fc1"] = nn.Linear(2048, 512)
    found["fc1_sigmoid"] = nn.Sigmoid()
    found["fc2"] = nn.Linear(512, 10)
    return found


NETWORK = Network(
    name="cifar_cnn",
    title="CIFAR CNN",
    dataset="cifar10",
    input_shape=(3, 32, 32),
    num_classes=10,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    layers=layers,
    recipe=AdamRecipe(epochs=50, augment=True),
)
