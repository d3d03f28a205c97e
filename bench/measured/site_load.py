"""How long the site takes to build, what its first page loads, and when it is painted.

    python -m splitzoo.bench.measured.site_load [--store]

Builds the site of the published results and opens its first page from disk in the system's headless
Chromium, at two widths, five times each with an empty cache. Needs a Chromium and
`pip install 'splitzoo[browser]'`. `--store` puts the figures beside the published results.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import unquote, urlsplit

from ...zoo import MisuseError
from ..site.write import write_site
from ..store import PUBLISHED
from ..store.folder import ResultStore
from .evidence import run

WIDTHS, TIMES = (400, 1440), 5
NAMES = ("chromium", "chromium-browser", "google-chrome")
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Seconds, bytes and milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        began, used = time.monotonic(), time.process_time()
        first = write_site(ResultStore(PUBLISHED), "standard", Path(folder))
        seconds, processor = time.monotonic() - began, time.process_time() - used
        files = [path for path in Path(folder).rglob("*") if path.is_file()]
        return {
            "what": "the site of the published results: its build, and its first page from disk",
            "build_seconds": round(seconds, 1),
            "build_processor_seconds": round(processor, 1),
            "files": len(files),
            "bytes": sum(path.stat().st_size for path in files),
            "first_page": {str(width): _opened(first, width) for width in WIDTHS},
        }


def _opened(page: Path, width: int) -> dict[str, Any]:
    """What a window of that width loads before anybody scrolls, and when it is painted."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        raise MisuseError("there is no Chromium here; install the system's own")
    painted, asked = [], set()
    with sync_playwright() as playwright:
        for _ in range(TIMES):
            browser = playwright.chromium.launch(executable_path=path)
            opened = browser.new_page(viewport={"width": width, "height": 900})
            opened.on("request", lambda request: asked.add(request.url))
            opened.goto(page.as_uri(), wait_until="load")
            painted.append(opened.wait_for_function(PAINTED).json_value())
            browser.close()
    loaded = [Path(unquote(urlsplit(url).path)) for url in asked if url.startswith("file:")]
    return {
        "loaded_bytes": sum(each.stat().st_size for each in loaded),
        "loaded_files": len(loaded),
        "first_paint_ms": round(median(painted)),
        "slowest_paint_ms": round(max(painted)),
    }


if __name__ == "__main__":
    run("site_load", __doc__, measure)
