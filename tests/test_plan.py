"""What runs where, the paper's numbers beside it, and what follows from both."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from splitzoo.attacks import SETTINGS
from splitzoo.bench import Row, Run, Scenario, chosen_runs, paper_figure, planned_runs, scenario
from splitzoo.bench.cli import main
from splitzoo.bench.paper import PAPER, TABLES
from splitzoo.bench.referee.plan import SWEEPS, further_runs, paper_runs, sweep_runs
from splitzoo.bench.report.comparison import applicability, differences, findings
from splitzoo.bench.store.result import AttackUsed, Cost, Made, PerImage, Result
from splitzoo.zoo import UnknownNameError, networks


def test_every_cell_of_tables_3_4_6_and_8_is_planned() -> None:
    """5 of Table 3, 15 of Table 4, 20 of Table 6, 5 of Table 8 beyond those of Table 4."""
    numbers = [table.number for table in TABLES]
    assert {number: 5 * numbers.count(number) for number in numbers} == {3: 5, 4: 15, 6: 20, 8: 5}
    assert len(set(paper_runs())) == 45
    covered = {each.scenario.setting.name for each in paper_runs()}
    assert covered == set(SETTINGS) - {"white_box_same_dist"}, "the paper's own settings"
    assert [each.scenario.target.split for each in sweep_runs()] == list(networks()["lenet"].splits)
    assert len(planned_runs()) == 45 + 9


@pytest.mark.parametrize(
    ("cell", "attack", "psnr", "ssim"),
    [
        (scenario("white_box/cifar_cnn/relu32"), "rmle", 13.38, 0.1625),
        (scenario("black_box_same_dist/lenet/conv1"), "inverse_network", 40.72, 0.9950),
        (scenario("black_box_rand_set/cifar_cnn/conv11"), "inverse_network", 48.59, 0.9996),
        (scenario("query_free_same_set_diff_net/lenet/relu2"), "shadow_model", 8.05, 0.3790),
        (scenario("query_free_diff_set_diff_net/cifar_cnn/relu22"), "shadow_model", 11.3, 0.0467),
        (scenario("black_box_same_set/cifar_cnn/relu22"), "model_reconstruction", 18.02, 0.6893),
    ],
)
def test_the_papers_figures_as_printed(
    cell: Scenario, attack: str, psnr: float, ssim: float
) -> None:
    figure = paper_figure(cell.setting.name, cell.column, attack)
    assert figure is not None
    assert (figure.psnr, figure.ssim) == (psnr, ssim)


def test_table_8_repeats_table_4() -> None:
    """The paper prints the Inverse-Network's same-set figures twice, a hundredth apart."""
    paper = json.loads(PAPER.read_text("utf-8"))
    first = paper["table4_black_box_inverse_network"]["same_set"]["psnr"]
    second = paper["table8_black_box_two_ways"]["inverse_network"]["psnr"]
    assert first == pytest.approx(second, abs=0.011)


def test_there_is_no_figure_where_the_paper_has_none() -> None:
    assert paper_figure("query_free_same_set_same_net", "lenet/fc1", "shadow_model") is None
    assert paper_figure("white_box", "lenet/conv1", "inverse_network") is None
    assert paper_figure("white_box", "lenet/conv1+gaussian_noise-sigma0.1", "rmle") is None


def test_only_narrows_by_setting_family_network_split_and_attack() -> None:
    assert len(chosen_runs(["white_box"])) == 5
    assert len(chosen_runs(["query_free"])) == 20 + 9
    assert len(chosen_runs(["black_box/cifar_cnn"])) == 3 * 4
    assert [each.attack for each in chosen_runs(["model_reconstruction/relu2"])] == [
        "model_reconstruction"
    ]
    assert len(chosen_runs(["relu22", "relu22/rmle"])) == 1 + 3 + 4 + 1
    assert chosen_runs([]) == planned_runs()
    with pytest.raises(UnknownNameError, match="did you mean 'shadow_model'"):
        chosen_runs(["shadow_modle"])


