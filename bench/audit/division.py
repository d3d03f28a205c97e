"""The user's images divided between the adversary and the score."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch

from ...zoo import Images, InputError
from .images import Pictures

#: The least images that can be divided.
LEAST = 4


@dataclass(frozen=True)
class Division:
    """What the adversary holds and what is scored; no picture is in both.

    Attributes:
        held, scored: the images; labels are 0 where there are none.
        duplicates: pictures that were left out, since they occur twice.
    """

    held: Images
    scored: Images
    duplicates: int

    @property
    def sha256(self) -> str:
        """Of all pixels and labels, on both sides."""
        digest = hashlib.sha256()
        for part in (self.held, self.scored):
            for tensor in (part.pixels, part.labels):
                digest.update(str(tuple(tensor.shape)).encode())
                digest.update(tensor.contiguous().numpy().tobytes())
        return digest.hexdigest()


def divide(pictures: Pictures, scored: int, seed: int) -> Division:
    """Draw the images that are scored, a quarter at most, and leave the adversary the rest."""
    labels = pictures.labels
    both = Images(
        pictures.pixels, torch.zeros(len(pictures.pixels)).long() if labels is None else labels
    )
    prints = [hashlib.sha256(each.numpy().tobytes()).digest() for each in both.pixels]
    first = {digest: place for place, digest in reversed(list(enumerate(prints)))}
    distinct = torch.tensor(sorted(first.values()))
    if len(distinct) < LEAST:
        raise InputError(
            f"there are {len(distinct)} different images; an audit needs {LEAST} or more, some "
            "for the adversary and some to score"
        )
    order = torch.randperm(len(distinct), generator=torch.Generator().manual_seed(seed))
    count = max(2, min(scored, len(distinct) // 4))
    chosen = distinct[order]
    return Division(
        both.subset(chosen[count:].sort().values),
        both.subset(chosen[:count].sort().values),
        len(prints) - len(distinct),
    )
