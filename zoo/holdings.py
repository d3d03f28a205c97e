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
from .dataset import get_dataset
from .errors import UnknownNameError

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
    first tenth of the test images of each class (1,000 in all), which contain the evaluation
    images and which no adversary ever holds, so that a row can be checked on images that nobody
    has seen; "same_distribution" the other 9,000 test images, which the target never saw.
    """
    sizes = get_dataset(dataset).sizes
    if name == "training_set":
        return Holding(dataset, "train", torch.arange(sizes["train"]))
    if name == "reserve":
        return Holding(dataset, "test", torch.tensor(_reserve(dataset)))
    if name == "same_distribution":
        keep = torch.ones(sizes["test"], dtype=torch.bool)
        keep[_reserve(dataset)] = False
        return Holding(dataset, "test", keep.nonzero()[:, 0])
    raise UnknownNameError("holding", name, HOLDINGS)


@cache
def _reserve(dataset: str) -> list[int]:
    """Positions in the test part, class by class: written down, so that nothing need be downloaded
    for them, or for a data set of one's own the first tenth of each class, at least ten."""
    written: dict[str, list[int]] = json.loads(RESERVE.read_text("utf-8"))
    if dataset in written:
        return written[dataset]
    labels = load_dataset(dataset, "test").labels
    positions = [(labels == label).nonzero()[:, 0] for label in labels.unique()]
    chosen = [each[: max(10, len(each) // 10)] for each in positions]
    return [int(position) for position in torch.cat(chosen)]
