"""Gaussian noise on the features, the simplest defence that a device can put up."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ..defence import Defence
from ..portable import Portable
from ..target import Target


@dataclass(frozen=True, kw_only=True)
class GaussianNoise(Defence):
    """Adds noise of `sigma` times the root mean square of each image's own features.

    Every image that the edge answers gets fresh noise, which follows from the image's number and
    whose source an adversary does not hold: its copy of the edge draws noise of its own, anew
    whenever it is asked. So what an attack recovers that asks its copy depends, within that noise,
    on how many images it is shown at once.
    """

    name = "gaussian_noise"
    title = "Gaussian noise"
    citation = "He, Zhang and Lee, IEEE Internet of Things Journal 2021"

    sigma: float = field(default=0.1, metadata={"ends": (0.0, None)})

    def layer(self, target: Target) -> nn.Module:
        return Noise(self.sigma)


class Noise(Portable, nn.Module):
    """v + σ·rms(v)·n, n normal, of the image's number: the next one since `number` or `reseed`."""

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma
        self.reseed(0)

    def reseed(self, seed: int) -> None:
        """Begin another sequence of noise, at number 0."""
        self._seed = seed
        self.number([])

    def number(self, numbers: Sequence[int]) -> None:
        """Answer images of these numbers next, and then count on from the last."""
        self._given, self._next = list(numbers), max(numbers, default=-1) + 1

    def forward(self, features: Tensor) -> Tensor:
        scale = features.detach().flatten(1).square().mean(1).sqrt()
        drawn = [self._noise(number, features.shape[1:]) for number in self._numbers(len(features))]
        noise = torch.stack(drawn) if drawn else features
        scale = scale.view(-1, *(1,) * (features.dim() - 1))
        return features + self.sigma * scale * noise.to(features)

    def _numbers(self, count: int) -> list[int]:
        numbers, self._given = self._given[:count], self._given[count:]
        lacking = count - len(numbers)
        numbers += range(self._next, self._next + lacking)
        self._next += lacking
        return numbers

    def _noise(self, number: int, shape: torch.Size) -> Tensor:
        digest = hashlib.sha256(f"{self._seed} {number}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
        return torch.randn(shape, generator=generator)


DEFENCE = GaussianNoise
