"""LeNet for MNIST, as He, Zhang and Lee attack it (ACSAC 2019, §3.2, Table 2).

Shapes, padding and normalisation are those of the authors' released code, which the paper's text
leaves open.
"""

from __future__ import annotations

from torch import nn

from ..network import Layers, Network
from ..recipe import AdamRecipe


def layers() -> Layers:
    return {
        "conv1": nn.Conv2d(1, 8, 5),
        "relu1": nn.ReLU(),
        "pool1": nn.MaxPool2d(2),
        "conv2": nn.Conv2d(8, 16, 5),
        "relu2": nn.ReLU(),
        "pool2": nn.MaxPool2d(2),
        "flatten": nn.Flatten(),
        "fc1": nn.Linear(256, 120),
        "fc1_relu": nn.ReLU(),
        "fc2": nn.Linear(120, 84),
        "fc2_relu": nn.ReLU(),
        "fc3": nn.Linear(84, 10),
    }


NETWORK = Network(
    name="lenet",
    title="LeNet",
    dataset="mnist",
    input_shape=(1, 28, 28),
    num_classes=10,
    mean=(0.5,),
    std=(0.5,),
    layers=layers,
    recipe=AdamRecipe(epochs=20),
)
