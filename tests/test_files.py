"""No torn file, whatever happens while it is written."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from splitzoo.zoo import StorageError
from splitzoo.zoo.files import (
    ensure_writable,
    storage_errors,
    sweep_unfinished,
    write_atomically,
)
from splitzoo.zoo.tensor_files import write_tensors


def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "result.json"
    write_atomically(path, b"old")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"No space left on device; free some space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]


def test_equal_tensors_make_equal_bytes(tmp_path: Path) -> None:
    """Or a checkpoint that is trained again would not have its published hash."""
    path = tmp_path / "weights.safetensors"
    tensors = {"weight": torch.arange(3.0), "kept": torch.tensor([True])}
    metadata = {"format": "pt", "architecture": '{"größe": 1}', "b": "2", "a": "1", "c": "3"}
    found = set()
    for order in (metadata, dict(reversed(metadata.items()))):
        for _ in range(10):
            write_tensors(path, tensors, order)
            found.add(path.read_bytes())
    assert len(found) == 1
    with safe_open(path, "pt") as file:
        assert file.metadata() == metadata
        assert torch.equal(file.get_tensor("weight"), tensors["weight"])
        assert torch.equal(file.get_tensor("kept"), tensors["kept"])


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_only_a_full_disk_is_answered_with_space(number: int) -> None:
    assert "free some space" in refusal(number)


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOTDIR, "there is a file where a folder should be; choose a folder"),
        (errno.EEXIST, "there is a file where a folder should be; choose a folder"),
        (errno.EISDIR, "choose another folder"),
        (errno.EACCES, "choose a folder you may write to"),
        (errno.EPERM, "choose a folder you may write to"),
        (errno.EROFS, "choose a folder you may write to"),
        (errno.ENAMETOOLONG, "choose a shorter path"),
        (errno.EIO, "choose another folder"),
    ],
)
def test_each_refusal_has_its_own_remedy(number: int, remedy: str) -> None:
    assert refusal(number).endswith(remedy)
    assert "space" not in refusal(number)


def refusal(number: int) -> str:
    with pytest.raises(StorageError) as caught, storage_errors(Path("results")):
        raise OSError(number, os.strerror(number))
    return str(caught.value)


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="there is a file where a folder should be"):
        write_atomically(tmp_path / "file" / "result.json", b"new")
    with pytest.raises(StorageError, match="there is a file where a folder should be"):
        ensure_writable(tmp_path / "file")


def test_a_path_that_is_too_long(tmp_path: Path) -> None:
    for refuse in (ensure_writable, sweep_unfinished):
        with pytest.raises(StorageError, match="choose a shorter path"):
            refuse(tmp_path / ("a" * 300))


def test_a_process_killed_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_atomically(path, b"old")
    code = f"""
import os, signal
from pathlib import Path
from splitzoo.zoo.files import write_atomically
os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
write_atomically(Path({str(path)!r}), b"new")
"""
    killed = subprocess.run([sys.executable, "-c", code])
    assert killed.returncode < 0
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 2  # what it was writing is still there
    sweep_unfinished(tmp_path)
    assert list(tmp_path.iterdir()) == [path]


def test_sweeping_spares_a_running_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def look(handle: int) -> None:
        sweep_unfinished(tmp_path)
        seen.extend(tmp_path.iterdir())

    monkeypatch.setattr(os, "fsync", look)
    write_atomically(tmp_path / "result.json", b"new")
    assert len(seen) == 1
    assert (tmp_path / "result.json").read_bytes() == b"new"


def test_changes_made_alone_are_all_kept(tmp_path: Path) -> None:
    """Four processes add twenty entries each to one JSON file; none overwrites another's."""
    path = tmp_path / "shared.json"
    path.write_text("[]")
    code = f"""
import json, pathlib
from splitzoo.zoo.files import alone, write_text
path = pathlib.Path({str(path)!r})
for _ in range(20):
    with alone(path):
        entries = json.loads(path.read_text())
        write_text(path, json.dumps([*entries, len(entries)]))
"""
    writers = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]
    assert [writer.wait() for writer in writers] == [0] * 4
    assert json.loads(path.read_text()) == list(range(80))
