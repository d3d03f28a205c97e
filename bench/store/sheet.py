"""Many images as one PNG, ten to a line and without space between them, and back."""

from __future__ import annotations

import io
import math

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngImageFile
from torch import Tensor

#: Images side by side; of an evaluation set, those of a class.
ACROSS = 10


def as_sheet(pixels: Tensor) -> bytes:
    """Images, uint8 N×C×H×W with one channel or three, in lines of ACROSS; the rest is black."""
    count, channels, height, width = pixels.shape
    lines, across = _lines_and_across(count)
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

    Raises ValueError for anything but a sheet of so many such images; its pixels are not read then.
    """
    channels, height, width = shape
    lines, across = _lines_and_across(count)
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
    return grid.reshape(lines * across, *shape)[:count].contiguous()


def _lines_and_across(count: int) -> tuple[int, int]:
    across = min(ACROSS, count)
    return math.ceil(count / across), across
