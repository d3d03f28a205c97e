"""What was recovered, beside the originals, as one picture a cut."""

from __future__ import annotations

import io

import torch
from PIL import Image
from torch import Tensor

#: Images that are shown, and the pixels between them.
SHOWN, GAP = 6, 2


def strip(rows: list[Tensor]) -> bytes:
    """A PNG of rows of images, each uint8 N×C×h×w, the first SHOWN of each."""
    channels, height, width = rows[0].shape[1:]
    count = min(SHOWN, len(rows[0]))
    size = len(rows) * (height + GAP) - GAP, count * (width + GAP) - GAP
    sheet = torch.full((3, *size), 255, dtype=torch.uint8)
    for down, row in enumerate(rows):
        for right, image in enumerate(row[:count]):
            top, left = down * (height + GAP), right * (width + GAP)
            sheet[:, top : top + height, left : left + width] = image.expand(3, -1, -1)
    if channels == 1:
        picture = Image.fromarray(sheet[0].numpy())
    else:
        picture = Image.fromarray(sheet.permute(1, 2, 0).contiguous().numpy())
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
