"""The user's images, as an audit takes them: from a folder or a file."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ...zoo import InputError, MisuseError
from ...zoo.pixels import to_8_bit

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
#: Pixels of the longer side above which images are attacked and scored at a smaller size.
SIDE = 64
#: Images that are read at most.
MOST = 4000
#: SSIM's window does not fit into less.
SMALLEST = 11


@dataclass(frozen=True)
class Pictures:
    """The user's images at the size at which they are attacked.

    Attributes:
        pixels: uint8 N×C×h×w.
        labels: int64 N, or None where there are none.
        classes: the names that labels are positions in.
        full: H×W that the network takes; h×w where that is small enough.
        names: where each was read.
        skipped: files that could not be read, with the reason.
    """

    pixels: Tensor
    labels: Tensor | None
    classes: tuple[str, ...]
    full: tuple[int, int]
    names: tuple[str, ...]
    skipped: tuple[str, ...] = ()

    @property
    def reduced(self) -> bool:
        """Whether they are attacked at a smaller size than the network takes."""
        return self.full != tuple(self.pixels.shape[2:])


def read_path(path: Path, *, size: tuple[int, int] | None, side: int, seed: int) -> Pictures:
    """Images of a folder, whose sub-folders are their labels, or of a .npy or .safetensors file.

    Arguments and errors as of `read_images`.
    """
    if path.is_dir():
        return _of_folder(path, size, side, seed)
    if not path.is_file():
        raise MisuseError(f"there is no folder or file {path}; give --images FOLDER")
    if path.suffix == ".npy":
        return _of_array(path, _loaded(path), None, side, seed)
    if path.suffix == ".safetensors":
        try:
            tensors = load_file(path)
            pixels = tensors["images"].numpy()
        except (SafetensorError, OSError, KeyError, TypeError) as error:
            raise InputError(f"{path} holds no tensor 'images' that can be read") from error
        return _of_array(path, pixels, tensors.get("labels"), side, seed)
    raise MisuseError(
        f"{path.name} is no folder of images; give a folder, a .npy file, or a .safetensors file "
        "with 'images' (and 'labels'): safetensors.torch.save_file({'images': x}, path) makes one"
    )


def smaller(full: tuple[int, int], side: int) -> tuple[int, int]:
    """The size at which images are attacked: `full`, halved until its longer side is at most
    `side`, so that feature maps, which networks halve too, still lie over whole pixels."""
    height, width = full
    while max(height, width) > side:
        height, width = math.ceil(height / 2), math.ceil(width / 2)
    return height, width


def _of_folder(folder: Path, size: tuple[int, int] | None, side: int, seed: int) -> Pictures:
    files = sorted(
        each
        for each in folder.rglob("*")
        if each.suffix.lower() in SUFFIXES and not each.name.startswith(".")
    )
    if not files:
        raise InputError(f"{folder} holds no image; put {', '.join(SUFFIXES[:3])} files there")
    rows, more = drawn(len(files), seed)
    read, skipped = [], []
    for row in rows:
        place = files[row].relative_to(folder)
        try:
            with Image.open(files[row]) as image:
                read.append((str(place), upright(image)))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            skipped.append(f"{place} ({type(error).__name__})")
    if not read:
        raise InputError(f"{folder} holds no image that can be read; first: {skipped[0]}")
    pixels, full = of_one_size(read, size, side)
    names = tuple(name for name, _ in read)
    labels, classes = _labels([Path(name) for name in names])
    return Pictures(pixels, labels, classes, full, names, (*skipped, *more))


def drawn(count: int, seed: int) -> tuple[list[int], list[str]]:
    """The rows that are read of so many, MOST at most, and what is said of the others."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    more = [f"{count - MOST} more, which were not drawn"] if count > MOST else []
    return order[:MOST].sort().values.tolist(), more


def upright(image: Image.Image) -> Image.Image:
    """In the mode L or RGB, turned as its camera was held."""
    turned = ImageOps.exif_transpose(image)
    return turned.convert("L" if turned.mode in ("1", "L", "LA") else "RGB")


