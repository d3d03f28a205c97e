"""torch.hub from GitHub as a user writes it: its own code from the tag to the network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from github_server import GitHub, serving
from splitzoo.zoo import load_split

ARCHIVE = "github.com/owner/splitzoo/zipball/"
load: Any = torch.hub.load


@pytest.fixture
def small(repository: Path, tmp_path: Path) -> Path:
    """A checkout that holds what loading LeNet takes, and nothing else."""
    small = tmp_path / "small"
    (small / "zoo" / "checkpoints").mkdir(parents=True)
    shutil.copy(repository / "hubconf.py", small)
    for room in (".", "targets", "datasets", "defences"):
        (small / "zoo" / room).mkdir(exist_ok=True)
        for path in (repository / "zoo" / room).iterdir():
            if path.suffix in (".py", ".pyi", ".json"):
                shutil.copy(path, small / "zoo" / room)
    shutil.copy(repository / "zoo/checkpoints/lenet.safetensors", small / "zoo/checkpoints")
    return small


@pytest.fixture
def github(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHub]:
    """GitHub, as torch.hub meets it on a fresh machine."""
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(GitHub({"v1.0": small, "main": small})) as served:
        monkeypatch.setattr(torch.hub, "urlopen", served.urlopen)
        yield served


def test_a_tag_loads_and_is_then_in_the_cache(
    github: GitHub, tmp_path: Path, digits: torch.Tensor
) -> None:
    model = load("owner/splitzoo:v1.0", "lenet_split_relu2", trust_repo=True)
    assert torch.equal(model(digits), load_split("lenet", "relu2")(digits))
    assert github.asked[-1] == f"{ARCHIVE}v1.0"
    assert any("/tags?" in path for path in github.asked)
    assert (tmp_path / "hub" / "trusted_list").read_text("utf-8") == "owner_splitzoo\n"

    asked = list(github.asked)
    load("owner/splitzoo:v1.0", "lenet_split_conv1", trust_repo=True)
    load("owner/splitzoo:v1.0", "lenet_split_conv1", trust_repo="check")  # asks no more
    assert github.asked == asked
    load("owner/splitzoo:v1.0", "lenet_split_conv1", trust_repo=True, force_reload=True)
    assert github.asked.count(f"{ARCHIVE}v1.0") == 2


def test_without_a_tag_it_is_the_main_branch(github: GitHub) -> None:
    load("owner/splitzoo", "lenet_split_relu2", trust_repo=True)
    assert github.asked[-1] == f"{ARCHIVE}main"


def test_two_tags_keep_their_own_networks(github: GitHub, small: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(small, tmp_path / "other"))
    lenet = other / "zoo" / "targets" / "lenet.py"
    lenet.write_text(lenet.read_text("utf-8").replace("nn.Linear(120, 84)", "nn.Linear(120, 85)"))
    github.trees["v2.0"] = other
    sizes = [
        load(
            f"owner/splitzoo:{tag}", "lenet_split_relu2", trust_repo=True, weights=None
        ).cloud.fc2.out_features
        for tag in ("v1.0", "v2.0", "v1.0")
    ]
    assert sizes == [84, 85, 84]


def test_a_tag_that_is_not_there(github: GitHub) -> None:
    with pytest.raises(ValueError, match=r"Cannot find v9\.9"):
        load("owner/splitzoo:v9.9", "lenet_split_relu2", trust_repo=True)


def test_without_trust_a_person_is_asked(github: GitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda question: "n")
    with pytest.raises(Exception, match="Untrusted repository"):
        load("owner/splitzoo:v1.0", "lenet_split_relu2", trust_repo="check")
    assert github.asked == []
    monkeypatch.setattr("builtins.input", lambda question: "y")
    load("owner/splitzoo:v1.0", "lenet_split_relu2", trust_repo="check")


def test_past_githubs_limit_the_archive_still_comes(github: GitHub) -> None:
    """torch.hub answers the refusal with a KeyError; the README says what to do then."""
    github.limited = True
    with pytest.raises(KeyError, match="Authorization"):
        load("owner/splitzoo:v1.0", "lenet_split_relu2", trust_repo=True)
    load("owner/splitzoo:v1.0", "lenet_split_relu2", trust_repo=True, skip_validation=True)
    assert github.asked[-1] == f"{ARCHIVE}v1.0"


READ_ONLY = """
import errno, os, sys
import torch
checkout = os.path.realpath(sys.argv[1])

def refuse(event, arguments):
    path = arguments[0] if arguments else None
    if not isinstance(path, (str, os.PathLike)):
        return
    writes = event in ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.utime", "os.chmod")
    if event == "open":
        writes = bool((arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
    if writes and os.path.realpath(path).startswith(checkout):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

sys.addaudithook(refuse)
try:
    open(os.path.join(checkout, "written"), "w")
    raise SystemExit("the checkout can be written")
except OSError:
    pass
model = torch.hub.load(checkout, "lenet_split_relu2", source="local")
assert model(torch.rand(1, 1, 28, 28)).shape == (1, 10)
"""


def test_a_read_only_checkout_loads(small: Path) -> None:
    """Read-only by a hook that refuses every write below it, since root may write anywhere."""

    def tree() -> dict[Path, tuple[int, int]]:
        return {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in [small, *small.rglob("*")]}

    before = tree()
    command = [sys.executable, "-c", READ_ONLY, str(small)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert tree() == before
