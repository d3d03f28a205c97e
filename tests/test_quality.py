"""Quality against time, on the leaderboard and on the site: each mark stands where its row does."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import fmean

import pytest
from matplotlib.colors import same_color
from matplotlib.figure import Figure
from msgspec.structs import replace
from splitzoo.bench import ResultStore
from splitzoo.bench.report.checks import outdated
from splitzoo.bench.report.leaderboard import write_leaderboard
from splitzoo.bench.report.quality import COLOURS, compared, quality_figure
from splitzoo.bench.report.rows import Row, rows
from splitzoo.bench.site.scatter import AXES, HIGH, LEFT, TOP, WIDE, scatters
from splitzoo.bench.site.shown import Shown
from test_results import CELL
from test_site import small_store


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    """Three rows, of 0.5, 0.02 and 0.5 seconds an image."""
    store = small_store(tmp_path)
    result = store.load(CELL, "affine_inversion")
    assert result is not None
    faster = replace(result, cost=replace(result.cost, online_seconds=0.2))
    store.save(faster, store.recovered(result))
    return store


def marks(figure: Figure, column: str) -> list[tuple[float, float, str, bool]]:
    """Seconds, PSNR, family's number and whether it is filled, of each mark in a panel."""
    (axis,) = (each for each in figure.axes if each.get_title() == column)
    found = []
    for line in axis.lines:
        if line.get_linestyle() == "None":
            ((x, y),) = line.get_xydata().tolist()  # type: ignore[union-attr]
            colour = next(each for each in COLOURS if same_color(line.get_color(), each))
            filled = not same_color(line.get_markerfacecolor(), "white")
            found.append((x, y, colour, filled))
    return found


def test_every_row_is_marked_in_the_panel_of_its_split(store: ResultStore) -> None:
    by_name = {row.attack: row for row in rows(store.all("paper10"))}
    figure = quality_figure("a title", compared(list(by_name.values())))

    def psnr(name: str) -> float:
        return fmean(by_name[name].per_image["psnr"])

    assert sorted(marks(figure, "lenet/conv1")) == [
        (0.02, pytest.approx(100), COLOURS[0], False),
        (0.5, pytest.approx(psnr("rmle")), COLOURS[0], False),
    ]
    assert marks(figure, "lenet/relu2") == [
        (0.5, pytest.approx(psnr("shadow_model")), COLOURS[2], True)
    ]
    assert marks(figure, "cifar_cnn/relu22") == []


def test_the_picture_is_drawn_anew_where_only_a_time_has_changed(store: ResultStore) -> None:
    page = write_leaderboard(store, "paper10").read_text("utf-8")
    assert "(paper10/figures/quality-against-time.png)" in page
    assert not any("was not drawn" in problem for problem in outdated(store, "paper10"))
    result = store.load(CELL, "rmle")
    assert result is not None
    slower = replace(result, cost=replace(result.cost, online_seconds=6.0))
    store.save(slower, store.recovered(result))
    told = [problem for problem in outdated(store, "paper10") if "was not drawn" in problem]
    assert len(told) == 1
    assert "quality-against-time.png" in told[0]


def test_the_sites_marks_stand_where_time_and_ssim_do(store: ResultStore) -> None:
    """From 0.0001 to 1 second, a quarter of the axis for each power of ten."""
    found = [Shown(row) for row in rows(store.all("paper10"))]
    online = scatters(found)[0]
    assert online.title == AXES[0].title
    assert [text for text, _ in online.ticks] == ["≤ 0.0001", "0.001", "0.01", "0.1", "1"]
    for point in online.points:
        row: Row = point.shown.row
        share = (math.log10(row.cost("online_seconds") / 10) + 4) / 4
        assert point.x == pytest.approx(LEFT + 10 + WIDE * share, abs=0.06)
        ssim = fmean(row.per_image["ssim"])
        assert point.y == pytest.approx(TOP + HIGH * (1 - ssim), abs=0.06)
