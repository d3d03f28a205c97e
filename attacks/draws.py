"""Randomness of an attack's online work: image k's depends on the seed and on k alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import torch
from torch import Tensor


class Draws:
    """Random numbers for the images of these numbers, whoever shares their batch.

    Drawn on the CPU, so that every device gets the same, and moved to `device`.
    """

    def __init__(self, seed: int, numbers: Iterable[int], device: torch.device) -> None:
        self.device = device
        self._generators = [
            torch.Generator().manual_seed(_mixed(seed, number)) for number in numbers
        ]

    def normal(self, *shape: int) -> Tensor:
        """N×`shape`, of zero mean and unit variance."""
        drawn = [torch.randn(shape, generator=each) for each in self._generators]
        return torch.stack(drawn).to(self.device)

    def uniform(self, *shape: int) -> Tensor:
        """N×`shape`, in [0, 1)."""
        drawn = [torch.rand(shape, generator=each) for each in self._generators]
        return torch.stack(drawn).to(self.device)


def _mixed(seed: int, number: int) -> int:
    digest = hashlib.sha256(f"{seed} {number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
