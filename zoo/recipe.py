"""How a classifier is trained, as a value whose fields a record keeps."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Recipe(Protocol):
    """What the training loop asks of a recipe. All randomness comes from `seed`."""

    @property
    def epochs(self) -> int: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def seed(self) -> int: ...
    @property
    def discarded(self) -> int:
        """Stacks of layers that are drawn from the seed before the one that is trained."""
        ...

    def optimizer(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """A fresh optimiser of these parameters."""
        ...

    def rate(self, step: int, steps: int) -> float:
        """The step size of step number `step`, where an epoch has `steps`."""
        ...

    def augmented(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Images N×C×H×W in [0, 1], each changed as a training image may be."""
        ...

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The mean loss of a batch."""
        ...


@dataclass(frozen=True)
class AdamRecipe:
    """The paper's recipe for its targets (§3.2): Adam with a step of 1e-3.

    Batch size, ε, AMSGrad, epochs, schedule and augmentation are those of the authors' released
    code.
    """

    epochs: int
    batch_size: int = 32
    learning_rate: float = 1e-3
    adam_eps: float = 1e-3
    amsgrad: bool = True
    halve_every: int = 20
    augment: bool = False
    seed: int = 0
    discarded: ClassVar[int] = 1  # what the published weights were drawn behind

    def optimizer(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.Adam(
            parameters, lr=self.learning_rate, eps=self.adam_eps, amsgrad=self.amsgrad
        )

    def rate(self, step: int, steps: int) -> float:
        return self.learning_rate * 0.5 ** (step // steps // self.halve_every)

    def augmented(self, images: Tensor, generator: torch.Generator) -> Tensor:
        return turned(images, generator) if self.augment else images

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits, labels)


@dataclass(frozen=True)
class OneCycleRecipe:
    """SGD with Nesterov momentum, one warm-up and one linear decay of the step size."""

    epochs: int
    batch_size: int = 256
    learning_rate: float = 0.2
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    warm_up: float = 0.2
    shift: int = 2
    flip: bool = False
    seed: int = 1
    discarded: ClassVar[int] = 0

    def optimizer(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.SGD(
            parameters,
            lr=self.learning_rate,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            nesterov=True,
        )

    def rate(self, step: int, steps: int) -> float:
        return self.learning_rate * triangle(step / (self.epochs * steps), self.warm_up)

    def augmented(self, images: Tensor, generator: torch.Generator) -> Tensor:
        return shifted(images, self.shift, self.flip, generator)

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)


def triangle(done: float, warm_up: float) -> float:
    """Share of the peak step size: from 0 up to 1 at `warm_up`, and down to 0 at the end."""
    return done / warm_up if done < warm_up else (1 - done) / (1 - warm_up)


def cosine(done: float) -> float:
    """Share of the peak step size: from 1 down to 0 along half a cosine."""
    return (1 + math.cos(math.pi * done)) / 2


def turned(images: Tensor, generator: torch.Generator) -> Tensor:
    """Horizontal flip and a small random affine, an own draw for every image.

    Rotation within ±10°, shift within ±0.1 of the side, scale 0.9 to 1.1, black outside:
    the augmentation of the authors' released code. N×C×H×W in [0, 1] to the same.
    """
    count = len(images)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=generator)

    flip = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    angle, scale = torch.deg2rad(uniform(-10, 10)), uniform(0.9, 1.1)
    shift_x, shift_y = uniform(-0.2, 0.2), uniform(-0.2, 0.2)  # the side is 2 long in grid units
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    rows = [flip * cos, -flip * sin, shift_x, sin, cos, shift_y]
    grid = F.affine_grid(torch.stack(rows, 1).view(-1, 2, 3), list(images.shape), False)
    return F.grid_sample(images, grid, align_corners=False)


def shifted(images: Tensor, most: int, flip: bool, generator: torch.Generator) -> Tensor:
    """Each image moved by up to `most` whole pixels a side, edges mirrored in; half flipped."""
    count, _, height, width = images.shape
    padded = F.pad(images, (most, most, most, most), mode="reflect")
    down, right = torch.randint(2 * most + 1, (2, count, 1), generator=generator)
    rows, columns = down + torch.arange(height), right + torch.arange(width)
    if flip:
        mirrored = torch.rand(count, 1, generator=generator) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    each = torch.arange(count).view(-1, 1, 1)
    moved = padded.permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2)
