"""Many images as one PNG, ten to a line and without space between them, and back."""

from __future__ import annotations

import io
import math
import struct

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngImageFile
from torch import Tensor

#: Images side by side; of the evaluation set `standard`, those of a class.
ACROSS = 10
_SIGNATURE, _END = b"\x89PNG\r\n\x1a\n", b"\0\0\0\0IEND\xaeB`\x82"


def as_sheet(pixels: Tensor) -> bytes:
    """Images, uint8 N×C×H×W with one channel or three, in lines of ACROSS; the rest is black."""
    count, channels, height, width = pixels.shape
    lines, across = lines_and_across(count)
    filled = torch.zeros(lines * across, channels, height, width, dtype=torch.uint8)
    filled[:count] = pixels
    grid = filled.view(lines, across, channels, height, width).permute(0, 3, 1, 4, 2)
    flat = grid.reshape(lines * height, across * width, channels)
    picture = Image.fromarray((flat[..., 0] if channels == 1 else flat).contiguous().numpy())
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", compress_level=4)
    return buffer.getvalue()


def from_sheet(content: bytes, count: int, shape: tuple[int, int, int]) -> Tensor:
    """The `count` images C×H×W of a sheet, bit for bit, as uint8 N×C×H×W.

    Raises ValueError for anything but a sheet of so many such images: before a pixel is read for
    another size, and for what a viewer would show beside or in place of them.
    """
    if not count:
        raise ValueError("there is no sheet of no images")
    channels, height, width = shape
    lines, across = lines_and_across(count)
    if not _is_plain(content):
        raise ValueError("it is no PNG of nothing but pixels")
    try:
        # Not by Image.open, which refuses a thousand large images: the size is checked here.
        with PngImageFile(io.BytesIO(content)) as picture:
            found = picture.mode, picture.size
            if found != ("L" if channels == 1 else "RGB", (across * width, lines * height)):
                raise ValueError(f"it is no sheet of {count} images {'×'.join(map(str, shape))}")
            flat = torch.from_numpy(np.array(picture))
    except (OSError, SyntaxError) as error:
        raise ValueError(f"it is no PNG that can be read: {error}") from error
    grid = flat.view(lines, height, across, width, channels).permute(0, 2, 4, 1, 3)
    images = grid.reshape(lines * across, *shape)
    if images[count:].any():
        raise ValueError(f"it shows more than {count} images")
    return images[:count].contiguous()


def _is_plain(content: bytes) -> bool:
    """Whether a PNG is its header, pixels and end: a gamma, a second picture or a text would be
    shown or carried along unscored."""
    kinds, place = [], len(_SIGNATURE)
    while place < len(content):
        length, kind = struct.unpack_from(">I4s", content.ljust(place + 8, b"\0"), place)
        kinds.append(kind)
        place += 12 + length
    wanted = [b"IHDR", *[b"IDAT"] * (len(kinds) - 2), b"IEND"]
    return content.startswith(_SIGNATURE) and content.endswith(_END) and kinds == wanted


def lines_and_across(count: int) -> tuple[int, int]:
    """How a sheet of so many images is laid out: lines of them, and how many side by side."""
    across = min(ACROSS, count)
    return math.ceil(count / across), across
