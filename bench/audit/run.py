"""An audit from beginning to end."""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from ...attacks import catalogue
from ...zoo import InputError, pick_device
from ...zoo.content import text_sha256
from ...zoo.files import ensure_writable, sweep_unfinished
from ...zoo.words import duration
from .attacking import audit_cut, floor_of
from .cuts import Cut, Subject
from .division import divide
from .images import Pictures
from .judging import LabelReader
from .kept import Kept
from .outcome import Finished, audit_of, write
from .record import Audit, Limits
from .schedule import Clock, affordable

#: The seconds that an audit takes if nothing else is said, and the images that are scored.
BUDGET, SCORED = 600.0, 20
#: Raised where another cost, score or plan comes out, so that cuts of before are not taken.
VERSION = 3


def audit_module(
    module: nn.Module,
    images: Pictures,
    out: Path,
    *,
    at: Sequence[str] | str | None = None,
    budget: float = BUDGET,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    scored: int = SCORED,
    seed: int = 0,
    device: str | torch.device = "auto",
    limits: Limits | None = None,
    name: str | None = None,
    judge: LabelReader | None = None,
) -> Audit:
    """Attack a network at several cuts, and write report.html, report.md and results.json to `out`.

    Args:
        module: maps images N×C×H×W, normalised by `mean` and `std`, to outputs.
        images: from `read_images`; a part is scored, and the adversary holds the rest.
        at: names of places, "all" of them, or None for a few modules, evenly spaced.
        budget: seconds, in which the audit does what it can; what it left out it says.
        scored: images that are scored at most.
        seed: draws which these are.
        limits: what a recommended cut must keep to.
        judge: from `judge_of`; reads labels off what is recovered.

    What is finished under the same budget, network, images and seed is taken from `out`, so that
    an audit that was interrupted goes on. Raises InputError, MisuseError and UnknownNameError.
    """
    clock = Clock(budget, time.perf_counter())
    ensure_writable(out)
    sweep_unfinished(out)
    subject = _subject(module, images, mean, std, scored, seed, pick_device(device), name, judge)
    subject.check()
    names = subject.chosen(at)
    passed_over = [each for each in [subject.passed_over(names)] if each] if at is None else []
    first = subject.target(names[0])
    subject = replace(subject, labelled=first.num_classes == len(images.classes))
    keys = {each: _key(subject, each, seed, budget) for each in names}
    kept = Kept(out / "cuts")
    found: dict[str, Finished] = {}
    for each in names:
        if (finished := kept.load(each, keys[each])) is not None:
            found[each] = finished
            clock.spent += finished[0].seconds
    floor = floor_of(Cut(subject, first, seed))
    missing = [each for each in names if each not in found]
    named = at is not None and at != "all"
    todo, left_out = affordable(subject, missing, clock, named=named, finished=bool(found))
    left_out = passed_over + left_out
    for each in left_out:
        print(f"left out: {each}", file=sys.stderr, flush=True)
    try:
        for number, each in enumerate(todo):
            if not clock.left():
                break
            said = _Said(f"[{number + 1}/{len(todo)}] {each}", clock)
            cut = Cut(subject, subject.target(each), seed)
            seconds = clock.left() / (len(todo) - number)
            finished = audit_cut(cut, keys[each], seconds, said)
            kept.save(*finished)
            found[each] = finished
    finally:  # also of an audit that is interrupted
        left_out += [f"{each}, which was not reached" for each in todo if each not in found]
        audit = audit_of(
            subject,
            images,
            [found[each][0] for each in names if each in found],
            floor,
            left_out,
            budget=budget,
            seed=seed,
            limits=limits or Limits(),
        )
        write(audit, subject.division.scored.pixels, found, out)
    return audit


class _Said:
    """Progress on standard error: what is going on, and what is left of the budget."""

    def __init__(self, title: str, clock: Clock) -> None:
        self.title, self.clock = title, clock

    def __call__(self, what: str) -> None:
        left = duration(self.clock.left())
        print(f"{self.title}: {what}; {left} to go", file=sys.stderr, flush=True)


def _subject(
    module: nn.Module,
    images: Pictures,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    scored: int,
    seed: int,
    device: torch.device,
    name: str | None,
    judge: LabelReader | None,
) -> Subject:
    channels = images.pixels.shape[1]
    for what, values in (("--mean", mean), ("--std", std)):
        if values is not None and len(values) != channels:
            raise InputError(
                f"{what} has {len(values)} values for images of {channels} channels; give "
                f"{channels} joined by commas"
            )
    if std is not None and min(std) <= 0:
        raise InputError("--std holds a number that is not above nought; give deviations")
    normalisation = None
    if mean is not None or std is not None:
        normalisation = (mean or (0.0,) * channels, std or (1.0,) * channels)
    return Subject(
        _on(module, device),
        name or type(module).__name__,
        images.full,
        divide(images, scored, seed),
        normalisation,
        False,
        device,
        judge,
    )


def _key(subject: Subject, at: str, seed: int, budget: float) -> str:
    """Content hash of what a cut's audit depends on."""
    versions = [f"audit {VERSION}"]
    versions += [f"{name} {attack.version}" for name, attack in sorted(catalogue().items())]
    versions += [subject.judge.sha256] if subject.judge else []
    return text_sha256(
        subject.target(at).sha256, subject.division.sha256, str((seed, budget)), *versions
    )


def _on(module: nn.Module, device: torch.device) -> nn.Module:
    """The module on a device; the user's own stays where it is."""
    here = {each.device.type for each in (*module.parameters(), *module.buffers())}
    return module if here <= {device.type} else copy.deepcopy(module).to(device)
