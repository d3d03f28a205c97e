"""From a record to the bytes of its checkpoint: in this checkout, else from the Hub; verified."""

from __future__ import annotations

import hashlib
from pathlib import Path

from .errors import CheckpointError
from .hub import discard, fetch
from .manifests import FOLDER, manifest
from .records import Record


def resolve(record: Record) -> Path:
    """Path of a published checkpoint: in this checkout, else from the Hub at its pinned commit."""
    local = FOLDER / record.file
    if local.is_file():
        return local
    hub = manifest().hub
    if hub is None:
        raise CheckpointError(
            f"{local} is missing and no Hub repository has been published; restore it with "
            f"`git checkout -- zoo/checkpoints/{record.file}` or make it with "
            f"`splitzoo train {record.name}`"
        )
    return fetch(hub.repo_id, record.file, revision=hub.revision)


def read_verified(record: Record) -> tuple[Path, bytes]:
    """Path and bytes of a published checkpoint. CheckpointError unless its sha256 is the record's.

    A damaged file from the Hub does not stay in the cache.
    """
    file = resolve(record)
    content = read_bytes(file)
    if is_whole(content, record):
        return file, content
    problem = (
        f"{file} is damaged: its sha256 is not the manifest's ({len(content)} bytes, "
        f"{record.bytes} expected); "
    )
    if file.parent == FOLDER:
        raise CheckpointError(
            f"{problem}delete it and restore it, e.g. with "
            f"`git checkout -- zoo/checkpoints/{record.file}`"
        )
    discard(file)
    raise CheckpointError(f"{problem}it has been deleted: run `splitzoo download {record.name}`")


def is_whole(content: bytes, record: Record) -> bool:
    """Whether these are the bytes that the record was made of."""
    return hashlib.sha256(content).hexdigest() == record.sha256


def read_bytes(file: Path) -> bytes:
    """The bytes of a checkpoint. CheckpointError where they cannot be had."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"{file} cannot be read: {error.strerror}; check the path of the checkpoint"
        ) from error
    except ValueError as error:  # NUL, or characters that no path can hold
        raise CheckpointError(f"{str(file)!r} is not a path: {error}; check it") from error
