"""Progress bars on standard error, where a person is watching."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def progress(items: Iterable[T], title: str, *, unit: str) -> Iterable[T]:
    """Iterate over `items` behind a bar that vanishes when it is full."""
    return tqdm(items, desc=title, unit=unit, leave=False, disable=None, dynamic_ncols=True)