def of_one_size(
    read: Sequence[tuple[str, Image.Image]], size: tuple[int, int] | None, side: int
) -> tuple[Tensor, tuple[int, int]]:
    """Images with their names as uint8 N×C×h×w, and the H×W that the network takes."""
    channels = 1 if all(image.mode == "L" for _, image in read) else 3
    full = size or _common_size(read)
    arrays = [_array(image, full, smaller(full, side), channels) for _, image in read]
    return _checked(torch.from_numpy(np.stack(arrays))), full


def _common_size(read: Sequence[tuple[str, Image.Image]]) -> tuple[int, int]:
    """H×W of all; InputError with the remedy where they differ."""
    counts = Counter(image.size for _, image in read)
    (width, height), most = counts.most_common(1)[0]
    if len(counts) > 1:
        other = next(file for file, image in read if image.size != (width, height))
        raise InputError(
            f"the images have {len(counts)} sizes, {most} of {len(read)} {width}×{height} and "
            f"others such as {other}; --size {height} (or HxW) resizes and crops them"
        )
    return height, width


def _array(
    image: Image.Image, full: tuple[int, int], small: tuple[int, int], channels: int
) -> np.ndarray:
    image = image.convert("L" if channels == 1 else "RGB")
    if (image.height, image.width) != full:
        image = ImageOps.fit(image, (full[1], full[0]), Image.Resampling.LANCZOS)
    if small != full:
        image = image.resize((small[1], small[0]), Image.Resampling.LANCZOS)
    array = np.asarray(image)
    return array[None] if channels == 1 else array.transpose(2, 0, 1)


def _labels(places: Sequence[Path]) -> tuple[Tensor | None, tuple[str, ...]]:
    """Labels by the first folder, in the order of their names; None unless all lie in one."""
    folders = [place.parts[0] if len(place.parts) > 1 else "" for place in places]
    classes = sorted(set(folders))
    if len(classes) < 2 or "" in classes:
        return None, ()
    return torch.tensor([classes.index(each) for each in folders]), tuple(classes)


def _loaded(path: Path) -> np.ndarray:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path} is no array of images that can be read") from error
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path} holds several arrays; give a .npy file of one")
    return array


def _of_array(
    path: Path, array: np.ndarray, labels: Tensor | None, side: int, seed: int
) -> Pictures:
    if array.ndim == 4 and array.shape[1] not in (1, 3) and array.shape[3] in (1, 3):
        array = array.transpose(0, 3, 1, 2)
    if array.ndim != 4 or array.shape[1] not in (1, 3) or not len(array):
        found = "×".join(map(str, array.shape))
        raise InputError(f"{path} holds {found}; give N×C×H×W with one channel or three")
    if labels is not None and len(labels) != len(array):
        raise InputError(f"{path} holds {len(array)} images and {len(labels)} labels; give a pair")
    rows, more = drawn(len(array), seed)
    pixels = _eight_bit(path, array[rows])
    full = (pixels.shape[2], pixels.shape[3])
    small = smaller(full, side)
    if small != full:
        resized = torch.nn.functional.interpolate(
            pixels.float(), small, mode="bilinear", antialias=True
        )
        pixels = resized.round().clamp(0, 255).to(torch.uint8)
    number = None if labels is None else labels.long()[rows]
    classes = () if number is None else tuple(map(str, range(int(number.max()) + 1)))
    names = tuple(f"{path.name}[{row}]" for row in rows)
    return Pictures(_checked(pixels), number, classes, full, names, tuple(more))


def _eight_bit(path: Path, array: np.ndarray) -> Tensor:
    values = torch.from_numpy(np.ascontiguousarray(array))
    if values.dtype == torch.uint8:
        return values
    if not values.is_floating_point() or not values.isfinite().all():
        raise InputError(f"{path} holds {array.dtype}; give uint8, or finite floats in [0, 1]")
    if values.min() < 0 or values.max() > 1:
        raise InputError(f"{path} reaches beyond [0, 1]; do not normalise the images, --mean does")
    return to_8_bit(values)


def _checked(pixels: Tensor) -> Tensor:
    if min(pixels.shape[2:]) < SMALLEST:
        raise InputError(
            f"images of {pixels.shape[2]}×{pixels.shape[3]} are too small to score; give ones of "
            f"{SMALLEST}×{SMALLEST} or more"
        )
    return pixels
