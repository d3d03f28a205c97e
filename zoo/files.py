"""Writing files so that a kill or a full disk never leaves a torn one behind."""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from .errors import StorageError

_NO_SPACE = "free some space or choose a folder on another disk"
_NO_FOLDER = "there is a file where a folder should be; choose a folder"
_NOT_ALLOWED = "choose a folder you may write to"

#: What helps against each of the operating system's refusals.
_REMEDIES = {
    errno.ENOSPC: _NO_SPACE,
    errno.EDQUOT: _NO_SPACE,
    errno.ENOTDIR: _NO_FOLDER,
    errno.EEXIST: _NO_FOLDER,
    errno.EISDIR: "there is a folder of that name; move it or choose another folder",
    errno.EACCES: _NOT_ALLOWED,
    errno.EPERM: _NOT_ALLOWED,
    errno.EROFS: _NOT_ALLOWED,
    errno.ENAMETOOLONG: "choose a shorter path",
}


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal to write `path` into one line with a remedy."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        remedy = _REMEDIES.get(error.errno or 0, "choose another folder")
        raise StorageError(f"cannot write {path}: {reason}; {remedy}") from error


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` beside `path`, flush it to the disk, then rename it into place.

    A reader sees the old file or the new one, never a part. What stood at `path` survives a
    full disk. Raises StorageError.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{path.name}.{_writer()}."
        handle, name = tempfile.mkstemp(prefix=prefix, suffix=".part", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o666 & ~_umask())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold `path` against other processes that change it under `alone` too; for a change that
    reads what it then writes anew."""
    with storage_errors(path), FileLock(path.with_name(f".{path.name}.lock")):
        yield


def ensure_writable(folder: Path) -> None:
    """Raise StorageError now, before any work, if nothing can be written into `folder`."""
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass


def sweep_unfinished(folder: Path) -> None:
    """Delete what a killed process of this machine was writing below `folder`.

    Raises StorageError.
    """
    with storage_errors(folder):
        for path in folder.rglob(".*.part"):
            host, _, process = path.name.split(".")[-3].rpartition("-")
            if host == _host() and process.isdigit() and not _is_running(int(process)):
                path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """`write_atomically` for text, encoded as UTF-8 with newlines as they are."""
    write_atomically(path, text.encode("utf-8"))


def _host() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _writer() -> str:
    return f"{_host()}-{os.getpid()}"


def _is_running(process: int) -> bool:
    if os.name == "nt":  # signal 0 would end the process there
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
