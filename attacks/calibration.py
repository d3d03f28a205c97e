"""Choosing a field on a target that has never been seen, with what a setting grants.

Images are those that the setting grants, or else procedural ones. True features of them are
asked for only where queries are granted; who holds the edge asks its own copy, and who may ask
nothing takes its own shadow for the victim.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .adversary import Adversary
from .procedural import procedural_images

#: Values that are tried at most; a best one that is still an end of the grid is taken then.
MOST = 10


def calibration_images(adversary: Adversary, count: int, seed: int) -> Tensor:
    """`count` images N×C×H×W in [0, 1] on the adversary's device: its own, or procedural ones."""
    generator = torch.Generator().manual_seed(seed)
    if not adversary.holds_images:
        drawn = procedural_images(count, adversary.input_shape, generator)
        return drawn.to(adversary.device)
    own = adversary.data
    chosen = torch.randperm(len(own), generator=generator)[:count]
    return own.subset(chosen).floats().to(adversary.device)


def best_positive(
    error: Callable[[float], float], start: float, *, factor: float = 4.0, most: int = MOST
) -> float:
    """The positive value with the least error on a geometric grid that grows until it is interior.

    Tries `start` and its two neighbours, and goes on by `factor` at the end where the best lies.
    """
    found = {power: error(start * factor**power) for power in (-1, 0, 1)}
    while len(found) < most:
        best = min(found, key=lambda power: (found[power], power))
        if min(found) < best < max(found):
            break
        step = best + (1 if best == max(found) else -1)
        found[step] = error(start * factor**step)
    return start * factor ** min(found, key=lambda power: (found[power], power))
