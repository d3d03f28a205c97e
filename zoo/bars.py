"""Progress on standard error: a bar where a person is watching, a line a minute in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")
#: Seconds between two lines in a log.
INTERVAL = 60.0


def progress(items: Sequence[T], title: str, *, unit: str) -> Iterator[T]:
    """Iterate over `items` behind a bar that vanishes when it is full."""
    if sys.stderr.isatty():
        yield from tqdm(items, desc=title, unit=unit, leave=False, dynamic_ncols=True)
        return
    began = said = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if done and now - said >= INTERVAL:
            said = now
            rest = (now - began) / done * (len(items) - done) / 60
            line = f"{title}: {done} of {len(items)} {unit}, {rest:.1f} min to go"
            print(line, file=sys.stderr, flush=True)
        yield item
