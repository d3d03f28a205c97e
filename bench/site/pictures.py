"""Images as PNG: one sheet for many, without space between them, which the page puts there."""

from __future__ import annotations

import io

import torch
from PIL import Image
from torch import Tensor

from ..report.rows import Row
from ..secrets.evaluation import evaluation_set

#: Images side by side.
ACROSS = 10


def sheet(pixels: Tensor) -> bytes:
    """Images, uint8 N×C×H×W with one channel or three, in lines of ACROSS; the rest is black."""
    count, channels, height, width = pixels.shape
    across = min(ACROSS, count)
    lines = -(-count // across)
    filled = torch.zeros(lines * across, channels, height, width, dtype=torch.uint8)
    filled[:count] = pixels
    grid = filled.view(lines, across, channels, height, width).permute(0, 3, 1, 4, 2)
    flat = grid.reshape(lines * height, across * width, channels)
    picture = Image.fromarray((flat[..., 0] if channels == 1 else flat).contiguous().numpy())
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", compress_level=4)
    return buffer.getvalue()


def places(row: Row) -> list[int]:
    """Where the first ACROSS of the paper's images stand among a row's."""
    dataset = row.scenario.target.dataset.name
    there = row.per_image["indices"]
    ten = evaluation_set(dataset, "paper10").indices.tolist()[:ACROSS]
    return [there.index(index) for index in ten]


def size(count: int) -> str:
    """What a sheet of `count` images measures in images, as CSS has it."""
    across = min(ACROSS, count)
    return f"{100 * across}% {100 * -(-count // across)}%"


def position(place: int, count: int) -> str:
    """Where on a sheet of `count` images one stands, as CSS has it."""
    across = min(ACROSS, count)
    down, right = divmod(place, across)
    lines = -(-count // across)
    return f"{_share(right, across)}% {_share(down, lines)}%"


def _share(place: int, count: int) -> str:
    return f"{100 * place / max(1, count - 1):.4g}"
