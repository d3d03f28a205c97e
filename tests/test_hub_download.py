"""Checkpoints from the Hub, with its real client against a Hub on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hub_server import FIRST, HERE, Hub, only_asking, serving
from huggingface_hub import constants
from splitzoo.bench.cli import main
from splitzoo.bench.commands import download
from splitzoo.zoo import (
    AutoNetwork,
    CheckpointError,
    MisuseError,
    Target,
    UnknownNameError,
    load_inverse,
    load_split,
    loading,
    manifest,
    resolving,
)
from splitzoo.zoo.manifests import FOLDER, HubLocation, Manifest, fields_of

SMALL = "cifar_cnn_inverse_conv11-same_set"
NAMES = ("lenet", SMALL)
RECORDS = {name: manifest().get(name) for name in NAMES}
FILE = RECORDS[SMALL].file


@pytest.fixture
def hub() -> Iterator[Hub]:
    """Two networks, published."""
    records = {name: fields_of(record) for name, record in RECORDS.items()}
    files = {record.file: (FOLDER / record.file).read_bytes() for record in RECORDS.values()}
    files["config.json"] = json.dumps({"checkpoints": records}).encode()
    with serving(Hub(files={FIRST: files})) as served:
        yield served


@pytest.fixture
def client(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A checkout without checkpoints, whose manifest pins the first commit; the Hub's cache."""
    monkeypatch.setattr(resolving, "FOLDER", tmp_path / "checkpoints")
    pinned = Manifest(RECORDS, HubLocation(hub.repo_id, FIRST))
    for module in (resolving, loading, download):
        monkeypatch.setattr(module, "manifest", lambda: pinned)
    with only_asking(hub, tmp_path, monkeypatch):
        yield tmp_path / "cache"


def error(capsys: pytest.CaptureFixture[str]) -> str:
    lines = [line for line in capsys.readouterr().err.splitlines() if "error: " in line]
    assert len(lines) == 1
    assert lines[0].startswith("splitzoo: error: ")
    return lines[0]


def files_in(cache: Path) -> set[str]:
    """Contents and names of what the cache holds of the repository."""
    return {path.name for path in cache.rglob("*") if path.is_file() and ".locks" not in path.parts}


def test_what_was_downloaded_once_is_loaded_without_asking(
    hub: Hub, client: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["download", SMALL]) == 0
    out = capsys.readouterr().out
    assert f"{SMALL}: verified, {client}" in out
    asked = list(hub.asked)
    resolve = f"/owner/zoo/resolve/{FIRST}/{FILE}"
    assert asked == [f"HEAD {resolve}", f"GET /content/{RECORDS[SMALL].sha256}"]
    features = torch.rand(2, 64, 32, 32)
    assert torch.equal(
        load_inverse("cifar_cnn", "conv11")(features),
        load_inverse("cifar_cnn", "conv11", path=FOLDER / FILE)(features),
    )
    assert main(["download", SMALL]) == 0
    assert hub.asked == asked


def test_all_of_them(hub: Hub, client: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["download", "--all"]) == 0
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == [*NAMES]
    assert load_split("lenet", "relu2")(torch.rand(1, 1, 28, 28)).shape == (1, 10)


def test_a_checkout_that_holds_them_asks_nobody(
    hub: Hub, client: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolving, "FOLDER", FOLDER)
    assert main(["download", "--all"]) == 0
    assert hub.asked == []


def test_no_hub_repository_is_said_plainly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(download, "manifest", lambda: Manifest(RECORDS, None))
    assert main(["download", "lenet"]) == 0
    said, verified = capsys.readouterr().out.splitlines()
    assert said == "No Hub repository has been published; every checkpoint comes with the checkout."
    assert verified.startswith("lenet: verified, ")


@pytest.mark.parametrize("arguments", [[], ["lenet", "--all"], ["resnet99"]])
def test_misuse(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["download", *arguments]) == 2
    assert error(capsys)


