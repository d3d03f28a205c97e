"""Hyperparameters that were chosen, and on what: `tuned.json`, read and checked.

A value counts only if it is the best of its curve and the curve does not end there: a grid whose
best value is its first or last has not been searched to its end, unless the field itself ends
there, as λ does at 0.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from ..zoo import ResultError

TUNED = Path(__file__).with_name("tuned.json")
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Finite = Annotated[float, Meta(ge=-1e12, le=1e12)]
Position = Annotated[int, Meta(ge=0, lt=1 << 31)]


Criterion = Literal["psnr", "ssim"]
CRITERIA: tuple[Criterion, ...] = ("psnr", "ssim")


class _Part(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the file; what it does not know is refused."""


class Point(_Part, frozen=True):
    """A value that was tried, and the means that it reached: PSNR in dB, and SSIM."""

    value: Finite
    psnr: Annotated[float, Meta(ge=0, le=100)]
    ssim: Annotated[float, Meta(ge=-1, le=1)]


class Evidence(_Part, frozen=True):
    """How a value was chosen.

    Attributes:
        criterion: whether the highest mean PSNR or the highest mean SSIM decided.
        curve: every value that was tried.
        ends: the least and the greatest value that the field can have; None for no end.
        images: the holding that the images came from, whose true features were attacked.
        train_indices: their positions in the training part.
        target_sha256, network_sha256: content hashes of the target and of the learned network.
        attack_version, other_fields: the attack, and what else it ran with.
    """

    criterion: Criterion
    curve: Annotated[list[Point], Meta(min_length=1)]
    ends: tuple[Finite | None, Finite | None]
    images: Annotated[str, Meta(pattern=r"^[a-z_]{1,64}\Z")]
    train_indices: Annotated[list[Position], Meta(min_length=1)]
    target_sha256: Digest
    network_sha256: Digest | None
    attack_version: Annotated[int, Meta(ge=1, lt=1 << 31)]
    other_fields: dict[str, Any]
    device: Annotated[str, Meta(max_length=1000)]
    versions: dict[str, str]


class Choice(_Part, frozen=True):
    """A field's value for an attack at a cell, and why."""

    value: Finite
    evidence: Evidence

    def __post_init__(self) -> None:
        if self.value != best(self.evidence.curve, self.evidence.criterion):
            raise ValueError(f"{self.value} is not the best of its curve")
        if len(set(self.evidence.train_indices)) != len(self.evidence.train_indices):
            raise ValueError("an image is listed twice")


#: attack -> "setting/network/split" -> field -> choice.
Tuned = dict[str, dict[str, dict[str, Choice]]]


def best(curve: list[Point], criterion: Criterion) -> float:
    """The value of the highest mean of that metric; of equals, the least."""
    return max(curve, key=lambda point: (getattr(point, criterion), -point.value)).value


def open_end(
    curve: list[Point], ends: tuple[float | None, float | None], criterion: Criterion
) -> str:
    """At which end of the grid its best value lies although the field goes on: "low", "high",
    or "" for a best value between others or at the field's own end."""
    values = sorted(point.value for point in curve)
    chosen = best(curve, criterion)
    if chosen == values[-1] and chosen != ends[1]:
        return "high"
    if chosen == values[0] and chosen != ends[0]:
        return "low"
    return ""


def end_of(choice: Choice) -> str:
    """`open_end` of a choice's own curve."""
    evidence = choice.evidence
    return open_end(evidence.curve, evidence.ends, evidence.criterion)


def open_ends(choices: Tuned) -> list[str]:
    """A line for each choice whose grid was not searched to its end."""
    return [
        f"{attack} at {cell}: the best {field}, {choice.value:g}, is the {end} end of its grid; "
        f"run `splitzoo tune {attack} --only {cell} --field {field} --go-on`"
        for attack, cells in choices.items()
        for cell, fields in cells.items()
        for field, choice in fields.items()
        if (end := end_of(choice))
    ]


@cache
def tuned(path: Path = TUNED) -> Tuned:
    """What has been chosen. ResultError where the file is missing or malformed."""
    try:
        return decode(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ResultError(f"{path} cannot be read ({reason}); restore it from git") from error


def decode(text: bytes) -> Tuned:
    """Parse the content of `tuned.json`; ValueError where it is malformed."""
    return msgspec.json.decode(text, type=Tuned)
