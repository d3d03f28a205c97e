"""`manifest.json`: one record for each published checkpoint."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from .errors import CheckpointError, UnknownNameError
from .files import alone, write_text

PATH = Path(__file__).with_name("manifest.json")
FOLDER = Path(__file__).with_name("checkpoints")


@dataclass(frozen=True)
class Record:
    """What is known of a checkpoint.

    Attributes:
        name: key in the manifest and in `splitzoo info NAME`.
        kind: "target" (a network that is attacked), "judge", "inverse" or "shadow".
        architecture: the constructor and its arguments, e.g. {"network": "lenet"}.
        file: plain file name, in `zoo/checkpoints/` and in the Hub repository.
        sha256, bytes: of that file.
        dataset, normalisation: what it was trained on, mean and std per channel.
        training: the command, the recipe, which images, the device it ran on, its seconds, and
            the queries that an adversary made for it.
        seed: of initialisation, order and augmentation.
        versions: of Python and of the libraries that made it.
        date: ISO 8601, the day that training ended.
        reached: what it is worth on images that it was not trained on, e.g. accuracy or PSNR.
        licence: SPDX identifier of the weights.
    """

    name: str
    kind: str
    architecture: Mapping[str, Any]
    file: str
    sha256: str
    bytes: int
    dataset: str
    normalisation: Mapping[str, Any]
    training: Mapping[str, Any]
    seed: int
    versions: Mapping[str, str]
    date: str
    reached: Mapping[str, Any]
    licence: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*\.safetensors", self.file):
            raise CheckpointError(f"manifest: {self.file!r} is not a plain safetensors file name")
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise CheckpointError(f"manifest: sha256 of {self.name} is not 64 hexadecimal digits")


@dataclass(frozen=True)
class HubLocation:
    """Where the checkpoints are published: a Hub repository at a pinned commit."""

    repo_id: str
    revision: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9a-f]{40}", self.revision):
            raise CheckpointError(
                "manifest: the Hub revision must be a 40-digit commit, not a branch"
            )


@dataclass(frozen=True)
class Manifest:
    """All records by name, and the Hub repository if one has been published."""

    records: Mapping[str, Record]
    hub: HubLocation | None

    def get(self, name: str) -> Record:
        """The record of that name; UnknownNameError lists the known ones."""
        if name not in self.records:
            raise UnknownNameError("checkpoint", name, self.records)
        return self.records[name]


def read_manifest(path: Path = PATH) -> Manifest:
    """Parse a manifest; CheckpointError where it is missing or malformed."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        records = {
            name: Record(name=name, **fields) for name, fields in content["checkpoints"].items()
        }
        hub = content["hub"]
        location = HubLocation(hub["repo_id"], hub["revision"]) if hub["repo_id"] else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{path} cannot be read ({error}); restore it from the repository"
        ) from error
    return Manifest(records, location)


@cache
def manifest() -> Manifest:
    """The manifest of this installation, read once."""
    return read_manifest()


def add_record(record: Record, path: Path = PATH) -> None:
    """Put `record` into the manifest at `path`, in place of one of the same name."""
    with alone(path):
        content = json.loads(path.read_text(encoding="utf-8"))
        fields = {k: v for k, v in asdict(record).items() if k != "name"}
        content["checkpoints"][record.name] = fields
        write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    manifest.cache_clear()
