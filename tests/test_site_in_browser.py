"""The site in headless Chromium, from disk, as a reader uses it.

Skipped where there is no Chromium, or no Playwright (`pip install 'splitzoo[browser]'`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from splitzoo.bench import ResultStore, mean
from splitzoo.bench.report.rows import rows
from splitzoo.bench.site.shown import Shown
from splitzoo.bench.site.write import PAGES, write_site
from test_site import small_store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ResultStore:
    return small_store(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def site(store: ResultStore, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the site's folder."""
    return write_site(store, "paper10", tmp_path_factory.mktemp("site")).parent.as_uri()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page whose console stays empty."""
    opened = browser.new_page(viewport={"width": 1440, "height": 900})
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("requestfailed", lambda request: complaints.append(request.url))
    yield opened
    opened.close()
    assert complaints == []


def shown_rows(page: Any, selector: str) -> list[str]:
    """The text of a column's cells in the rows that are shown, in their order."""
    return [text.strip() for text in page.locator(f"tr:not([hidden]) {selector}").all_inner_texts()]


def every_page(site: str) -> list[str]:
    return [*(f"{site}/{name}.html" for name in PAGES), f"{site}/rows/{ROW}.html"]


ROW = "white_box.lenet-conv1.rmle"


@pytest.mark.parametrize("width", [400, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_and_follows_the_systems_colours(
    browser: Any, site: str, width: int, scheme: str
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    for address in every_page(site):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        ink = page.evaluate("getComputedStyle(document.body).color")
        shades = [sum(map(int, each[4:-1].split(","))) for each in (ground, ink)]
        assert (shades[0] > shades[1]) == (scheme == "light")
    page.close()


def test_no_page_complains(page: Any, site: str) -> None:
    for address in every_page(site):
        page.goto(address)
        broken = "[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)"
        assert page.evaluate(broken) == []


def test_a_layer_is_chosen_and_the_address_says_which(page: Any, site: str) -> None:
    page.goto(f"{site}/index.html")
    cells = page.locator("section.cell[id]")
    assert cells.evaluate_all("all => all.filter(e => e.checkVisibility()).map(e => e.id)") == [
        "lenet/relu2"
    ]
    page.locator(".chain a", has_text="conv1").click()
    assert page.url.endswith("#lenet/conv1")
    assert page.locator("h2:visible").first.inner_text() == "LeNet, cut behind conv1"
    assert "Affine inversion" in page.locator(".cards:visible").inner_text()
    assert page.locator(".chain a[aria-current]").inner_text() == "conv1"
    page.locator(".cards:visible img").last.scroll_into_view_if_needed()
    page.wait_for_function("[...document.querySelectorAll('.cards img')].some(i => i.naturalWidth)")
    page.go_back()
    assert page.locator("h2:visible").first.inner_text() == "LeNet, cut behind relu2"
    page.locator(".chart:visible [data-to='lenet/conv1']").first.locator("circle").click()
    assert page.locator("h2:visible").first.inner_text() == "LeNet, cut behind conv1"


def test_the_address_of_a_layer_opens_it(page: Any, site: str) -> None:
    page.goto(f"{site}/index.html#lenet/conv1")
    assert page.locator("h2:visible").first.inner_text() == "LeNet, cut behind conv1"
    assert page.evaluate("scrollY") == 0
    page.goto(f"{site}/index.html#nowhere/none")
    assert page.locator("h2:visible").first.inner_text().startswith("LeNet, cut behind")


def test_a_layer_and_a_row_are_reached_without_a_mouse(page: Any, site: str) -> None:
    def tab_to(words: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent.trim()") == words:
                return
        pytest.fail(f"no Tab leads to {words}")

    page.goto(f"{site}/index.html")
    tab_to("conv1")
    page.keyboard.press("Enter")
    assert page.locator("h2:visible").first.inner_text() == "LeNet, cut behind conv1"
    assert page.evaluate("document.activeElement.textContent") == "conv1"
    tab_to("Every image")
    page.keyboard.press("Enter")
    page.wait_for_url("**/rows/white_box.lenet-conv1.affine_inversion.html")


def test_rows_are_sorted(page: Any, site: str, store: ResultStore) -> None:
    found = sorted(mean(row.per_image["ssim"]).value for row in rows(store.all("paper10")))
    page.goto(f"{site}/rows.html")
    head = page.locator("th", has_text="SSIM").first
    head.get_by_role("button").click()
    values = "all => all.map(e => Number(e.dataset.value))"
    column = page.locator("table.rows tbody td:nth-child(6)")
    assert column.evaluate_all(values) == pytest.approx(found[::-1])
    assert head.get_attribute("aria-sort") == "descending"
    head.get_by_role("button").click()
    assert column.evaluate_all(values) == pytest.approx(found)
    assert page.url.endswith("#sort=ssim")


def test_rows_are_filtered_and_the_address_brings_them_back(
    page: Any, site: str, browser: Any
) -> None:
    page.goto(f"{site}/rows.html")
    assert len(shown_rows(page, "th[scope=row]")) == 3
    page.get_by_label("setting").select_option("white_box")
    assert sorted(shown_rows(page, "th[scope=row]")) == ["Affine inversion", "rMLE°"]
    assert page.locator("output").inner_text() == "2 of 3 rows"
    marks = page.locator(".chart >> nth=0").locator("[data-name]:not([hidden])")
    assert marks.count() == 2, "the chart shows what the table does"
    page.get_by_label("attack").select_option("rmle")
    assert shown_rows(page, "th[scope=row]") == ["rMLE°"]
    address = page.url
    assert address.endswith("#in=white_box&attack=rmle")
    page.get_by_role("button", name="show all").click()
    page.wait_for_function("document.querySelector('output').textContent.startsWith('3 of')")
    assert page.url == f"{site}/rows.html"
    other = browser.new_page()
    other.goto(address)
    assert shown_rows(other, "th[scope=row]") == ["rMLE°"]
    other.goto(f"{site}/rows.html#verified=yes")
    assert other.locator("output").inner_text() == "0 of 3 rows"
    other.close()


def test_chosen_rows_are_compared_image_by_image(page: Any, site: str, store: ResultStore) -> None:
    """The paired difference and its interval, against those of the score's own room."""
    by_attack = {row.attack: row for row in rows(store.all("paper10"))}
    first, second = by_attack["rmle"], by_attack["affine_inversion"]
    pairs = zip(second.per_image["ssim"], first.per_image["ssim"], strict=True)
    wanted = mean([a - b for a, b in pairs])
    page.goto(f"{site}/rows.html")
    assert not page.locator("#compare").is_visible()
    for attack in ("rMLE", "Affine inversion"):
        page.get_by_role("checkbox", name=f"compare {attack}").check()
    line = page.locator("#compare tr", has_text="SSIM, more than the first")
    line.wait_for()
    text = f"+{wanted.value:.4f} ± {wanted.half_width:.4f}"
    assert line.locator("td").all_inner_texts() == ["", text]
    names = [Shown(row).name for row in (first, second)]
    assert page.url.endswith(f"#vs={names[0]},{names[1]}")
    page.reload()
    line.wait_for()
    pictures = "all => all.every(i => i.complete && i.naturalWidth === 280)"
    page.wait_for_function("document.querySelectorAll('#compare img').length === 4")
    page.wait_for_load_state("networkidle")
    assert page.locator("#compare img").evaluate_all(pictures)


def test_the_images_of_a_row_are_sorted(page: Any, site: str) -> None:
    page.goto(f"{site}/rows/{ROW}.html")
    images = page.locator("tbody th[scope=row]")
    before = images.all_inner_texts()
    page.locator("th", has_text="PSNR").get_by_role("button").click()
    assert images.all_inner_texts()[-1] == before[0], "the one that came back black"
    assert sorted(images.all_inner_texts()) == sorted(before)


def test_nothing_is_lost_without_scripts(browser: Any, site: str) -> None:
    """Every cell and every row is there to read, and no control that does nothing."""
    page = browser.new_page(java_script_enabled=False)
    page.goto(f"{site}/index.html")
    assert page.locator("section.cell[id] >> visible=true").count() == 2
    page.goto(f"{site}/rows.html")
    assert len(shown_rows(page, "th[scope=row]")) == 3
    assert not page.locator("form").is_visible()
    page.close()
