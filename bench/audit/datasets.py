"""Images of a torchvision data set, or of any other whose items are an image and its label."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torchvision
from PIL import Image
from torch import Tensor

from ...zoo import InputError, MisuseError
from ...zoo.pixels import to_8_bit
from ...zoo.whole import first_line
from .from_file import Wanted, from_file
from .images import Pictures, drawn, of_one_size, upright

#: "CIFAR10(root='data', train=False)", its module before it or not.
CALL = re.compile(r"(?:torchvision\.datasets\.)?([A-Za-z]\w*)\(.*\)", re.DOTALL)
DATASET = Wanted(
    "data set",
    "path/to/data.py:photos",
    "a data set, with a length, whose items are images and labels",
    lambda found: (
        not isinstance(found, type) and hasattr(found, "__len__") and hasattr(found, "__getitem__")
    ),
)


def is_dataset(text: str) -> bool:
    """Whether a text names a data set, and no folder or file."""
    return bool(CALL.fullmatch(text) or re.fullmatch(r".+\.py:\w+", text))


def dataset_of(text: str) -> Sequence[Any]:
    """The data set of "CIFAR10(root='data', train=False)" or of "path/to/data.py:photos".

    Of the first, a class of torchvision.datasets, the arguments are literals; nothing else is
    evaluated. Raises MisuseError.
    """
    called = CALL.fullmatch(text)
    found: Sequence[Any] = _called(text, called[1]) if called else from_file(text, DATASET)
    return found


def _called(text: str, name: str) -> Any:
    known = torchvision.datasets.__all__
    if name not in known:
        raise MisuseError(
            f"torchvision.datasets has no {name!r}; give one that it has, such as "
            "CIFAR10(root='data', train=False)"
        )
    try:
        call = ast.parse(text, mode="eval").body
        assert isinstance(call, ast.Call)
        positional = [ast.literal_eval(each) for each in call.args]
        named = {str(each.arg): ast.literal_eval(each.value) for each in call.keywords}
    except (SyntaxError, ValueError, AssertionError) as error:
        raise MisuseError(
            f"{text!r} cannot be read; give plain values alone, as in {name}(root='data'), or a "
            "function of a file, path/to/data.py:photos"
        ) from error
    try:
        return getattr(torchvision.datasets, name)(*positional, **named)
    except Exception as error:
        raise MisuseError(
            f"{name} cannot be made: {first_line(error)}; repair its arguments, e.g. root='…', "
            "download=True"
        ) from error


def item_of(dataset: Sequence[Any], row: int) -> tuple[Image.Image, int | None]:
    """An image and its label, None where that is no whole number; InputError where there is no
    image."""
    found = dataset[row]
    image, label = found if isinstance(found, (tuple, list)) and len(found) == 2 else (found, None)
    if isinstance(label, Tensor) and label.numel() == 1:
        label = label.item()
    return _image(image, row), int(label) if isinstance(label, (int, np.integer)) else None


def _image(found: Any, row: int) -> Image.Image:
    if isinstance(found, Image.Image):
        return found
    values = torch.as_tensor(found) if isinstance(found, (Tensor, np.ndarray)) else None
    if values is not None and values.is_floating_point():
        if not values.isfinite().all() or values.min() < 0 or values.max() > 1:
            raise InputError(
                f"image {row} of the data set reaches beyond [0, 1]; do not normalise the images, "
                "--mean does"
            )
        values = to_8_bit(values)
    if values is None or values.dtype != torch.uint8 or values.dim() not in (2, 3):
        raise InputError(
            f"item {row} of the data set is no image and label; give PIL images, or tensors C×H×W "
            "of uint8 or of floats in [0, 1]"
        )
    if values.dim() == 3 and values.shape[0] in (1, 3):
        values = values.permute(1, 2, 0)
    return Image.fromarray(values.squeeze(-1).numpy() if values.shape[-1] == 1 else values.numpy())


def pictures_of(
    dataset: Sequence[Any], *, size: tuple[int, int] | None, side: int, seed: int
) -> Pictures:
    """What an audit takes of a data set: all its images, or as many as are read, drawn.

    Labels are its own where every item has one. Arguments and errors as of `read_images`.
    """
    rows, more = drawn(len(dataset), seed)
    read, labels, skipped = [], [], []
    for row in rows:
        try:
            image, label = item_of(dataset, row)
        except InputError:
            raise
        except Exception as error:  # a user's data set may do anything
            skipped.append(f"image {row} ({type(error).__name__})")
            continue
        read.append((f"image {row}", upright(image)))
        labels.append(label)
    if not read:
        raise InputError(
            f"the data set holds no image that can be read{'; first: ' if skipped else ''}"
            f"{''.join(skipped[:1])}; give one with images"
        )
    pixels, full = of_one_size(read, size, side)
    numbers = [each for each in labels if each is not None]
    labelled = len(numbers) == len(labels)
    return Pictures(
        pixels,
        torch.tensor(numbers) if labelled else None,
        _classes(dataset, numbers) if labelled else (),
        full,
        tuple(name for name, _ in read),
        (*skipped, *more),
    )


def _classes(dataset: Sequence[Any], labels: Sequence[int]) -> tuple[str, ...]:
    if min(labels) < 0:
        raise InputError(f"the data set has the label {min(labels)}; give labels from 0 on")
    named = [str(each) for each in getattr(dataset, "classes", ())]
    return tuple(named) if len(named) > max(labels) else tuple(map(str, range(max(labels) + 1)))
