"""A target by its name: what is known of it before it is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from .dataset import DataSet, get_dataset
from .errors import UnknownNameError
from .loading import load_split
from .manifests import manifest
from .network import get_network, networks
from .target import Target, feature_shape


@dataclass(frozen=True)
class Published:
    """A network of the zoo, split behind one of its layers. Raises UnknownNameError."""

    network: str
    split: str

    def __post_init__(self) -> None:
        if self.network not in networks():
            raise UnknownNameError("network", self.network, networks())
        splits = get_network(self.network).splits
        if self.split not in splits:
            raise UnknownNameError(f"split of {self.network}", self.split, splits)

    @property
    def name(self) -> str:
        """ "network/split"."""
        return f"{self.network}/{self.split}"

    @property
    def dataset(self) -> DataSet:
        """The record of the data set that it was trained on."""
        return get_dataset(get_network(self.network).dataset)

    @property
    def feature_shape(self) -> tuple[int, ...]:
        """Shape of what one image's edge sends, without N."""
        return feature_shape(self.network, self.split)

    @property
    def sha256(self) -> str:
        """Content hash of the published network."""
        return manifest().get(self.network).content_sha256

    def load(self) -> Target:
        """The target with its published weights."""
        return load_split(self.network, self.split)


def published(name: str) -> Published:
    """The target called "network/split"."""
    network, _, split = name.partition("/")
    return Published(network, split)
