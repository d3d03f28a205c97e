"""ResNet-20 for CIFAR-10 (He, Zhang, Ren and Sun, CVPR 2016, §4.2), split behind every block.

Three stages of three blocks, 16, 32 and 64 channels wide. Where a block changes the shape, its
shortcut is a 1×1 convolution with batch normalisation (the paper's option B). The steps of the
stem and of the head are split points too.
"""

from __future__ import annotations

from torch import nn

from ..blocks import Residual
from ..network import Layers, Network
from ..recipe import OneCycleRecipe


def layers() -> Layers:
    found: Layers = {
        "conv1": nn.Conv2d(3, 16, 3, padding=1, bias=False),
        "bn1": nn.BatchNorm2d(16),
        "relu1": nn.ReLU(),
    }
    channels = 16
    for stage, width in enumerate((16, 32, 64), start=1):
        for block in (1, 2, 3):
            found[f"block{stage}{block}"] = _block(channels, width, 2 if width > channels else 1)
            channels = width
    found["pool"] = nn.AdaptiveAvgPool2d(1)
    found["flatten"] = nn.Flatten()
    found["fc"] = nn.Linear(64, 10)
    return found


def _block(channels: int, width: int, stride: int) -> Residual:
    body = nn.Sequential(
        nn.Conv2d(channels, width, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
    )
    if channels == width:
        return Residual(body, nn.Identity(), nn.ReLU())
    shortcut = nn.Sequential(
        nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width)
    )
    return Residual(body, shortcut, nn.ReLU())


NETWORK = Network(
    name="resnet20",
    title="ResNet-20",
    dataset="cifar10",
    input_shape=(3, 32, 32),
    num_classes=10,
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2470, 0.2435, 0.2616),
    layers=layers,
    recipe=OneCycleRecipe(epochs=12, batch_size=128, learning_rate=0.2, flip=True, seed=0),
)
