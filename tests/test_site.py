"""The site: what it says is what the results say, its links lead somewhere, and it is not large."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from PIL import Image
from splitzoo.bench import ResultStore, Run, evaluation_set, scenario
from splitzoo.bench.cli import main
from splitzoo.bench.referee.runs import network_used
from splitzoo.bench.report.rows import rows
from splitzoo.bench.site.curve import HIGH, TOP, curve
from splitzoo.bench.site.shown import Shown
from splitzoo.bench.site.write import write_site
from splitzoo.bench.store import PUBLISHED
from splitzoo.zoo import get_network
from test_results import CELL, result_for

OTHER = scenario("query_free_same_set_same_net/lenet/relu2", "paper10")


def small_store(folder: Path) -> ResultStore:
    """LeNet, white-box at conv1 by two attacks, the second better, and query-free at relu2."""
    store = ResultStore(folder)
    secret = evaluation_set("mnist", "paper10").images.pixels
    black = torch.zeros_like(secret)
    half = secret.clone()
    half[0] = 0
    for cell, attack, recovered in (
        (CELL, "rmle", half),
        (CELL, "affine_inversion", secret.clone()),
        (OTHER, "shadow_model", black),
    ):
        network = network_used(Run(cell, attack).published())
        store.save(replace(result_for(cell, recovered, attack), network=network), recovered)
    return store


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return small_store(tmp_path / "results")


class Page(HTMLParser):
    """What a page links, loads, is called by, and says."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.loaded: list[str] = []
        self.said = ""
        self.tags: list[str] = []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.said += " " if tag in ("dd", "dt", "td", "th", "p") else ""
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "a":
            self.links.append(given["href"])
        elif tag in ("img", "script") and "src" in given:
            self.loaded.append(given["src"])
        elif tag == "link":
            self.loaded.append(given["href"])

    def handle_data(self, data: str) -> None:
        self.said += data


def said(path: Path) -> str:
    """A page's words, in one line."""
    return " ".join(Page(path).said.split())


