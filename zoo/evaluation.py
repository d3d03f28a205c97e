"""The evaluation images: embedded in the repository, the same for everyone, never trained on.

`standard` is the first ten test images of each class (100 a data set); `paper10`, the paper's
ten images, is the first of each class and so is contained in it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from .data import DATASETS, Images
from .errors import DataUnavailableError, UnknownNameError
from .files import write_tensors

FOLDER = Path(__file__).with_name("evaluation_images")
#: sha256 of the embedded files; it is part of every result's provenance.
SHA256 = {
    "mnist": "23814419e167ae147c227a55411fdb415e4274c7019d46004099602e8a94ab9b",
    "cifar10": "119499b38baff949eb22ca489291886979259f0b54676e732f9b51fc1a185943",
}
#: Images of each class, first to last, that a profile holds.
PROFILES = {"paper10": 1, "standard": 10}
PER_CLASS = 10
CLASSES = 10


@dataclass(frozen=True)
class EvaluationSet:
    """Test images that attacks are scored on, class by class.

    Attributes:
        images: `pixels` uint8 N×C×H×W and `labels` N.
        indices: N positions in the data set's test part.
        sha256: of the embedded file that they were read from.
    """

    images: Images
    indices: Tensor
    sha256: str


def evaluation_set(dataset: str, profile: str = "standard") -> EvaluationSet:
    """The evaluation images of "mnist" or "cifar10" in a profile. No download.

    Raises UnknownNameError, and DataUnavailableError where the embedded file is damaged.
    """
    if profile not in PROFILES:
        raise UnknownNameError("profile", profile, PROFILES)
    tensors = _embedded(dataset)
    per_class = PROFILES[profile]
    rows = torch.cat([torch.arange(per_class) + PER_CLASS * label for label in range(CLASSES)])
    images = Images(tensors["images"], tensors["labels"]).subset(rows)
    return EvaluationSet(images, tensors["indices"][rows], SHA256[dataset])


@cache
def _embedded(dataset: str) -> dict[str, Tensor]:
    if dataset not in DATASETS:
        raise UnknownNameError("data set", dataset, DATASETS)
    path = FOLDER / f"{dataset}.safetensors"
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != SHA256[dataset]:
            raise ValueError("its sha256 is not the published one")
        return load(content)
    except (OSError, ValueError, SafetensorError) as error:
        raise DataUnavailableError(
            f"{path} is missing or damaged ({error}); restore it with `git checkout -- {path}`"
        ) from error


def first_of_each_class(labels: Tensor) -> Tensor:
    """Positions of the first ten images of each class, class by class."""
    return torch.cat([(labels == label).nonzero()[:PER_CLASS, 0] for label in range(CLASSES)])


def write_evaluation_set(dataset: str, test: Images, folder: Path = FOLDER) -> Path:
    """Write the file that `evaluation_set` reads, from the data set's test part."""
    indices = first_of_each_class(test.labels)
    chosen = test.subset(indices)
    path = folder / f"{dataset}.safetensors"
    write_tensors(path, {"images": chosen.pixels, "labels": chosen.labels, "indices": indices})
    return path
