"""Every layer: which rows stand side by side, where else they stand, and what they say of §7.1."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from msgspec.structs import replace
from splitzoo.bench import ResultStore, Row, Run, Scenario, evaluation_set, scenario
from splitzoo.bench.referee.runs import network_used
from splitzoo.bench.report.layers import only_of_layers, section, sweeps, verdicts
from splitzoo.bench.report.leaderboard import write_leaderboard
from splitzoo.bench.site.write import write_site
from test_results import result_for

BLACK_BOX = ("black_box_same_set", "decoder")
QUERY_FREE = ("query_free_same_set_same_net", "shadow_model")
PIXELS = torch.zeros(10, 1, 28, 28, dtype=torch.uint8)


def cell(setting: str, split: str) -> Scenario:
    return scenario(f"{setting}/lenet/{split}", "paper10")


def row(who: tuple[str, str], split: str, ssim: float = 0.5, labels: int = 10) -> Row:
    """A row of 20 dB, of an SSIM, and of so many labels read off its ten images."""
    stored = result_for(cell(who[0], split), PIXELS, who[1])
    scores = {"psnr": [20.0] * 10, "ssim": [ssim] * 10, "label": [k < labels for k in range(10)]}
    return Row((replace(stored, reported={**stored.reported, **scores}),))


def test_a_sweep_is_in_the_order_of_the_layers() -> None:
    rows = [row(QUERY_FREE, split) for split in ("fc3", "conv1", "pool2")]
    (sweep,) = sweeps(rows)
    assert list(sweep.by_split) == ["conv1", "pool2", "fc3"]


def test_settings_stand_side_by_side() -> None:
    """By hand: LeNet sends 8×24×24 numbers behind conv1, 120 behind fc1, 10 behind fc3. The shadow
    model's λ is an oracle's."""
    rows = [
        row(QUERY_FREE, "fc1", 0.1, 4),
        row(QUERY_FREE, "conv1", 0.9),
        row(BLACK_BOX, "conv1", 0.98),
        row(BLACK_BOX, "fc3", 0.301, 9),
    ]
    lines = [
        [each.strip() for each in line.strip("|").split("|")]
        for line in section(sweeps(rows)).splitlines()
        if line.startswith("|")
    ]
    assert lines[0] == [
        "layer",
        "numbers",
        "Black-box, same set: Decoder",
        "Query-free, same set, same net: Shadow model",
    ]
    assert lines[2:] == [
        ["conv1", "4,608", "20.00 / 0.980, 100 %", "20.00 / 0.900°, 100 %"],
        ["fc1", "120", "", "*20.00 / 0.100*°, 40 %"],
        ["fc3", "10", "20.00 / 0.301, 90 %", ""],
    ]


@pytest.mark.parametrize("splits", [("fc1",), ("conv1", "relu2")])
def test_one_layer_or_the_papers_columns_alone_are_no_sweep(splits: tuple[str, ...]) -> None:
    """Else a row would leave the tables that show it for one that does not."""
    rows = [row(BLACK_BOX, split) for split in splits]
    assert not sweeps(rows)
    assert not only_of_layers(rows)


@pytest.mark.parametrize(
    ("fc1", "fc3", "verdict"),
    [
        (0.9, 0.31, "not hidden behind fc1, fc3."),
        (0.9, 0.3, "not hidden behind fc1; hidden from this attack behind fc3."),
        (0.3, 0.1, "hidden from this attack behind fc1, fc3."),
    ],
)
def test_fully_connected_layers_hide_what_no_image_shows(
    fc1: float, fc3: float, verdict: str
) -> None:
    rows = [
        row(BLACK_BOX, "conv1", 0.95),
        row(BLACK_BOX, "pool2", 0.85, 9),
        row(BLACK_BOX, "fc1", fc1),
        row(BLACK_BOX, "fc3", fc3, 8),
    ]
    (said,) = verdicts(rows)
    low, high = sorted((fc1, fc3))
    assert said == (
        f"**Black-box, same set** (Decoder): {verdict} Mean SSIM is 0.85 to 0.95 behind the 2 "
        f"measured before the first fully connected layer, and {low:.2f} to {high:.2f} behind the "
        "2 from it on; the label is read off 90 % to 100 % of the images before, and off 80 % to "
        "100 % behind."
    )
    assert not verdicts(rows[:2]), "of convolutions alone nothing follows"


@pytest.mark.parametrize(
    ("fc1", "fc3", "verdict"),
    [
        ([0.9], [0.1, 0.6], "not hidden behind fc1; undecided behind fc3."),
        ([0.2], [0.1, 0.6], "undecided behind fc3; hidden from this attack behind fc1."),
        ([0.0, 0.5], [0.1, 0.6], "undecided behind fc1, fc3."),
    ],
)
def test_a_mean_whose_interval_holds_the_threshold_decides_nothing(
    fc1: list[float], fc3: list[float], verdict: str
) -> None:
    """Five images at 0.1 and five at 0.6 have a mean of 0.35 and, by hand, 2.26 * 0.2635 / √10 =
    0.19 beside it; at 0.0 and 0.5 it is 0.25."""

    def scored(split: str, values: list[float]) -> Row:
        (stored,) = row(BLACK_BOX, split).results
        ssim = values * (10 // len(values))
        return Row((replace(stored, reported={**stored.reported, "ssim": ssim}),))

    rows = [row(BLACK_BOX, "conv1", 0.95), scored("fc1", fc1), scored("fc3", fc3)]
    assert verdict in verdicts(rows)[0]


def test_an_attack_that_does_worse_than_what_looks_at_no_feature_answers_nothing() -> None:
    blind = row(("black_box_same_set", "mean_image"), "relu2", 0.12)
    attacked = [
        row(BLACK_BOX, "conv1", 0.95),
        row(BLACK_BOX, "fc1", 0.2),
        row(BLACK_BOX, "fc3", 0.1),
    ]
    said = "no answer behind fc3, where the attack does worse than what looks at no feature."
    assert f"hidden from this attack behind fc1; {said}" in verdicts([*attacked, blind])[0]
    assert "hidden from this attack behind fc1, fc3." in verdicts(attacked)[0]
    text = "What looks at no feature has 20.00 / 0.120."
    assert text in section(sweeps([*attacked, blind]))
    assert text not in section(sweeps(attacked))


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    """Black-box at relu2 and fc1, where half of each image's light comes back, and query-free at
    conv1 and fc1, where nothing does."""
    store = ResultStore(tmp_path)
    secret = evaluation_set("mnist", "paper10").images.pixels
    for who, split, images in (
        (BLACK_BOX, "relu2", secret),
        (BLACK_BOX, "fc1", secret // 2),
        (QUERY_FREE, "conv1", secret),
        (QUERY_FREE, "fc1", PIXELS),
    ):
        where = cell(who[0], split)
        used = network_used(Run(where, who[1]).published())
        store.save(replace(result_for(where, images, who[1]), network=used), images)
    return store


def test_what_only_the_layers_show_stands_in_no_other_table(store: ResultStore) -> None:
    page = write_leaderboard(store, "paper10")
    text = page.read_text("utf-8")
    sections = {part.splitlines()[0]: part for part in text.split("\n## ")}
    assert "fc1" in sections["Every layer of LeNet"]
    assert [title for title, part in sections.items() if "fc1" in part] == ["Every layer of LeNet"]
    assert "relu2" in sections["Best known"]
    assert "[Every layer of LeNet](#every-layer-of-lenet)" in text
    for name in (
        "layers-lenet",
        "black_box_same_set-lenet-decoder-layers",
        "query_free_same_set_same_net-lenet-shadow_model-layers",
    ):
        assert f"(paper10/figures/{name}.png)" in sections["Every layer of LeNet"]
        assert (store.folder / f"paper10/figures/{name}.png").is_file()


def test_the_site_says_the_same(store: ResultStore, tmp_path: Path) -> None:
    write_site(store, "paper10", tmp_path / "site")
    paper = (tmp_path / "site/paper.html").read_text("utf-8")
    assert "<strong>Black-box, same set</strong> (Decoder): not hidden behind fc1." in paper
    assert "(Shadow model): hidden from this attack behind fc1." in paper
    depth = (tmp_path / "site/index.html").read_text("utf-8")
    assert "lenet/fc1: Decoder, Black-box, same set, " in depth, "a mark of the curve"
