"""The stored race to the paper's PSNR: what it must show, and that the notes cite it."""

from __future__ import annotations

import json

from splitzoo.bench import paper_figure
from splitzoo.bench.store import PUBLISHED
from splitzoo.zoo import manifest

STORED = PUBLISHED / "evidence" / "time_to_paper.json"
BAR = 50


def test_the_papers_psnr_takes_at_most_a_fiftieth_of_its_loops_time() -> None:
    columns = json.loads(STORED.read_text("utf-8"))["columns"]
    assert set(columns) == {"cifar_cnn/relu22", "cifar_cnn/relu32"}
    notes = (PUBLISHED / "notes.md").read_text("utf-8")
    for column, found in columns.items():
        loop, ours = found["loop"], found["ours"]
        paper = paper_figure("white_box", column, "rmle")
        assert paper is not None
        assert loop["iterations"] == 5000, "§4.2"
        assert ours["psnr"] >= paper.psnr == found["paper_psnr"]
        ratio = loop["seconds_per_image"] / ours["seconds_per_image"]
        assert ratio >= BAR
        assert abs(ratio / found["faster"] - 1) < 0.01
        assert ours["decoder_seconds"] == manifest().get(ours["decoder"]).training["seconds"]
        for figure in (loop["seconds_per_image"], ours["psnr"], found["faster"]):
            assert f"{figure:,}" in notes, f"{column}: {figure}"


def test_ours_stops_at_the_first_number_of_iterations_that_suffices() -> None:
    for found in json.loads(STORED.read_text("utf-8"))["columns"].values():
        *short, last = found["ours"]["psnr_held_out"].items()
        assert all(value < found["paper_psnr"] for _, value in short)
        assert last[1] >= found["paper_psnr"]
        assert int(last[0]) == found["ours"]["iterations"]
