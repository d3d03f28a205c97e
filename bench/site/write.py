"""Writing the site: a page each, the pictures, and what every page needs beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ...attacks import SETTINGS, Capability
from ...zoo.files import storage_errors
from ..report.leaderboard import WHAT
from ..report.provenance import fields_of
from ..report.rows import Row, failures, rows
from ..report.standing import standing
from ..report.wording import holdings, ordered
from ..score.metrics.ssim import RECOGNISABLE_SSIM
from ..secrets.evaluation import evaluation_set
from ..store.folder import ResultStore
from ..store.result import BENCHMARK_VERSION
from ..store.sheet import ACROSS, as_sheet
from .cells import chains
from .defended import defended
from .images import image_data, image_page
from .pictures import places
from .reproduction import emphasised, paper_page
from .shown import Shown
from .table import table_page

HERE = Path(__file__).parent
ASSETS = HERE / "assets"
#: What was written, a path a line, so that the next site knows what to delete.
LIST = "files.txt"
#: The pages, in the order in which every page links them, and what they are called there.
PAGES = {
    "index": "What leaks where",
    "rows": "Every row",
    "defences": "Defences",
    "paper": "The paper",
    "submit": "Submit an attack",
}


def write_site(store: ResultStore, profile: str, out: Path) -> Path:
    """Write the whole site below `out`, and return its first page.

    Raises ResultError where nothing counts, and StorageError.
    """
    stored = standing(store, profile).results
    results = ordered(rows(stored))
    if not results:
        raise store.nothing("current results", profile)
    written = []
    for name, content in _files(results, failures(stored), store):
        _put(out / name, content)
        written.append(name)
    _forget(out, written)
    return out / "index.html"


def _put(path: Path, content: bytes) -> None:
    """Write a file without waiting for the disk: what a kill leaves torn is soon made again."""
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _forget(out: Path, written: Sequence[str]) -> None:
    """Delete what an earlier site wrote below `out` that this one did not: a row that no longer
    counts shall not stay published."""
    listed = out / LIST
    earlier = listed.read_text("utf-8").splitlines() if listed.is_file() else []
    _put(listed, "".join(f"{name}\n" for name in written).encode())
    for name in set(earlier) - set(written):
        path = out / name
        if path.parent in (out / "rows", out / "pictures"):
            path.unlink(missing_ok=True)


def _files(
    results: Sequence[Row], failed: Sequence[str], store: ResultStore
) -> Iterator[tuple[str, bytes]]:
    """Every file by its path below the site's folder, pages after what they show."""
    for asset in sorted(ASSETS.iterdir()):
        yield asset.name, asset.read_bytes()
    for dataset in dict.fromkeys(row.scenario.target.dataset.name for row in results):
        secrets = evaluation_set(dataset, results[0].profile).images
        ten = evaluation_set(dataset, "paper10").images
        yield f"pictures/{dataset}.all.png", as_sheet(secrets.pixels)
        yield f"pictures/{dataset}.png", as_sheet(ten.pixels[:ACROSS])
    shown = [Shown(row) for row in results]
    environment = _environment(results[0].profile)
    for each in shown:
        result = each.row.results[0]  # of several seeds the first is shown
        images = store.recovered(result)
        yield f"pictures/{each.name}.all.png", store.sheet(result).read_bytes()
        yield f"pictures/{each.name}.png", as_sheet(images[places(each.row)])
        page = _render(environment, "row.html", page="row", pages=PAGES, **image_page(each))
        yield f"rows/{each.name}.html", page
        yield f"rows/{each.name}.js", image_data(each)
    given = {
        "chains": chains(results),
        "defended": defended(shown),
        "failed": failed,
        "notes": store.is_published,
        "pages": PAGES,
        "rows": shown,
        **table_page(shown),
        **paper_page(results),
    }
    for name in PAGES:
        yield f"{name}.html", _render(environment, f"{name}.html", page=name, **given)


def _environment(profile: str) -> Environment:
    """Templates that escape whatever they are given."""
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        all_settings=list(SETTINGS.values()),
        capabilities=list(Capability),
        fields_of=fields_of,
        holdings=holdings,
        profile=profile,
        threshold=RECOGNISABLE_SSIM,
        version=BENCHMARK_VERSION,
        what=WHAT[profile],
    )
    environment.filters["emphasised"] = emphasised
    environment.filters["percent"] = lambda share: f"{100 * share:.0f} %"
    return environment


def _render(environment: Environment, template: str, **given: Any) -> bytes:
    return environment.get_template(template).render(**given).encode("utf-8")
