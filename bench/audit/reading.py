"""The user's images, from wherever they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .datasets import dataset_of, is_dataset, pictures_of
from .images import SIDE, Pictures, read_path


def read_images(
    source: str | Path | Sequence[Any],
    *,
    size: tuple[int, int] | None = None,
    side: int = SIDE,
    seed: int = 0,
) -> Pictures:
    """The images that an audit divides between the adversary and the score.

    Args:
        source: a folder, whose sub-folders are the labels; a .npy or .safetensors file; a data set
            whose items are images and labels, itself, as "path/to/data.py:photos", or of
            torchvision as "CIFAR10(root='data', train=False)".
        size: H×W to bring images to, by resizing and cropping around the centre; None keeps the
            size that they all have. Arrays stay as they are.
        side: of the longer side at which they are attacked, at most.
        seed: draws some of them where there are very many.

    Raises MisuseError, and InputError where the images are of several sizes or none can be read.
    """
    if isinstance(source, str) and is_dataset(source):
        source = dataset_of(source)
    if isinstance(source, (str, Path)):
        return read_path(Path(source), size=size, side=side, seed=seed)
    return pictures_of(source, size=size, side=side, seed=seed)