@pytest.mark.parametrize(
    ("status", "code", "remedy"),
    [
        (404, "EntryNotFound", "no such file; check the repository, the revision and the name"),
        (404, "RevisionNotFound", "no such revision; check"),
        (404, "RepoNotFound", "no such repository, or it is private; check"),
        (401, "RepoNotFound", "or it is private; log in with `hf auth login`, or set HF_TOKEN"),
        (401, None, "401 Unauthorized; log in with `hf auth login`, or set HF_TOKEN"),
        (403, "GatedRepo", "grants access one by one; log in"),
        (429, None, "429 Too Many Requests; wait some minutes and try again"),
        (503, None, "503 Service Unavailable; try again later"),
    ],
)
def test_a_refusal_is_one_line_with_its_remedy(
    status: int,
    code: str | None,
    remedy: str,
    hub: Hub,
    client: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    hub.status, hub.error_code = status, code
    assert main(["download", "lenet"]) == 1
    line = error(capsys)
    assert remedy in line
    assert f"({hub.endpoint})" in line
    hub.status = None
    assert main(["download", "lenet"]) == 0


def test_a_server_that_is_not_there(
    client: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", "http://127.0.0.1:9/{repo_id}/{filename}"
    )
    assert main(["download", "lenet"]) == 1
    assert "check the network, and HF_ENDPOINT if it is set" in error(capsys)


def test_offline_loads_what_the_cache_holds_and_nothing_else(
    hub: Hub, client: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["download", SMALL]) == 0
    asked = list(hub.asked)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert main(["download", SMALL]) == 0
    load_inverse("cifar_cnn", "conv11")
    assert main(["download", "lenet"]) == 1
    assert "offline mode is on and the cache does not have it; unset HF_HUB_OFFLINE" in error(
        capsys
    )
    assert hub.asked == asked


def test_a_connection_that_is_cut_is_taken_up_where_it_broke(
    hub: Hub, client: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)
    hub.cuts = 2
    assert main(["download", "lenet"]) == 0
    begins = [int(each.removeprefix("bytes=").rstrip("-")) for each in hub.ranges if each]
    assert hub.ranges[0] is None
    size = RECORDS["lenet"].bytes
    assert 0 < begins[0] <= size // 2 < begins[1] < size


def test_a_connection_that_is_always_cut_leaves_nothing_behind(
    hub: Hub, client: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.cuts = 1000
    assert main(["download", SMALL]) == 1
    assert "check the network" in error(capsys)
    assert FILE not in files_in(client)
    hub.cuts = 0
    assert main(["download", SMALL]) == 0


def test_a_flipped_bit_is_refused_and_does_not_stay(
    hub: Hub, client: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.flips = True
    assert main(["download", SMALL]) == 1
    line = error(capsys)
    assert "its sha256 is not the manifest's" in line
    assert f"it has been deleted: run `splitzoo download {SMALL}`" in line
    assert files_in(client) <= {"CACHEDIR.TAG"}
    with pytest.raises(CheckpointError, match="deleted"):
        load_inverse("cifar_cnn", "conv11")
    hub.flips = False
    assert main(["download", SMALL]) == 0


def test_a_branch_that_moves_changes_nothing(hub: Hub, client: Path) -> None:
    hub.head = "2" * 40
    hub.files[hub.head] = dict.fromkeys(hub.files[FIRST], b"another")
    assert main(["download", "--all"]) == 0
    heads = hub.counted("HEAD")
    assert heads
    assert all(f"/resolve/{FIRST}/" in path for path in heads)


CHILD = """
import sys
from pathlib import Path
from splitzoo.bench.cli import main
from splitzoo.bench.commands import download
from splitzoo.zoo import resolving
from splitzoo.zoo.manifests import HubLocation, Manifest, read_manifest
pinned = Manifest(read_manifest().records, HubLocation("owner/zoo", "1" * 40))
resolving.FOLDER = Path("nowhere")
resolving.manifest = download.manifest = lambda: pinned
raise SystemExit(main(["download", *sys.argv[1:]]))
"""


def start(hub: Hub, home: Path, *arguments: str) -> subprocess.Popen[str]:
    """`splitzoo download` in a process of its own, which knows of the endpoint as users say it."""
    environment = {**os.environ, "HF_ENDPOINT": hub.endpoint, "HF_HOME": str(home)}
    environment |= {"NO_PROXY": HERE, "HF_TOKEN": "of-the-user"}
    command = [sys.executable, "-c", CHILD, *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)


def test_two_processes_at_once_from_another_endpoint(hub: Hub, tmp_path: Path) -> None:
    processes = [start(hub, tmp_path / "home", "lenet") for _ in range(2)]
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert "lenet: verified, " in out
        assert "Traceback" not in err
    cached = tmp_path / "home/hub/models--owner--zoo/snapshots" / FIRST / "lenet.safetensors"
    assert cached.read_bytes() == (FOLDER / "lenet.safetensors").read_bytes()
    assert not list(tmp_path.rglob("*.incomplete"))
    assert "Bearer of-the-user" in hub.tokens


def test_from_pretrained_gives_what_the_loaders_give(hub: Hub, client: Path) -> None:
    target = AutoNetwork.from_pretrained("owner/zoo", name="lenet_split_relu2", revision=FIRST)
    images = torch.rand(3, 1, 28, 28)
    ours = load_split("lenet", "relu2", path=FOLDER / "lenet.safetensors")
    assert isinstance(target, Target)
    assert not target.training
    assert torch.equal(target.edge(images), ours.edge(images))
    assert torch.equal(target(images), ours(images))
    inverse = AutoNetwork.from_pretrained("owner/zoo", name=SMALL, revision=FIRST)
    features = torch.rand(2, 64, 32, 32)
    expected = load_inverse("cifar_cnn", "conv11", path=FOLDER / FILE)
    assert torch.equal(inverse(features), expected(features))
    inverse = AutoNetwork.from_pretrained(
        "owner/zoo", name=SMALL.removesuffix("-same_set"), revision=FIRST
    )
    assert torch.equal(inverse(features), expected(features))
    asked = list(hub.asked)
    AutoNetwork.from_pretrained("owner/zoo", name="lenet_split_conv1", revision=FIRST)
    assert hub.asked == asked


def test_from_pretrained_of_a_branch_follows_it(hub: Hub, client: Path) -> None:
    AutoNetwork.from_pretrained("owner/zoo", name=SMALL)
    assert all("/resolve/main/" in path for path in hub.counted("HEAD"))


def test_from_pretrained_of_a_folder_asks_nobody(hub: Hub, client: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, content in hub.files[FIRST].items():
        (folder / name).write_bytes(content)
    AutoNetwork.from_pretrained(folder, name="lenet_split_relu2")
    shutil.copy(FOLDER / "mnist_judge.safetensors", folder / FILE)
    with pytest.raises(CheckpointError, match=r"not that of config\.json"):
        AutoNetwork.from_pretrained(folder, name=SMALL)
    assert (folder / FILE).exists()
    (folder / FILE).unlink()
    with pytest.raises(CheckpointError, match="cannot be read"):
        AutoNetwork.from_pretrained(folder, name=SMALL)
    assert hub.asked == []


def test_from_pretrained_refuses_a_flipped_bit(hub: Hub, client: Path) -> None:
    hub.flips = True
    with pytest.raises(CheckpointError, match=r"not that of config\.json"):
        AutoNetwork.from_pretrained("owner/zoo", name=SMALL, revision=FIRST)
    hub.flips = False
    AutoNetwork.from_pretrained("owner/zoo", name=SMALL, revision=FIRST)


def test_a_network_that_is_not_known_here_does_not_stand_in_the_way(hub: Hub, client: Path) -> None:
    """A later version may publish more than this one can build."""
    config = json.loads(hub.files[FIRST]["config.json"])
    newer = {**config["checkpoints"]["lenet"], "architecture": {"network": "newer"}}
    config["checkpoints"]["newer"] = newer
    hub.files[FIRST]["config.json"] = json.dumps(config).encode()
    AutoNetwork.from_pretrained("owner/zoo", name="lenet_split_relu2", revision=FIRST)
    with pytest.raises(UnknownNameError, match="newer"):
        AutoNetwork.from_pretrained("owner/zoo", name="newer", revision=FIRST)


def test_from_pretrained_says_what_is_wrong(hub: Hub, client: Path, tmp_path: Path) -> None:
    load = AutoNetwork.from_pretrained
    with pytest.raises(UnknownNameError, match="did you mean 'lenet_split_relu2'"):
        load("owner/zoo", name="lenet_split_relu22", revision=FIRST)
    with pytest.raises(UnknownNameError, match="known are lenet_split_conv1"):
        load("owner/zoo", revision=FIRST)
    with pytest.raises(CheckpointError, match="there is no such repository"):
        load("owner/other", name="lenet")
    with pytest.raises(CheckpointError, match="no such revision"):
        load("owner/zoo", name="lenet", revision="v9")
    with pytest.raises(MisuseError, match="OWNER/NAME"):
        load("a/b/c", name="lenet")
    hub.head = "3" * 40
    hub.files[hub.head] = {"config.json": b'{"model_type": "bert"}'}
    with pytest.raises(CheckpointError, match="that `splitzoo publish` made"):
        load("owner/zoo", name="lenet")
    with pytest.raises(CheckpointError, match="that `splitzoo publish` made"):
        load(tmp_path, name="lenet")
    with pytest.raises(MisuseError, match="from_pretrained"):
        AutoNetwork()
