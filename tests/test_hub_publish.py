"""Publishing with the Hub's real client, to a Hub on this machine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hub_server import FIRST, Hub, only_asking, serving
from huggingface_hub import ModelCard
from splitzoo.bench.cli import main
from splitzoo.bench.commands import download
from splitzoo.zoo import (
    AutoNetwork,
    MisuseError,
    load_split,
    manifest,
    manifests,
    publishing,
    resolving,
)
from splitzoo.zoo.cards import card
from splitzoo.zoo.manifests import FOLDER, PATH, Manifest, read_manifest

#: Of the client's own upload, to its own HTTP library.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>':DeprecationWarning")

NAMES = ("lenet", "cifar_cnn_inverse_conv11-same_set")
RECORDS = {name: manifest().get(name) for name in NAMES}
EXPECTED = {record.file for record in RECORDS.values()} | {f"cards/{name}.md" for name in NAMES}
EXPECTED |= {"README.md", "LICENSE", "config.json"}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """An empty Hub, and a checkout that has two networks to publish."""
    monkeypatch.setattr(publishing, "manifest", lambda: Manifest(RECORDS, None))
    with serving(Hub()) as served, only_asking(served, tmp_path, monkeypatch):
        yield served


def files_of(folder: Path) -> dict[str, bytes]:
    """Contents by path."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_a_dry_run_sends_nothing_and_its_folder_loads(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["publish", "--repo-id", "owner/zoo", "--dry-run", str(out)]) == 0
    assert "nothing was sent" in capsys.readouterr().out
    assert hub.asked == []
    assert set(files_of(out)) == EXPECTED
    network = AutoNetwork.from_pretrained(out, name="lenet_split_relu2")
    images = torch.rand(2, 1, 28, 28)
    assert torch.equal(network(images), load_split("lenet", "relu2")(images))


def test_what_was_published_is_what_downloads(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = Path(shutil.copy(PATH, tmp_path / "manifest.json"))
    monkeypatch.setattr(manifests, "PATH", own)
    out = tmp_path / "out"
    main(["publish", "--repo-id", "owner/zoo", "--dry-run", str(out)])
    assert main(["publish", "--repo-id", "owner/zoo", "--pin"]) == 0
    assert f"published: owner/zoo at commit {hub.head}" in capsys.readouterr().out
    assert hub.head != FIRST
    assert hub.files[hub.head] == files_of(out)

    before, after = (json.loads(path.read_text("utf-8")) for path in (PATH, own))
    assert after["hub"] == {"repo_id": "owner/zoo", "revision": hub.head}
    assert after["checkpoints"] == before["checkpoints"]
    pinned = read_manifest(own)
    monkeypatch.setattr(resolving, "FOLDER", tmp_path / "none")
    for module in (resolving, download):
        monkeypatch.setattr(module, "manifest", lambda: pinned)
    assert main(["download", *NAMES]) == 0
    AutoNetwork.from_pretrained("owner/zoo", name=NAMES[1], revision=hub.head)


def test_without_pin_it_says_what_to_write(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    before = PATH.read_bytes()
    assert main(["publish", "--repo-id", "owner/zoo"]) == 0
    written = {"repo_id": "owner/zoo", "revision": hub.head}
    assert f'"hub": {json.dumps(written)}' in capsys.readouterr().out
    assert PATH.read_bytes() == before


def test_the_hub_can_read_the_cards(hub: Hub, tmp_path: Path) -> None:
    publishing.build_repository(tmp_path / "out", "owner/zoo")
    top = ModelCard.load(tmp_path / "out" / "README.md")
    assert top.data.license == "mit"
    assert top.data.library_name == "splitzoo"
    assert top.data.datasets == ["cifar10", "mnist"]
    assert all(f"[{name}](cards/{name}.md)" in top.text for name in NAMES)
    assert 'from_pretrained("owner/zoo"' in top.text
    for name in NAMES:
        path = tmp_path / "out" / "cards" / f"{name}.md"
        assert path.read_text("utf-8") == card(RECORDS[name])
        assert ModelCard.load(path).data.license == "mit"


def test_a_damaged_checkpoint_is_not_published(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for record in RECORDS.values():
        shutil.copy(FOLDER / record.file, tmp_path)
    content = (tmp_path / "lenet.safetensors").read_bytes()
    (tmp_path / "lenet.safetensors").write_bytes(content[:-1] + b"x")
    monkeypatch.setattr(resolving, "FOLDER", tmp_path)
    assert main(["publish", "--repo-id", "owner/zoo"]) == 1
    assert "is damaged" in capsys.readouterr().err
    assert hub.asked == []


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (401, "log in with `hf auth login`, or set HF_TOKEN, as somebody who may"),
        (403, "log in with `hf auth login`"),
        (429, "wait some minutes"),
        (503, "try again later"),
    ],
)
def test_a_refusal_is_one_line_with_its_remedy(
    status: int, remedy: str, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.status = status
    assert main(["publish", "--repo-id", "owner/zoo"]) == 1
    (line,) = [each for each in capsys.readouterr().err.splitlines() if "error: " in each]
    assert line.startswith("splitzoo: error: owner/zoo could not be published")
    assert remedy in line
    assert hub.head == FIRST


@pytest.mark.parametrize("repo_id", ["zoo", "a/b/c", "", "../zoo", "owner/", "owner/a b"])
def test_a_repository_that_cannot_be(repo_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["publish", "--repo-id", repo_id]) == 2
    assert "is no OWNER/NAME" in capsys.readouterr().err


def test_nothing_that_exists_is_overwritten(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "README.md").write_text("mine", "utf-8")
    with pytest.raises(MisuseError, match="not empty"):
        publishing.build_repository(tmp_path, "owner/zoo")
    assert main(["publish", "--repo-id", "owner/zoo", "--dry-run", str(tmp_path)]) == 2
    assert main(["publish", "--repo-id", "owner/zoo", "--dry-run", "new", "--pin"]) == 2
    assert (tmp_path / "README.md").read_text("utf-8") == "mine"
