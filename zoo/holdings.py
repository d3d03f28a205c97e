"""Which images a party holds, as index sets, so that overlap with the secrets can be checked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .data import Images, load_dataset
from .errors import UnknownNameError
from .evaluation import evaluation_set

#: Images in each part of a data set.
SIZES = {"mnist": {"train": 60_000, "test": 10_000}, "cifar10": {"train": 50_000, "test": 10_000}}
HOLDINGS = ("training_set", "same_distribution")


@dataclass(frozen=True)
class Holding:
    """A set of images by its positions in one part of a data set."""

    dataset: str
    part: str
    indices: Tensor

    def load(self) -> Images:
        """The labelled images, downloaded at first use."""
        return load_dataset(self.dataset, self.part).subset(self.indices)

    def describe(self) -> dict[str, Any]:
        """What a manifest record keeps of it: part, count and a digest of the positions."""
        digest = hashlib.sha256(self.indices.to(torch.int64).numpy().tobytes()).hexdigest()
        return {"part": self.part, "count": len(self.indices), "indices_sha256": digest}


def holding(dataset: str, name: str) -> Holding:
    """The images of `dataset` that go by `name`.

    "training_set" is the whole training part, which the target was trained on;
    "same_distribution" the test part without the evaluation images, which the target never saw.
    """
    if dataset not in SIZES:
        raise UnknownNameError("data set", dataset, SIZES)
    if name == "training_set":
        return Holding(dataset, "train", torch.arange(SIZES[dataset]["train"]))
    if name == "same_distribution":
        keep = torch.ones(SIZES[dataset]["test"], dtype=torch.bool)
        keep[evaluation_set(dataset, "standard").indices] = False
        return Holding(dataset, "test", keep.nonzero()[:, 0])
    raise UnknownNameError("holding", name, HOLDINGS)