def test_the_first_page_shows_the_strongest_attack_of_each_setting(
    store: ResultStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "site"
    arguments = ["site", str(out), "--profile", "paper10", "--results", str(store.folder)]
    assert main(arguments) == 0
    assert capsys.readouterr().out.strip() == str(out / "index.html")
    page = (out / "index.html").read_text("utf-8")
    words = said(out / "index.html")
    assert "Affine inversion: 100.00 ± 0.00 dB, SSIM 1.0000 ± 0.0000" in words
    assert "rMLE" not in words, "the weaker attack of the same cell"
    assert re.search(r"Shadow model°: \S+ ± \S+ dB, SSIM \S+ ± \S+, little can be", words)
    assert re.search(r"<em>\S+ ± \S+ dB, SSIM", page)
    assert 'id="lenet/conv1"' in page
    assert 'id="lenet/relu1"' not in page, "nobody measured it"
    assert "White-box and Black-box adversaries were not tried here." in words, "at relu2"
    assert page.count('class="partial"') == 3, "both layers' bars, and the key"


def test_its_pictures_are_the_stored_images(store: ResultStore, tmp_path: Path) -> None:
    write_site(store, "paper10", tmp_path)
    ten = evaluation_set("mnist", "paper10").images.pixels
    wanted = np.concatenate(list(ten[:, 0].numpy()), axis=1)
    originals = np.asarray(Image.open(tmp_path / "pictures/mnist.png"))
    assert np.array_equal(originals, wanted)
    recovered = np.asarray(Image.open(tmp_path / "pictures/white_box.lenet-conv1.rmle.png"))
    assert np.array_equal(recovered[:, 28:], wanted[:, 28:])
    assert not recovered[:, :28].any()


def test_every_link_leads_to_something_and_nothing_comes_from_elsewhere(
    store: ResultStore, tmp_path: Path
) -> None:
    write_site(store, "paper10", tmp_path)
    pages = {path: Page(path) for path in tmp_path.rglob("*.html") if "results" not in path.parts}
    assert len(pages) >= 4
    for path, page in pages.items():
        assert "base" not in page.tags
        assert len(page.ids) == len(set(page.ids))
        for address in [*page.links, *page.loaded]:
            if address == "data:,":
                continue
            parts = urlsplit(address)
            assert not parts.scheme or (address in page.links and parts.scheme == "https")
            if parts.scheme:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.is_file(), f"{path}: {address}"
            if parts.fragment and target.name == "index.html":
                assert unquote(parts.fragment) in pages[target].ids, f"{path}: {address}"
    for style in tmp_path.rglob("*.css"):
        assert "url(" not in style.read_text("utf-8")


def test_text_from_a_result_cannot_write_a_page(store: ResultStore, tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>\"'&"
    result = store.load(CELL, "rmle")
    assert result is not None
    made = replace(result.made, device=hostile, versions={"torch": hostile})
    store.save(replace(result, made=made), store.recovered(result))
    failed = result_for(scenario("white_box/lenet/relu2", "paper10"), store.recovered(result))
    store.save(replace(failed, failure=hostile, reported={}, recovered_sha256=None), None)
    write_site(store, "paper10", tmp_path)
    told = 0
    for path in tmp_path.rglob("*.html"):
        text = path.read_text("utf-8")
        assert "<script>alert" not in text
        told += "&lt;script&gt;alert(1)" in text
        assert not re.search(r"\son\w+=", text), "no handler stands in the markup"
    assert told >= 2, "the failure on the first page, the device on the row's"


def test_a_row_has_a_page_with_every_image(store: ResultStore, tmp_path: Path) -> None:
    write_site(store, "paper10", tmp_path)
    path = tmp_path / "rows/white_box.lenet-conv1.rmle.html"
    result = store.load(CELL, "rmle")
    assert result is not None
    text, words = path.read_text("utf-8"), said(path)
    for index, psnr in zip(result.reported["indices"], result.reported["psnr"], strict=True):
        assert f'<th scope="row">{index}</th>' in text
        assert f'data-value="{psnr}"' in text
    assert "the paper's 39.69 dB, SSIM 0.9969" in words
    assert "oracle λ" in words


def test_a_curve_stands_where_its_numbers_do(store: ResultStore) -> None:
    """SSIM 1 at the top; PSNR 100, beyond the axis, too; black images near the bottom."""
    shown = [Shown(row) for row in rows(store.all("paper10"))]
    for metric in ("ssim", "psnr"):
        layers = get_network("lenet").splits
        chart = curve(shown, layers, lambda each: each.where.target.split, metric)
        white, query_free = chart.lines
        assert (white.title, query_free.title) == ("White-box", "Query-free")
        assert [point.y for point in white.points] == [TOP]
        (point,) = query_free.points
        end = {"ssim": 1, "psnr": 50}[metric]
        value = point.figure.mean.value
        assert point.y == pytest.approx(TOP + HIGH * (1 - value / end), abs=0.06)
        assert [name for name, _ in chart.names] == list(layers)
        assert dict(chart.names)["relu2"] == point.x


def test_a_row_that_no_longer_counts_leaves_the_site(store: ResultStore, tmp_path: Path) -> None:
    """What is the reader's own stays."""
    out = tmp_path / "site"
    write_site(store, "paper10", out)
    (out / "rows" / "mine.html").write_text("mine", "utf-8")
    (out / "CNAME").write_text("example.org", "utf-8")
    pages = set(out.rglob("*"))
    store.path(CELL, "rmle", 0).unlink()
    write_site(store, "paper10", out)
    gone = {path.name for path in pages - set(out.rglob("*"))}
    name = "white_box.lenet-conv1.rmle"
    assert gone == {f"{name}{end}" for end in (".html", ".js", ".png", ".all.png")}


@pytest.mark.parametrize("what", ["nothing", "a file in the way", "no such profile"])
def test_what_cannot_be_done_is_said_in_a_line(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, profile = tmp_path / "site", "paper10"
    if what == "a file in the way":
        (tmp_path / "site").mkdir()
        (tmp_path / "site" / "index.html").mkdir()
        store_of_one = ResultStore(tmp_path)
        images = torch.zeros(10, 1, 28, 28, dtype=torch.uint8)
        store_of_one.save(result_for(CELL, images), images)
    if what == "no such profile":
        profile = "nothing"
    arguments = ["site", str(out), "--profile", profile, "--results", str(tmp_path)]
    assert main(arguments) in (1, 2)
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of the repository's own results."""
    out = tmp_path_factory.mktemp("site")
    write_site(ResultStore(PUBLISHED), "standard", out)
    return out


def test_the_first_load_of_the_published_site_is_small(published: Path) -> None:
    """Under 3 MB, even if the browser took every picture of the largest cell at once."""
    page = published / "index.html"
    text = page.read_text("utf-8")
    files = {
        page,
        *(published / name for name in Page(page).loaded if name.endswith(("js", "css"))),
    }
    largest = 0
    for cell in text.split('<section class="cell')[1:]:
        pictures = set(re.findall(r'src="(pictures/[^"]+)"', cell))
        largest = max(largest, sum((published / name).stat().st_size for name in pictures))
    assert largest > 10_000
    assert sum(path.stat().st_size for path in files) + largest < 3_000_000


def test_every_published_row_is_on_the_site(published: Path) -> None:
    count = len(rows(ResultStore(PUBLISHED).all("standard")))
    assert len(list((published / "rows").glob("*.html"))) == count
