"""A sheet: many images as one PNG, and the same images back, or a refusal."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
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
        buffer, format="PNG", optimize=True, compress_level=9
    )
    assert buffer.getvalue() != as_sheet(pixels)
    assert from_sheet(buffer.getvalue(), 3, (1, 2, 2)).equal(pixels)


IMAGES = torch.zeros(4, 1, 3, 3, dtype=torch.uint8)


def chunk(kind: bytes, content: bytes = b"") -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def declared(width: int, height: int) -> bytes:
    """A PNG that says it has so many pixels of gray, and has a few bytes of them."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(8))) + chunk(b"IEND")


def with_chunk(kind: bytes, content: bytes = b"") -> bytes:
    """A sheet with one chunk more before its end."""
    return as_sheet(IMAGES)[:-12] + chunk(kind, content) + chunk(b"IEND")


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
        (as_other("BMP"), "no PNG of nothing but pixels"),
        (as_sheet(IMAGES)[:-30], "no PNG of nothing but pixels"),
        (as_sheet(IMAGES)[:-30] + chunk(b"IEND"), "no PNG of nothing but pixels"),
        (b"", "no PNG of nothing but pixels"),
        (as_sheet(IMAGES) + b"more", "no PNG of nothing but pixels"),
        (as_sheet(IMAGES) + chunk(b"IEND"), "no PNG of nothing but pixels"),
        (with_chunk(b"gAMA", struct.pack(">I", 1000)), "no PNG of nothing but pixels"),
        (with_chunk(b"iCCP"), "no PNG of nothing but pixels"),
        (with_chunk(b"fdAT", bytes(40)), "no PNG of nothing but pixels"),
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


def test_nothing_is_shown_beside_the_images() -> None:
    """Eleven images leave room for nine on their second line."""
    twenty = torch.ones(20, 1, 2, 2, dtype=torch.uint8)
    with pytest.raises(ValueError, match="more than 11 images"):
        from_sheet(as_sheet(twenty), 11, (1, 2, 2))


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), max_size=5), st.integers())
def test_a_damaged_sheet_gives_images_of_that_shape_or_is_refused(
    changes: list[tuple[int, int]], end: int
) -> None:
    content = bytearray(as_sheet(torch.arange(36, dtype=torch.uint8).view(4, 1, 3, 3)))
    for place, value in changes:
        content[place % len(content)] = value
    try:
        found = from_sheet(bytes(content[: end % len(content) or None]), 4, (1, 3, 3))
    except ValueError:
        return
    assert found.shape == (4, 1, 3, 3)
    assert found.dtype == torch.uint8
