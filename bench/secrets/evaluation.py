"""The evaluation images: the same for everyone, never trained on.

`standard` is the first ten test images of each class (100 a data set); `paper10`, the paper's
ten images, is the first of each class and so is contained in it. Both are embedded in the
repository. `full` is the reserve that contains them, the first tenth of each class (1,000 a data
set), out of the downloaded test part.
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

from ...zoo import (
    DataUnavailableError,
    Images,
    UnknownNameError,
    get_dataset,
    holding,
    load_dataset,
)
from ...zoo.tensor_files import tensors_as_bytes, write_tensors
from . import PROFILES

FOLDER = Path(__file__).with_name("evaluation_images")
#: sha256 of the embedded files; it is part of every result's provenance.
SHA256 = {
    "mnist": "23814419e167ae147c227a55411fdb415e4274c7019d46004099602e8a94ab9b",
    "cifar10": "119499b38baff949eb22ca489291886979259f0b54676e732f9b51fc1a185943",
}
PER_CLASS = 10


@dataclass(frozen=True)
class EvaluationSet:
    """Test images that attacks are scored on, class by class.

    Attributes:
        images: `pixels` uint8 N×C×H×W and `labels` N.
        indices: N positions in the data set's test part.
        sha256: of the embedded file that they were read from, or of what such a file would hold.
    """

    images: Images
    indices: Tensor
    sha256: str


def check_profile(name: str) -> str:
    """The name itself; UnknownNameError where there is no such profile."""
    if name not in PROFILES:
        raise UnknownNameError("profile", name, PROFILES)
    return name


def evaluation_set(dataset: str, profile: str = "standard") -> EvaluationSet:
    """The evaluation images of a data set in a profile. No download where they are embedded.

    Those of a data set of one's own are cut out of its test part.

    Raises UnknownNameError, and DataUnavailableError where the embedded file is damaged.
    """
    check_profile(profile)
    if profile == "full":
        return _reserve(dataset)
    tensors, sha256 = _embedded(dataset)
    per_class = PROFILES[profile]
    rows = torch.cat(
        [
            torch.arange(per_class) + PER_CLASS * label
            for label in range(get_dataset(dataset).classes)
        ]
    )
    images = Images(tensors["images"], tensors["labels"]).subset(rows)
    return EvaluationSet(images, tensors["indices"][rows], sha256)


@cache
def _reserve(dataset: str) -> EvaluationSet:
    """The whole reserve, class by class, as `holding` has it."""
    reserve = holding(dataset, "reserve")
    images = reserve.load()
    content = tensors_as_bytes(_tensors(images, reserve.indices))
    return EvaluationSet(images, reserve.indices, hashlib.sha256(content).hexdigest())


@cache
def _embedded(dataset: str) -> tuple[dict[str, Tensor], str]:
    """Images, labels and positions, and the sha256 of the file that holds them."""
    get_dataset(dataset)
    path = FOLDER / f"{dataset}.safetensors"
    if dataset not in SHA256:
        content = tensors_as_bytes(evaluation_tensors(load_dataset(dataset, "test")))
        return load(content), hashlib.sha256(content).hexdigest()
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != SHA256[dataset]:
            raise ValueError("its sha256 is not the published one")
        return load(content), SHA256[dataset]
    except (OSError, ValueError, SafetensorError) as error:
        raise DataUnavailableError(
            f"{path} is missing or damaged ({error}); restore it with `git checkout -- {path}`"
        ) from error


def first_of_each_class(labels: Tensor) -> Tensor:
    """Positions of the first ten images of each class, class by class."""
    return torch.cat([(labels == label).nonzero()[:PER_CLASS, 0] for label in labels.unique()])


def evaluation_tensors(test: Images) -> dict[str, Tensor]:
    """What an embedded file holds, from the data set's test part."""
    indices = first_of_each_class(test.labels)
    return _tensors(test.subset(indices), indices)


def _tensors(images: Images, indices: Tensor) -> dict[str, Tensor]:
    return {"images": images.pixels, "labels": images.labels, "indices": indices}


def write_evaluation_set(dataset: str, test: Images, folder: Path = FOLDER) -> Path:
    """Write the file that `evaluation_set` reads, from the data set's test part."""
    path = folder / f"{dataset}.safetensors"
    write_tensors(path, evaluation_tensors(test))
    return path
