"""A sheet: many images as one PNG, and the same images back, or a refusal."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image
from splitzoo.bench.store.sheet import as_sheet, from_sheet


def test_a_sheet_has_ten_images_a_line() -> None:
    pixels = torch.arange(12 * 3 * 2 * 2, dtype=torch.uint8).view(12, 3, 2, 2)
    picture = np.asarray(Image.open(io.BytesIO(as_sheet(pixels))))
    assert picture.shape == (4, 20, 3)
    for place in range(12):
        top, left = 2 * (place // 10), 2 * (place % 10)
        there = picture[top : top + 2, left : left + 2].transpose(2, 0, 1)
        assert np.array_equal(there, pixels[place].numpy())
    assert not picture[2:, 4:].any()


@pytest.mark.parametrize("count", [1, 9, 10, 11, 100])
@pytest.mark.parametrize("shape", [(1, 5, 3), (3, 2, 7)])
def test_the_images_come_back_bit_for_bit(count: int, shape: tuple[int, int, int]) -> None:
    generator = torch.Generator().manual_seed(count)
    pixels = torch.randint(256, (count, *shape), generator=generator, dtype=torch.uint8)
    assert from_sheet(as_sheet(pixels), count, shape).equal(pixels)


def test_another_programme_may_have_written_it() -> None:
    pixels = torch.arange(12, dtype=torch.uint8).view(3, 1, 2, 2)
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(list(pixels[:, 0].numpy()), axis=1)).save(
        buffer, format="PNG", optimize=True, dpi=(72, 72)
    )
    assert buffer.getvalue() != as_sheet(pixels)
    assert from_sheet(buffer.getvalue(), 3, (1, 2, 2)).equal(pixels)


def declared(width: int, height: int) -> bytes:
    """A PNG that says it has so many pixels of gray, and has a few bytes of them."""
    found = b"\x89PNG\r\n\x1a\n"
    for kind, content in (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes(8))),
        (b"IEND", b""),
    ):
        checksum = zlib.crc32(kind + content)
        found += struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
    return found


IMAGES = torch.zeros(4, 1, 3, 3, dtype=torch.uint8)


def as_other(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((3, 12), np.uint8)).save(buffer, format=kind)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (as_sheet(IMAGES[:3]), "no sheet of 4 images 1×3×3"),
        (as_sheet(IMAGES.expand(-1, 3, -1, -1)), "no sheet of 4 images"),
        (declared(2**31 - 1, 2**31 - 1), "no sheet of 4 images"),
        (declared(12, 3), "no PNG that can be read"),
        (as_other("BMP"), "no PNG that can be read"),
        (as_sheet(IMAGES)[:-30], "no PNG that can be read"),
        (b"", "no PNG that can be read"),
    ],
)
def test_anything_else_is_refused(content: bytes, message: str) -> None:
    """What declares more pixels than there should be, too, before room is made for them."""
    with pytest.raises(ValueError, match=message):
        from_sheet(content, 4, (1, 3, 3))


def test_it_has_as_many_pixels_as_its_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand large images have more than Pillow opens of a stranger's file."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(as_sheet(IMAGES)))
    assert from_sheet(as_sheet(IMAGES), 4, (1, 3, 3)).equal(IMAGES)
