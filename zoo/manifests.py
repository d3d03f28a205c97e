"""`manifest.json`: one record for each published checkpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from .errors import CheckpointError, UnknownNameError
from .files import alone, write_text
from .records import KINDS, Record, matches

PATH = Path(__file__).with_name("manifest.json")
FOLDER = Path(__file__).with_name("checkpoints")


@dataclass(frozen=True)
class HubLocation:
    """Where the checkpoints are published: a Hub repository at a pinned commit."""

    repo_id: str
    revision: str

    def __post_init__(self) -> None:
        if not matches(r"[\w.-]+/[\w.-]+", self.repo_id):
            raise CheckpointError("manifest: the Hub repository must be OWNER/NAME")
        if not matches(r"[0-9a-f]{40}", self.revision):
            raise CheckpointError(
                "manifest: the Hub revision must be a 40-digit commit, not a branch"
            )


@dataclass(frozen=True)
class Manifest:
    """All records by name, and the Hub repository if one has been published."""

    records: Mapping[str, Record]
    hub: HubLocation | None

    def get(self, name: str) -> Record:
        """The record of that name; UnknownNameError names the nearest."""
        if name not in self.records:
            raise UnknownNameError("checkpoint", name, self.records, "splitzoo list")
        return self.records[name]


def read_manifest(path: Path = PATH) -> Manifest:
    """Parse a manifest; CheckpointError where it is missing or malformed."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        records = records_of(content)
        hub = content["hub"]
        location = HubLocation(hub["repo_id"], hub["revision"]) if hub["repo_id"] else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"{path} cannot be read ({error}); restore it from the repository"
        ) from error
    return Manifest(records, location)


def records_of(content: Mapping[str, Any]) -> dict[str, Record]:
    """The records of a manifest's content by their names; whatever that raises if it is none."""
    return {name: Record(name=name, **each) for name, each in content["checkpoints"].items()}


def read_record(path: Path) -> Record:
    """The record that `splitzoo train` wrote beside a checkpoint; CheckpointError as above."""
    try:
        return Record(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path} is no record ({error}); train it again") from error


@cache
def manifest() -> Manifest:
    """The manifest of this installation, read once."""
    return read_manifest()


def add_record(record: Record, path: Path = PATH) -> None:
    """Put `record` into the manifest at `path`, in place of one of the same name."""
    with _changing(path) as content:
        content["checkpoints"][record.name] = fields_of(record)


def pin(location: HubLocation, path: Path) -> None:
    """Make the manifest at `path` name where its checkpoints are published."""
    with _changing(path) as content:
        content["hub"] = asdict(location)


def fields_of(record: Record) -> dict[str, Any]:
    """What stands of a record under its name in a manifest."""
    return {key: value for key, value in asdict(record).items() if key != "name"}


@contextmanager
def _changing(path: Path) -> Iterator[dict[str, Any]]:
    """The content of a manifest, written back when the block ends well."""
    with alone(path):
        content = json.loads(path.read_text(encoding="utf-8"))
        yield content
        write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    manifest.cache_clear()


def list_models(pattern: str = "*", *, kind: str | None = None) -> list[str]:
    """Names of the published checkpoints that match, e.g. `list_models("lenet*", kind="inverse")`.

    Args:
        pattern: of the name, with `*` and `?` as in a shell.
        kind: "target", "judge", "inverse", "decoder" or "shadow"; None for all. UnknownNameError
            for another.
    """
    if kind is not None and kind not in KINDS:
        raise UnknownNameError("kind of checkpoint", kind, KINDS)
    return [
        name
        for name, record in manifest().records.items()
        if fnmatchcase(name, pattern) and kind in (None, record.kind)
    ]
