"""Gaussian noise on the features, the simplest defence that a device can put up."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..defence import Defence
from ..portable import Portable
from ..target import Target


@dataclass(frozen=True, kw_only=True)
class GaussianNoise(Defence):
    """Adds noise of `sigma` times the root mean square of each image's own features.

    Every image that the edge answers gets fresh noise, whose source an adversary does not hold:
    its copy of the edge draws noise of its own, anew whenever it is asked. So what an attack
    recovers that asks its copy depends, within that noise, on how many images it is shown at once.
    """

    name = "gaussian_noise"
    title = "Gaussian noise"
    citation = "He, Zhang and Lee, IEEE Internet of Things Journal 2021"

    sigma: float = 0.1

    def layer(self, target: Target) -> nn.Module:
        return Noise(self.sigma)


class Noise(Portable, nn.Module):
    """v + σ·rms(v)·n, n normal; image k since the last `reseed` gets the noise of number k."""

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma
        self.reseed(0)

    def reseed(self, seed: int) -> None:
        """Begin another sequence of noise."""
        self.seed, self.answered = seed, 0

    def forward(self, features: Tensor) -> Tensor:
        scale = features.detach().flatten(1).square().mean(1).sqrt()
        noise = torch.stack([self._noise(features[0].shape) for _ in features])
        scale = scale.view(-1, *(1,) * (features.dim() - 1))
        return features + self.sigma * scale * noise.to(features)

    def _noise(self, shape: torch.Size) -> Tensor:
        digest = hashlib.sha256(f"{self.seed} {self.answered}".encode()).digest()
        self.answered += 1
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
        return torch.randn(shape, generator=generator)


DEFENCE = GaussianNoise
