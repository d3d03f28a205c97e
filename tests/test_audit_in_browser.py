"""An audit's report in headless Chromium, from disk, as its reader opens it.

Skipped where there is no Chromium, or no Playwright (`pip install 'splitzoo[browser]'`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from splitzoo.bench.audit.page import as_page
from splitzoo.bench.audit.pictures import strip
from splitzoo.bench.audit.record import Audit, Cost, CutAudit, ImagesUsed, Judged, Limits
from test_audit import attack

NAMES = ["conv1", "relu", "features.12.block.2.0", "a_very_long_name_of_a_node_" * 2]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a report with everything that a report can have."""
    cuts, pictures = [], {}
    for number, at in enumerate(NAMES):
        ran = [
            attack(family, [0.9 - 0.2 * number, 0.8 - 0.2 * number], label=[True, False])
            for family in ("white_box", "black_box", "query_free")
        ]
        cost = Cost(65_536, 37_000_000_000, 11_000_000, 24.1)
        left_out = ["query-free: its first 60 steps, the least that shows anything, take 22 s here"]
        cuts.append(CutAudit(at, "", [64, 16, 16], cost, ran, left_out, 30.0, 0.5))
        pictures[at] = strip([torch.full((6, 3, 32, 32), 40 * row) for row in range(4)])
    audit = Audit(
        network="ResNet of net.py",
        budget=600.0,
        device="a processor",
        versions={},
        images=ImagesUsed(980, 20, [224, 224], [3, 56, 56], 0, "", True, ["a.png (OSError)"], 3),
        limits=Limits(),
        floor=attack("floor", [0.1, 0.1], label=[False, False]),
        judged=Judged("the cifar10 judge", "", 19),
        cuts=cuts,
        left_out=["12 of 16 places to cut"],
        front=NAMES[:2],
        aside={NAMES[2]: "no white-box attack ran there"},
        advice={"white_box": "Cut behind relu: " + "it is so. " * 20},
    )
    page: Path = tmp_path_factory.mktemp("report") / "report.html"
    page.write_text(as_page(audit, pictures), "utf-8")
    return page.as_uri()


@pytest.fixture(params=[400, 1280])
def page(browser: Any, report: str, request: pytest.FixtureRequest) -> Any:
    """The report in a window of some width, of which the console stays empty."""
    opened = browser.new_page(viewport={"width": request.param, "height": 800})
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("request", lambda made: complaints.append(made.url))
    opened.goto(report)
    assert complaints.pop(0) == report
    yield opened
    opened.close()
    assert [each for each in complaints if not each.startswith("data:")] == []


def test_it_fits_its_window_and_every_picture_is_there(page: Any) -> None:
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("[...document.images].map(i => i.naturalWidth)") == [6 * 34 - 2] * 4
    beyond = """[...document.querySelectorAll('body *:not(.scroll *):not(svg *)')]
        .filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML)"""
    assert page.evaluate(beyond) == []


def test_every_control_is_reached_by_tab_in_its_order_and_seen(page: Any) -> None:
    wanted = page.evaluate(
        "[...document.querySelectorAll('a[href], [tabindex]')].map(e => e.outerHTML.slice(0, 90))"
    )
    assert len(wanted) == 2 + len(NAMES) + len(NAMES)  # chart, cuts with their links, attacks
    for each in wanted:
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.outerHTML.slice(0, 90)")
        assert focused == each
        style = "getComputedStyle(document.activeElement).outlineStyle"
        assert page.evaluate(style) != "none"
        box = page.evaluate("document.activeElement.getBoundingClientRect().toJSON()")
        assert box["top"] < 800
        assert box["bottom"] > 0


def test_a_table_that_is_too_wide_is_scrolled_by_keys(page: Any) -> None:
    table = page.locator(".scroll").nth(1)
    table.focus()
    hidden = table.evaluate("e => e.scrollWidth - e.clientWidth")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    if hidden > 0:
        page.wait_for_function("document.activeElement.scrollLeft > 0")


def test_a_cut_is_opened_from_the_table(page: Any) -> None:
    page.get_by_role("link", name=NAMES[2], exact=True).focus()
    page.keyboard.press("Enter")
    assert page.url.endswith("#cut-3")
    heading = page.get_by_role("heading", name=f"Behind {NAMES[2]}")
    box = heading.bounding_box()
    assert 0 <= box["y"] < 400