def test_table_7_as_the_paper_prints_it() -> None:
    """Rows of Table 7; ours is derived from requirements and grants, so it must come out so."""
    assert applicability() == [
        ["White-box", "✓", "✓", "✓"],
        ["Black-box", "–", "✓", "✓"],
        ["Query-free", "–", "–", "✓"],
    ]


def result(setting: str, split: str, attack: str, psnr: list[float]) -> Row:
    count = len(psnr)
    scores: PerImage = {
        "indices": list(range(count)),
        "psnr": list(psnr),
        "ssim": [0.5] * count,
        "exact": [False] * count,
        "label": [True] * count,
    }
    used = Run(scenario(f"{setting}/lenet/{split}", "paper10"), attack).scenario_used()
    stored = Result(
        benchmark_version=2,
        scenario=used,
        attack=AttackUsed(name=attack, type="Test", version=1, fields={}),
        seed=0,
        network=None,
        reported=scores,
        judge_sha256="0" * 64,
        cost=Cost(offline_seconds=0, online_seconds=0, queries=0),
        made=Made(device="test", versions={}, date="2026-01-01"),
        recovered_sha256="0" * 64,
    )
    return Row((stored,))


def test_differences_are_ours_minus_the_papers() -> None:
    found = differences([result("white_box", "conv1", "rmle", [40.0, 41.0])])
    assert found[0].psnr == pytest.approx(40.5 - 39.69)
    assert found[0].ssim == pytest.approx(0.5 - 0.9969)
    assert not found[0].reached


def test_claims_are_judged_on_paired_differences() -> None:
    """Noise that both share cancels; a difference within its own spread does not count."""
    hard = [5.0, 20.0, 40.0]
    inverse = result("black_box_same_set", "conv1", "inverse_network", hard)
    easier = result(
        "white_box", "conv1", "rmle", [p - d for p, d in zip(hard, (3, 2.9, 3.1), strict=True)]
    )
    by_claim = {f.claim.sentence: f for f in findings([inverse, easier])}
    better = by_claim["With the training images, Inverse-Network beats rMLE"]
    assert better.verdict == "confirmed, 1 of 1"
    assert better.differences["lenet/conv1"].value == pytest.approx(3.0)
    similar = by_claim["Black-box attacks by Inverse-Network are as good as white-box ones by rMLE"]
    assert similar.verdict == "contradicted, 0 of 1"

    unclear = result(
        "white_box", "conv1", "rmle", [p - d for p, d in zip(hard, (4.5, -8, 2), strict=True)]
    )
    by_claim = {f.claim.sentence: f for f in findings([inverse, unclear])}
    assert by_claim[better.claim.sentence].verdict == "contradicted, 0 of 1"


@pytest.mark.parametrize("sweep", SWEEPS, ids="/".join)
def test_a_sweep_attacks_behind_every_layer_in_a_setting_that_allows_it(
    sweep: tuple[str, str, str],
) -> None:
    runs = sweep_runs(sweep)
    assert [run.scenario.target.split for run in runs] == list(networks()[sweep[1]].splits)
    for run in runs:
        run.check()


@pytest.mark.parametrize("value", ["Infinity", "NaN", "1e999"])
def test_fields_that_no_result_could_hold_are_refused_before_any_work(
    value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["bench", "--only", "white_box/lenet/conv1", "--attack", "rmle"]
    assert main([*command, "--field", f"step_size={value}", "--results", str(tmp_path)]) == 2
    assert "no result could hold the fields of rmle" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("white_box/lenet/relu2", "lenet_decoder_relu2-rand_set"),
        ("white_box_same_dist/cifar_cnn/relu22", "cifar_cnn_decoder_relu22-same_dist"),
    ],
)
def test_a_descent_begins_with_the_decoder_that_is_published(key: str, name: str) -> None:
    run = Run(scenario(key), "refined_descent")
    published = {each.checkpoint_name(): each for each in further_runs()}
    assert run.checkpoint_name() == name
    assert run.recipe() == published[name].recipe()
