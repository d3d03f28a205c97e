"""A checkpoint arrives whole and is the right one, or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch
from splitzoo.zoo import (
    CheckpointError,
    UnknownNameError,
    load_judge,
    load_split,
    manifest,
    resolving,
)
from splitzoo.zoo.loading import read_checkpoint, write_checkpoint
from splitzoo.zoo.manifests import FOLDER, HubLocation, read_manifest

LENET = FOLDER / "lenet.safetensors"


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The published LeNet in a folder where it may be damaged."""
    monkeypatch.setattr(resolving, "FOLDER", tmp_path)
    return Path(shutil.copy(LENET, tmp_path))


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("position", [0, 9, 100, 5_000, -1])
def test_one_flipped_bit_is_found_anywhere(copied: Path, position: int) -> None:
    load_split("lenet", "relu2")
    flip(copied, position)
    with pytest.raises(CheckpointError, match=r"lenet\.safetensors is damaged.*git checkout"):
        load_split("lenet", "relu2")


@pytest.mark.parametrize("position", [0, 9, 5_000, -1])
def test_one_flipped_bit_is_found_in_a_checkpoint_of_ones_own(
    tmp_path: Path, position: int
) -> None:
    own = Path(shutil.copy(LENET, tmp_path / "own.safetensors"))
    load_split("lenet", "relu2", path=own)
    flip(own, position)
    with pytest.raises(CheckpointError, match=r"own\.safetensors"):
        load_split("lenet", "relu2", path=own)


@pytest.mark.parametrize("size", [0, 4, 300, 100_000])
def test_a_truncated_file(copied: Path, size: int) -> None:
    copied.write_bytes(copied.read_bytes()[:size])
    with pytest.raises(CheckpointError, match="damaged"):
        load_split("lenet", "relu2")
    with pytest.raises(CheckpointError, match="truncated or damaged"):
        load_split("lenet", "relu2", path=copied)


def test_a_missing_file(copied: Path) -> None:
    copied.unlink()
    with pytest.raises(CheckpointError, match=r"no Hub repository.*git checkout"):
        load_split("lenet", "relu2")
    with pytest.raises(CheckpointError, match="check the path"):
        load_split("lenet", "relu2", path=copied)


def test_a_moving_revision_is_refused() -> None:
    with pytest.raises(CheckpointError, match="40-digit commit"):
        HubLocation("owner/splitzoo", "main")


def test_another_architectures_checkpoint(copied: Path) -> None:
    with pytest.raises(CheckpointError, match="holds lenet, not cifar_cnn"):
        load_split("cifar_cnn", "relu22", path=copied)


def test_tensors_of_other_shapes(tmp_path: Path) -> None:
    own = tmp_path / "own.safetensors"
    state = load_split("lenet", "relu2").layer_state()
    write_checkpoint(own, state | {"conv1.bias": torch.zeros(9)}, {"network": "lenet"})
    with pytest.raises(CheckpointError, match="other names or shapes"):
        load_split("lenet", "relu2", path=own)


def test_a_foreign_safetensors_file(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(CheckpointError, match="not written by splitzoo"):
        read_checkpoint(tmp_path / "foreign.safetensors", {"network": "lenet"})


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_is_named_as_one_and_never_loaded(tmp_path: Path, zipped: bool) -> None:
    own = tmp_path / "own.pt"
    state = load_split("lenet", "relu2").layer_state()
    torch.save(state, own, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=r"pickle.*load_split\(.*\)\.load_layers") as caught:
        load_split("lenet", "relu2", path=own)
    assert "weights_only=True" in str(caught.value)
    with pytest.raises(CheckpointError, match=r"pickle.*load_state_dict"):
        load_judge("mnist", path=own)


def test_a_truncated_file_that_begins_with_a_pickles_byte_is_no_pickle(tmp_path: Path) -> None:
    own = tmp_path / "own.safetensors"
    own.write_bytes((640).to_bytes(8, "little") + b"{")  # b"\x80\x02" and six zeros
    with pytest.raises(CheckpointError, match="truncated or damaged"):
        load_split("lenet", "relu2", path=own)


@pytest.mark.parametrize("path", ["a" * 300, "a\x00b", "a\ud800b"])
def test_a_path_that_cannot_be(path: str) -> None:
    with pytest.raises(CheckpointError, match="check"):
        load_split("lenet", "relu2", path=path)


@pytest.mark.parametrize("weights", ["DEFAULT", "Default", "defualt"])
def test_weights_as_torchvision_spells_them_are_hinted_at(weights: str) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'default'"):
        load_split("lenet", "relu2", weights=weights)


def test_every_record_matches_its_file() -> None:
    assert set(manifest().records) >= {"lenet", "cifar_cnn"}
    for record in manifest().records.values():
        content = (FOLDER / record.file).read_bytes()
        assert len(content) == record.bytes
        assert hashlib.sha256(content).hexdigest() == record.sha256
    assert {path.name for path in FOLDER.iterdir()} == {r.file for r in manifest().records.values()}


def test_the_targets_are_as_good_as_promised() -> None:
    assert manifest().get("lenet").reached["test_accuracy"] >= 0.99
    assert manifest().get("cifar_cnn").reached["test_accuracy"] >= 0.85


def test_an_unknown_checkpoint() -> None:
    with pytest.raises(UnknownNameError, match="the nearest are resnet20, lenet"):
        manifest().get("resnet")


@pytest.mark.parametrize("file", ["../escape.safetensors", "/abs.safetensors", "a/b.safetensors"])
def test_a_manifest_cannot_point_outside_its_folder(tmp_path: Path, file: str) -> None:
    path = tmp_path / "manifest.json"
    content = json.loads((FOLDER.parent / "manifest.json").read_text("utf-8"))
    content["checkpoints"]["lenet"]["file"] = file
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(CheckpointError, match="plain safetensors file name"):
        read_manifest(path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"checkpoints": {"a": {}}, "hub": {}}'])
def test_a_malformed_manifest(tmp_path: Path, text: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(text, "utf-8")
    with pytest.raises(CheckpointError, match="restore it"):
        read_manifest(path)
