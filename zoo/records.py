"""What is known of a checkpoint, and whether that can be true."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import CheckpointError


@dataclass(frozen=True)
class Record:
    """What is known of a checkpoint.

    Attributes:
        name: key in the manifest and in `splitzoo info NAME`.
        kind: "target" (a network that is attacked), "judge", "inverse", "decoder" or
            "shadow".
        architecture: the constructor and its arguments, e.g. {"network": "lenet"}.
        file: plain file name, in `zoo/checkpoints/` and in the Hub repository.
        sha256, bytes: of that file.
        content_sha256: of the network that it holds, as `zoo.content` defines it.
        target_sha256: content hash of the target that an attacker's network was trained against;
            None for a target or judge.
        dataset, normalisation: what it was trained on, mean and std per channel.
        training: the command, the recipe, which images, the precision and device it ran in and
            on, its seconds where they were recorded, and an adversary's queries.
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
    content_sha256: str
    target_sha256: str | None
    dataset: str
    normalisation: Mapping[str, Any]
    training: Mapping[str, Any]
    seed: int
    versions: Mapping[str, str]
    date: str
    reached: Mapping[str, Any]
    licence: str

    @property
    def training_sha256(self) -> str:
        """Of what is known of the training, which results that rest on the network keep."""
        return hashlib.sha256(json.dumps(self.training, sort_keys=True).encode()).hexdigest()

    def __post_init__(self) -> None:
        for problem in _problems(self):
            raise CheckpointError(f"manifest: {problem}; restore it from the repository")


def _problems(record: Record) -> Iterator[str]:
    """What makes a record no record, in words; every field is read by somebody."""
    if not matches(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", record.name):
        yield f"{record.name!r} is not a plain name"
    if not matches(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\.safetensors", record.file):
        yield f"{record.file!r} is not a plain safetensors file name"
    for field in ("sha256", "content_sha256"):
        if not matches(_SHA256, getattr(record, field)):
            yield f"{field} of {record.name} is not 64 hexadecimal digits"
    attackers = record.kind in ATTACKERS
    if record.kind not in KINDS:
        yield f"kind of {record.name} is none of {', '.join(KINDS)}"
    if attackers != (record.target_sha256 is not None) or (
        attackers and not matches(_SHA256, record.target_sha256)
    ):
        yield f"{record.name} does not say which target it belongs to"
    for field in ("bytes", "seed"):
        value = getattr(record, field)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 63:
            yield f"{field} of {record.name} is not a whole number"
    for field in ("dataset", "licence"):
        if not matches(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,63}", getattr(record, field)):
            yield f"{field} of {record.name} is not a plain word"
    if not matches(r"\d{4}-\d\d-\d\d", record.date):
        yield f"date of {record.name} is not YYYY-MM-DD"
    if not _is_text(record.architecture) or not record.architecture:
        yield f"architecture of {record.name} does not map names to names"
    if not _is_text(record.versions):
        yield f"versions of {record.name} do not map names to versions"
    if not _is_mapping(record.normalisation) or not all(
        isinstance(record.normalisation.get(name), (list, tuple))
        and all(_is_measure(value) for value in record.normalisation[name])
        for name in ("mean", "std")
    ):
        yield f"normalisation of {record.name} lacks mean or std"
    if not _is_mapping(record.reached) or not all(
        _is_measure(value)
        or (_is_mapping(value) and all(_is_measure(each) for each in value.values()))
        for value in record.reached.values()
    ):
        yield f"what {record.name} reached is not made of numbers"
    yield from _training_problems(record)


def _training_problems(record: Record) -> Iterator[str]:
    training = record.training
    if not _is_mapping(training):
        yield f"training of {record.name} is not a mapping"
        return
    for name in ("command", "device"):
        if not isinstance(training.get(name), str):
            yield f"training of {record.name} lacks its {name}"
    if training.get("precision") not in ("float32", "bfloat16"):
        yield f"training of {record.name} lacks its precision"
    if not _is_mapping(training.get("recipe")):
        yield f"training of {record.name} lacks its recipe"
    images: Any = training.get("images")
    if not isinstance(images, str) and not (
        _is_mapping(images)
        and {"part", "count", "indices_sha256"} <= set(images)
        and isinstance(images["part"], str)
        and isinstance(images["count"], int)
        and matches(_SHA256, images["indices_sha256"])
    ):
        yield f"training of {record.name} does not say on which images"
    for name in ("seconds", "queries"):
        value = training.get(name, 0)
        if not _is_measure(value) or value < 0:
            yield f"{name} of {record.name} are not a number from 0 on"
    if record.kind in ATTACKERS and not {"seconds", "queries"} <= set(training):
        yield f"training of {record.name} lacks its seconds or queries"


_SHA256 = r"[0-9a-f]{64}"
#: What an adversary trains, against a target.
ATTACKERS = ("inverse", "decoder", "shadow")
KINDS = ("target", "judge", *ATTACKERS)


def matches(pattern: str, value: Any) -> bool:
    """Whether a value is a text of which all matches the pattern."""
    return isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII) is not None


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(name, str) for name in value)


def _is_text(value: Any) -> bool:
    return _is_mapping(value) and all(isinstance(each, str) for each in value.values())


def _is_measure(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
