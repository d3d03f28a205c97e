"""Choosing hyperparameters, on training images only, and recording how.

The images are the first of each class in the training part, which no profile ever scores.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import msgspec
import torch

from ...attacks import Attack, Capability, LearnedAttack, Setting
from ...attacks.tuned import (
    TUNED,
    Choice,
    Criterion,
    Evidence,
    Point,
    best,
    decode,
    open_end,
    tuned,
)
from ...zoo import Images, MisuseError, Record, describe_device, load_dataset, load_network
from ...zoo.files import alone, ensure_writable, write_text
from ..scenarios import Scenario, scenario
from ..score.means import mean
from ..score.metrics.psnr import psnr
from ..score.metrics.ssim import ssim
from ..store.provenance import versions
from .attacking import attack_images
from .runs import Run, plain

#: The holding that tuning images come from.
IMAGES = "training_set"
#: How often a grid whose best value is its end is carried on.
EXTENSIONS = 8


def tuning_images(dataset: str, per_class: int) -> tuple[Images, list[int]]:
    """The first `per_class` training images of each class, and their positions."""
    train = load_dataset(dataset, "train")
    rows = torch.cat(
        [(train.labels == label).nonzero()[:per_class, 0] for label in train.labels.unique()]
    )
    return train.subset(rows), rows.tolist()


def ends_of(attack: type[Attack], field: str) -> tuple[float | None, float | None]:
    """The least and the greatest value that a field can have, as its class declares them."""
    declared = {each.name: each.metadata.get("ends", (None, None)) for each in fields(attack)}
    low, high = declared[field]
    return low, high


def tune(
    attack: str,
    where: Scenario,
    field: str,
    grid: Sequence[float],
    *,
    per_class: int,
    device: torch.device,
    criterion: Criterion = "psnr",
    go_on: bool = False,
) -> Choice:
    """Try every value of `grid` for one field of an attack at a cell; keep the best.

    A grid whose best value is its first or last is carried on beyond that end, by the ratio of
    the two values there, until the best lies between others or at the field's own end.

    Args:
        criterion: "psnr", the highest mean PSNR, or "ssim". Where an attack recovers next to
            nothing, PSNR prefers the λ that leaves a flat image, and SSIM what there is to see.
        go_on: begin with the curve that `tuned.json` holds, if it was measured with the same
            images, networks, attack and other fields; `grid` may then be empty.

    Returns:
        The chosen value, and as evidence the whole curve with the images, the networks, the
        attack's other fields and the versions that it was measured with.

    The best value may still be an end after EXTENSIONS more values: `open_end` tells, and so does
    `leaderboard --check`. Raises MisuseError where a value is beyond the field's own ends, where
    there is nothing to go on from, and for a defended target.
    """
    if where.defence is not None:
        raise MisuseError(
            f"{where.key}: nothing is tuned for a defended target, at which attacks choose their "
            "fields themselves; tune without the defence"
        )
    images, indices = tuning_images(where.target.dataset.name, per_class)
    pixels = images.floats()
    planned = Run(where, attack)
    base, record = planned.configure(), planned.published()
    if isinstance(base, LearnedAttack) and field in base.TRAINING:
        record = None  # another value is another network
    network = load_network(record.name) if record else None
    ends = ends_of(type(base), field)
    for value in grid:
        if not within(value, ends):
            raise MisuseError(f"{field} cannot be {value:g}; its ends are {ends}")

    now = _rests_on(planned, field, record)

    def evidence(curve: list[Point]) -> Evidence:
        return Evidence(
            criterion=criterion,
            curve=sorted(curve, key=lambda point: point.value),
            ends=ends,
            images=IMAGES,
            train_indices=indices,
            **now,
            device=describe_device(device),
            versions=versions(),
        )

    curve: list[Point] = []
    if go_on:
        earlier = tuned().get(attack, {}).get(where.key, {}).get(field)
        if earlier is not None and (
            (earlier.evidence.images, earlier.evidence.train_indices) == (IMAGES, indices)
            and _still(earlier.evidence, now)
        ):
            curve = list(earlier.evidence.curve)
        elif not grid:
            raise MisuseError(
                f"{where.key} {attack}: there is no curve of {field} to go on from that was "
                "measured with the present networks, images and other fields; give a --grid"
            )

    def measure(value: float) -> None:
        recovery = attack_images(
            replace(base, **{field: value}), where, images, device=device, network=network
        )
        recovered = recovery.pixels.double() / 255  # what the benchmark scores
        quality = mean(psnr(pixels, recovered)), mean(ssim(pixels, recovered))
        point = Point(value=value, psnr=round(quality[0].value, 3), ssim=round(quality[1].value, 4))
        curve.append(point)
        print(
            f"{where.key} {attack}: {field} {value:g} "
            f"reaches {point.psnr:.3f} dB, {point.ssim:.4f}",
            file=sys.stderr,
            flush=True,
        )

    for value in grid:
        if value not in {point.value for point in curve}:
            measure(value)
    for _ in range(EXTENSIONS):
        if not open_end(curve, ends, criterion):
            break
        further = beyond(curve, ends, criterion)
        if further in {point.value for point in curve}:
            break
        measure(further)
    return Choice(value=best(curve, criterion), evidence=evidence(curve))


def beyond(
    curve: Sequence[Point], ends: tuple[float | None, float | None], criterion: Criterion
) -> float:
    """The next value to try, beyond the end of the grid at which its best value lies.

    The field's own end where it has one below; else geometric, by the ratio of the two values at
    that end of the grid, threefold where there is but one, in two digits.
    """
    values = sorted(point.value for point in curve)
    if open_end(list(curve), ends, criterion) == "low":
        return ends[0] if ends[0] is not None else _two_digits(values[0] / _ratio(values[:2]))
    step = _two_digits(values[-1] * _ratio(values[-2:]))
    return step if ends[1] is None else min(step, ends[1])


def within(value: float, ends: tuple[float | None, float | None]) -> bool:
    """Whether a field with these ends can have the value."""
    low, high = ends
    return (low is None or value >= low) and (high is None or value <= high)


def _two_digits(value: float) -> float:
    return float(f"{value:.2g}")


def _ratio(values: Sequence[float]) -> float:
    return values[1] / values[0] if len(values) == 2 and values[0] > 0 else 3.0


def _rests_on(run: Run, field: str, record: Record | None) -> dict[str, Any]:
    """What a choice of `field` rests on now, by the names that `Evidence` gives it."""
    base = run.configure()
    return {
        "target_sha256": run.target_sha256,
        "network_sha256": record.content_sha256 if record else None,
        "attack_version": base.version,
        "other_fields": plain({k: v for k, v in asdict(base).items() if k != field}),
    }


def _still(evidence: Evidence, now: Mapping[str, Any]) -> bool:
    """Whether evidence was measured with what stands now."""
    return all(getattr(evidence, name) == value for name, value in now.items())


def chosen_with(attack: str, where: Scenario) -> str:
    """What the tuned fields of an attack at a cell were chosen with, as the leaderboard says it.

    "oracle λ" where that is more than the setting grants: images that it does not hold, or true
    features that it cannot ask for. Empty where nothing was tuned.
    """
    choices = tuned().get(attack, {}).get(where.key, {})
    if not choices:
        return ""
    lawful = all(_grants(where.setting, each.evidence) for each in choices.values())
    return "granted images" if lawful else "oracle λ"


def _grants(setting: Setting, evidence: Evidence) -> bool:
    return setting.images == evidence.images and setting.allows(Capability.QUERY)


def outdated_choices() -> list[str]:
    """A line for each tuned value that was chosen for another target, network or attack, or
    beside other fields than the attack has now. Old evidence that names no fields passes."""
    found = []
    for attack, cells in tuned().items():
        for key, choices in cells.items():
            run = Run(scenario(key), attack)
            record = run.published()
            for field, choice in choices.items():
                now = _rests_on(run, field, record)
                if not choice.evidence.other_fields:
                    del now["other_fields"]
                if not _still(choice.evidence, now):
                    found.append(f"{field} of {attack} at {key} was chosen for something else")
    return found


def ensure_tunable(path: Path = TUNED) -> None:
    """Raise StorageError before any work where `tuned.json` could not be written."""
    ensure_writable(path.parent)


def keep(attack: str, where: Scenario, field: str, chosen: Choice, path: Path = TUNED) -> None:
    """Put a chosen value into `tuned.json`, in place of an earlier one for this field."""
    with alone(path):
        content = decode(path.read_bytes()) if path.is_file() else {}
        content.setdefault(attack, {}).setdefault(where.key, {})[field] = chosen
        text = json.dumps(msgspec.to_builtins(content), indent=1, ensure_ascii=False)
        decode(text.encode())  # what could not be read again is not written
        write_text(path, text + "\n")
    tuned.cache_clear()
