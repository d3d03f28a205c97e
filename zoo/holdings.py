"""Which images a party holds, as index sets, so that overlap with the secrets can be checked."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .data import Images, load_dataset
from .errors import UnknownNameError

#: Images in each part of a data set.
SIZES = {"mnist": {"train": 60_000, "test": 10_000}, "cifar10": {"train": 50_000, "test": 10_000}}
HOLDINGS = ("training_set", "same_distribution", "reserve")
RESERVE = Path(__file__).with_name("reserve.json")


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

    "training_set" is the whole training part, which the target was trained on; "reserve" the
    first hundred test images of each class, which contain the evaluation images and which no
    adversary ever holds, so that a row can be checked on images that nobody has seen;
    "same_distribution" the other 9,000 test images, which the target never saw.
    """
    if dataset not in SIZES:
        raise UnknownNameError("data set", dataset, SIZES)
    if name == "training_set":
        return Holding(dataset, "train", torch.arange(SIZES[dataset]["train"]))
    if name == "reserve":
        return Holding(dataset, "test", torch.tensor(_reserve()[dataset]))
    if name == "same_distribution":
        keep = torch.ones(SIZES[dataset]["test"], dtype=torch.bool)
        keep[_reserve()[dataset]] = False
        return Holding(dataset, "test", keep.nonzero()[:, 0])
    raise UnknownNameError("holding", name, HOLDINGS)


@cache
def _reserve() -> dict[str, list[int]]:
    """Positions in each test part, class by class, so that nothing need be downloaded for them."""
    positions: dict[str, list[int]] = json.loads(RESERVE.read_text("utf-8"))
    return positions
