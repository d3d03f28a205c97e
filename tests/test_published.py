"""What is published: every checkpoint accounted for, and none has seen an evaluation image."""

from __future__ import annotations

import pytest
import torch
from splitzoo.bench import Run, evaluation_set
from splitzoo.bench.referee.offline import recipe_of, trainable
from splitzoo.zoo import Record, holding, load_judge, load_network, manifest
from splitzoo.zoo.cards import FOLDER, card, card_path

RECORDS = list(manifest().records.values())


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_no_checkpoint_was_trained_on_an_evaluation_image(record: Record) -> None:
    """The index sets behind the record's digest, against those of the evaluation images."""
    images = record.training["images"]
    if isinstance(images, str):
        assert images.startswith(("Gaussian noise", "procedural images"))
        assert record.training["recipe"]["setting"] == "black_box_rand_set"
        return
    known = [holding(record.dataset, name) for name in ("training_set", "same_distribution")]
    held = next(each for each in known if each.describe() == images)
    if held.part == "test":
        reserve = holding(record.dataset, "reserve").indices
        assert torch.isin(evaluation_set(record.dataset, "standard").indices, reserve).all()
        assert not torch.isin(held.indices, reserve).any()
        assert len(held.indices) == 9_000
    else:
        assert held.part == "train"


def test_the_two_holdings_do_not_overlap() -> None:
    for dataset in ("mnist", "cifar10"):
        parts = [holding(dataset, name).part for name in ("training_set", "same_distribution")]
        assert parts == ["train", "test"]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_every_record_says_how_to_make_it_again(record: Record) -> None:
    assert record.name in trainable()
    assert record.training["command"] == f"splitzoo train {record.name}"
    assert record.training["recipe"] == recipe_of(record.name)
    what = trainable()[record.name]
    if isinstance(what, Run):
        assert what.published() == record
        images = record.training["images"]
        held = int(images.split()[2]) if isinstance(images, str) else images["count"]
        if record.kind == "decoder" and not isinstance(images, str):
            learned = held - 256  # held out; the others are asked again until they are enough
            held = learned * -(-record.training["recipe"]["queries"] // learned)
        query_free = what.scenario.setting.family == "query_free"
        assert record.training["queries"] == (0 if query_free else held)


def test_everything_trainable_is_published() -> None:
    """Three targets, two judges, 15 Inverse-Networks, 20 + 9 shadow models, 5 fitted ones, nine
    decoders and six more with a copy of the edge."""
    kinds = [record.kind for record in RECORDS]
    counts = {kind: kinds.count(kind) for kind in kinds}
    assert counts == {"target": 3, "judge": 2, "inverse": 15, "shadow": 34, "decoder": 15}
    assert set(trainable()) == set(manifest().records)


def test_every_network_loads_as_its_record_says() -> None:
    for record in RECORDS:
        if record.kind != "target":
            network = load_network(record.name)
            assert not network.training
            assert not any(parameter.requires_grad for parameter in network.parameters())


def test_every_checkpoint_has_its_card() -> None:
    for record in RECORDS:
        text = card_path(record.name).read_text("utf-8")
        assert text == card(record)
        assert record.sha256 in text
    assert {path.stem for path in FOLDER.iterdir()} == {record.name for record in RECORDS}


@pytest.mark.parametrize(("dataset", "bar"), [("mnist", 0.994), ("cifar10", 0.92)])
def test_the_judges_are_good_and_independent(dataset: str, bar: float) -> None:
    record = manifest().get(f"{dataset}_judge")
    assert record.reached["test_accuracy"] >= bar
    targets = [r for r in RECORDS if r.kind == "target" and r.dataset == dataset]
    assert all(target.seed != record.seed for target in targets)
    secrets = evaluation_set(dataset, "standard").images
    with torch.no_grad():
        hits = load_judge(dataset)(secrets.floats()).argmax(1) == secrets.labels
    accuracy = hits.float().mean().item()
    assert accuracy == pytest.approx(record.reached["evaluation_accuracy"], abs=0.011)


def test_the_whitening_of_the_judge_whitens() -> None:
    """Its first half of filters maps 2×2 patches to uncorrelated values of unit variance."""
    from splitzoo.zoo.judges import JUDGES, Judge

    secrets = evaluation_set("cifar10", "standard").images.floats()
    judge = Judge(JUDGES["cifar10"])
    judge.fit_whitening(secrets)
    with torch.no_grad():
        values = judge.whiten(judge.normalize(secrets)) - judge.whiten.bias.view(-1, 1, 1)
    flat = values[:, :12].transpose(0, 1).flatten(1)
    covariance = flat @ flat.T / flat.shape[1]
    spread = covariance.diagonal()
    assert (spread <= 1.001).all()
    assert spread.max() > 0.99
    assert (covariance - torch.diag(spread)).abs().max() < 1e-3
