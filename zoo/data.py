"""The data sets' images, fetched once, verified by sha256, cached as safetensors."""

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

from .dataset import PARTS, get_dataset
from .errors import DataUnavailableError, UnknownNameError
from .files import ensure_writable, storage_errors
from .pixels import as_floats
from .sources import Arrays
from .tensor_files import write_tensors


@dataclass(frozen=True)
class Images:
    """A labelled set of 8-bit images: `pixels` uint8 N×C×H×W, `labels` int64 N."""

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.pixels)

    def floats(self) -> Tensor:
        """The pixels as float32 in [0, 1]."""
        return as_floats(self.pixels)

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
    """The "train" or "test" part of a data set, downloaded at first use.

    Raises UnknownNameError, DataUnavailableError (no source answers, or what it sent is not
    the published data) and StorageError (the cache cannot be written).
    """
    record = get_dataset(name)
    if part not in PARTS:
        raise UnknownNameError("part", part, PARTS)
    path = fetch_dataset(name)
    try:
        tensors = load_file(path)
        pixels, labels = tensors[f"{part}_images"], tensors[f"{part}_labels"]
    except (SafetensorError, KeyError, OSError) as error:
        raise _damaged(path, str(error)) from error
    for array, tensor in ((f"{part}_images", pixels), (f"{part}_labels", labels)):
        if _digest(tensor.numpy()) != record.sha256[array]:
            raise _damaged(path, f"{array} does not have its published sha256")
    return Images(pixels, labels.long())


def fetch_dataset(name: str) -> Path:
    """Path of the cached, verified data set, fetching it if it is not there."""
    record = get_dataset(name)
    path = cache_dir() / "data" / f"{name}.safetensors"
    if path.is_file():
        return path
    ensure_writable(path.parent)
    refusals = []
    for source in record.sources:
        try:
            with storage_errors(path.parent):
                arrays = source.fetch()
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
    for key, expected in get_dataset(name).sha256.items():
        if key not in arrays or _digest(arrays[key]) != expected:
            raise DataUnavailableError(f"{key} does not have its published sha256")


def _digest(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array, dtype=np.uint8).tobytes()).hexdigest()


def _damaged(path: Path, reason: str) -> DataUnavailableError:
    return DataUnavailableError(f"{path} is damaged ({reason}); delete it and run again")
