"""A data set as a value, and the ones that there are: a file each in `datasets/`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from . import datasets
from .discovery import named
from .errors import UnknownNameError
from .sources import Source

PARTS = ("train", "test")


@dataclass(frozen=True)
class DataSet:
    """What is known of a data set without its images.

    Attributes:
        name, title: in identifiers, and on a page.
        shape, classes: C×H×W of an image, of one channel or three, and the number of labels.
        sizes: images in each part, "train" and "test".
        sha256: of each array's bytes (uint8, C order; images N×C×H×W, labels N), by the names
            {train,test}_{images,labels}.
        sources: where it can be had, in the order in which they are tried.
        mirrored: whether an image's mirror shows the same thing.
    """

    name: str
    title: str
    shape: tuple[int, int, int]
    classes: int
    sizes: Mapping[str, int]
    sha256: Mapping[str, str]
    sources: tuple[Source, ...]
    mirrored: bool = False


@cache
def all_datasets() -> Mapping[str, DataSet]:
    """Every data set by name: the `DATASET` of each file in `zoo/datasets/`."""
    return MappingProxyType(named(datasets, "DATASET"))


def get_dataset(name: str) -> DataSet:
    """The record of the data set of that name; UnknownNameError lists the known ones."""
    try:
        return all_datasets()[name]
    except KeyError:
        raise UnknownNameError("data set", name, all_datasets()) from None
