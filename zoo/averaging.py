"""A running average of a network's weights, which is better than the weights that it is of."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from .portable import Portable


class Averaged(Portable, nn.Module):
    """A network while it is trained, and beside it w̄ ← d·w̄ + (1 - d)·w over its steps.

    An exponential form of Polyak and Juditsky (SIAM J. Control Optim. 1992). Early on, d is
    (1 + t) / (10 + t) after t steps, so that the start is soon forgotten. All of it is in the
    state, so that a training that goes on has the same average.
    """

    steps: Tensor

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__()
        self.network, self.average = network, copy.deepcopy(network)
        self.average.requires_grad_(False)
        self.decay = decay
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def update(self) -> None:
        """Count in the weights as they are now."""
        self.steps += 1
        count = int(self.steps)
        decay = min(self.decay, (1 + count) / (10 + count))
        for mean, weight in zip(self.average.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(weight, 1 - decay)

    @torch.no_grad()
    def hand_over(self) -> None:
        """Give the network its average weights."""
        for weight, mean in zip(self.network.parameters(), self.average.parameters(), strict=True):
            weight.copy_(mean)
