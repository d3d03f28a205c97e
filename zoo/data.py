"""MNIST and CIFAR-10, fetched once, verified by sha256, cached as safetensors."""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from .errors import DataUnavailableError, UnknownNameError
from .files import ensure_writable, storage_errors, write_tensors
from .sources import SOURCES, Arrays

#: sha256 of each array's bytes (uint8, C order; images N×C×H×W, labels N).
SHA256 = {
    "mnist": {
        "train_images": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
        "train_labels": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
        "test_images": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
        "test_labels": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
    },
    "cifar10": {
        "train_images": "9d5c2eddadb0deff02c14c350c0385aab7b1d5ff1edfeb4997c8dc8644960111",
        "train_labels": "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
        "test_images": "177777c33ba79825320efa646ad04a94bdc3c80e4ebe3bd21724f8cdfd4b9d56",
        "test_labels": "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5",
    },
}
DATASETS = tuple(SHA256)


@dataclass(frozen=True)
class Images:
    """A labelled set of 8-bit images: `pixels` uint8 N×C×H×W, `labels` int64 N."""

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.pixels)

    def floats(self) -> Tensor:
        """The pixels as float32 in [0, 1]."""
        return self.pixels.float() / 255

    def subset(self, indices: Tensor) -> Images:
        """The images at `indices`, in that order."""
        return Images(self.pixels[indices], self.labels[indices])


def cache_dir() -> Path:
    """Where data sets and unfinished training runs are kept.

    `$SPLITZOO_CACHE`, else `splitzoo` in `$XDG_CACHE_HOME`, else `~/.cache/splitzoo`.
    """
    if chosen := os.environ.get("SPLITZOO_CACHE"):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base).expanduser() if base else Path.home() / ".cache") / "splitzoo"


def load_dataset(name: str, part: str) -> Images:
    """The "train" or "test" part of "mnist" or "cifar10", downloaded at first use.

    Raises UnknownNameError, DataUnavailableError (no source answers, or what it sent is not
    the published data) and StorageError (the cache cannot be written).
    """
    if name not in SHA256:
        raise UnknownNameError("data set", name, DATASETS)
    if part not in ("train", "test"):
        raise UnknownNameError("part", part, ("train", "test"))
    path = fetch_dataset(name)
    try:
        tensors = load_file(path)
        pixels, labels = tensors[f"{part}_images"], tensors[f"{part}_labels"]
    except (SafetensorError, KeyError, OSError) as error:
        raise _damaged(path, str(error)) from error
    for array, tensor in ((f"{part}_images", pixels), (f"{part}_labels", labels)):
        if _digest(tensor.numpy()) != SHA256[name][array]:
            raise _damaged(path, f"{array} does not have its published sha256")
    return Images(pixels, labels.long())


def fetch_dataset(name: str) -> Path:
    """Path of the cached, verified data set, fetching it if it is not there."""
    if name not in SHA256:
        raise UnknownNameError("data set", name, DATASETS)
    path = cache_dir() / "data" / f"{name}.safetensors"
    if path.is_file():
        return path
    ensure_writable(path.parent)
    refusals = []
    for source in SOURCES:
        try:
            with storage_errors(path.parent):
                arrays = source.fetch(name)
            _verify(name, arrays)
        except DataUnavailableError as refusal:
            print(f"splitzoo: {name} not from {source.title}: {refusal}", file=sys.stderr)
            refusals.append(f"{source.title} ({refusal})")
            continue
        write_tensors(path, {key: torch.from_numpy(value) for key, value in arrays.items()})
        return path
    raise DataUnavailableError(
        f"{name} is not in {path.parent} and could not be fetched from "
        f"{', nor from '.join(refusals)}; connect to a network, or copy the file from a machine "
        "that has it"
    )


def _verify(name: str, arrays: Arrays) -> None:
    for key, expected in SHA256[name].items():
        if key not in arrays or _digest(arrays[key]) != expected:
            raise DataUnavailableError(f"{key} does not have its published sha256")


def _digest(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array, dtype=np.uint8).tobytes()).hexdigest()


def _damaged(path: Path, reason: str) -> DataUnavailableError:
    return DataUnavailableError(f"{path} is damaged ({reason}); delete it and run again")
