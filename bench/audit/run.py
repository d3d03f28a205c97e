"""An audit from beginning to end: what is cut, in which time, and what is written."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import torch
from torch import Tensor, nn

from ...attacks import catalogue
from ...zoo import InputError, MisuseError, describe_device, pick_device
from ...zoo.content import text_sha256
from ...zoo.files import ensure_writable, sweep_unfinished, write_atomically, write_text
from ...zoo.words import duration
from ..store.provenance import versions
from .advice import ADVERSARIES, caution, front, points, recommend
from .attackers import least_seconds
from .attacking import audit_cut, floor_of
from .cuts import Cut, Subject, spaced
from .images import Pictures, divide
from .kept import Kept
from .markdown import as_markdown, picture_of
from .page import as_page
from .pictures import strip
from .record import Audit, CutAudit, ImagesUsed, Limits

#: The seconds that an audit takes if nothing else is said, and the images that are scored.
BUDGET, SCORED = 600.0, 20
#: What of a budget is planned with: measuring, scoring and reports take the rest.
_PLANNED = 0.9


@dataclass
class Clock:
    """What is left of a budget. `spent` are seconds of an earlier run whose cuts are kept."""

    budget: float
    began: float
    spent: float = 0.0

    def left(self) -> float:
        return max(0.0, self.budget - self.spent - (time.perf_counter() - self.began))


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

    What is finished under the same budget, network, images and seed is taken from `out`, so that
    an audit that was interrupted goes on. Raises InputError, MisuseError and UnknownNameError.
    """
    clock = Clock(budget, time.perf_counter())
    ensure_writable(out)
    sweep_unfinished(out)
    subject = _subject(module, images, mean, std, scored, seed, pick_device(device), name)
    names = subject.chosen(at)
    first = subject.target(names[0])
    subject = replace(subject, labelled=first.num_classes == len(images.classes))
    kept, found = Kept(out / "cuts"), dict[str, tuple[CutAudit, dict[str, Tensor]]]()
    keys = {each: _key(subject, each, seed, budget) for each in names}
    for each in names:
        finished = kept.load(each, keys[each])
        if finished is not None:
            found[each] = finished
            clock.spent += finished[0].seconds
    floor = floor_of(Cut(subject, first, seed))
    todo, left_out = _affordable(subject, [each for each in names if each not in found], clock)

    def written() -> Audit:
        missing = [f"{each}: not reached" for each in todo if each not in found]
        audit = Audit(
            network=subject.name,
            budget=budget,
            device=describe_device(subject.device),
            versions=versions(),
            images=_used(subject, images, seed),
            limits=limits or Limits(),
            floor=floor,
            cuts=[found[each][0] for each in names if each in found],
            left_out=[*left_out, *missing],
        )
        audit = _advised(audit)
        _write(audit, out, {at: _picture(subject, *found[at]) for at in names if at in found})
        return audit

    try:
        for number, each in enumerate(todo):
            if not clock.left():
                break
            share = clock.left() / (len(todo) - number)
            said = _Said(f"[{len(found) + 1}/{len(todo) + len(names) - len(todo)}] {each}", clock)
            cut = Cut(subject, subject.target(each), seed)
            found[each] = audit_cut(cut, keys[each], share, said)
            kept.save(*found[each])
    except KeyboardInterrupt:
        written()
        raise
    return written()


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
        module.to(device),
        name or type(module).__name__,
        images.full,
        divide(images, scored, seed),
        normalisation,
        False,
        device,
    )


def _affordable(subject: Subject, names: list[str], clock: Clock) -> tuple[list[str], list[str]]:
    """The cuts that the time suffices for, and what is said of the others.

    Descents cost most at the deepest cut, so that is measured. MisuseError where the time does not
    suffice for one.
    """
    if not names:
        return [], []
    least = least_seconds(Cut(subject, subject.target(names[-1]), 0))
    count = int(_PLANNED * clock.left() / least)
    if not count:
        needs = duration(1.5 * (least + clock.budget - clock.left()))
        raise MisuseError(
            f"a budget of {duration(clock.budget)} does not suffice for one attack at "
            f"{names[-1]}; give --budget of {needs} or more"
        )
    todo = spaced(names, count)
    needs = duration(least * len(names) / _PLANNED)
    return todo, [
        f"{each}: the budget suffices for {count} cuts; all take {needs} or more"
        for each in names
        if each not in todo
    ]


def _key(subject: Subject, at: str, seed: int, budget: float) -> str:
    """Content hash of what a cut's audit depends on."""
    versions = [f"{name} {attack.version}" for name, attack in sorted(catalogue().items())]
    return text_sha256(
        subject.target(at).sha256, subject.division.sha256, str((seed, budget)), *versions
    )


def _used(subject: Subject, images: Pictures, seed: int) -> ImagesUsed:
    division = subject.division
    return ImagesUsed(
        held=len(division.held),
        scored=len(division.scored),
        network_size=list(images.full),
        attacked_shape=list(division.scored.pixels.shape[1:]),
        seed=seed,
        sha256=division.sha256,
        labels=subject.labelled,
        skipped=list(images.skipped),
        duplicates=division.duplicates,
    )


def _advised(audit: Audit) -> Audit:
    """With the Pareto front, and a recommendation against each adversary that was there."""
    ran = {each.family for cut in audit.cuts for each in cut.attacked}
    advice, recommended = {}, {}
    for family, adversary in ADVERSARIES.items():
        if family in ran:
            chosen, why = recommend(points(audit.cuts, family), audit.limits, adversary)
            recommended[family] = chosen
            advice[family] = f"{why} {caution(audit.cuts, family)}".rstrip()
    return msgspec.structs.replace(
        audit, front=front(points(audit.cuts)), advice=advice, recommended=recommended
    )


def _picture(subject: Subject, cut: CutAudit, images: dict[str, Tensor]) -> bytes:
    """The scored images, and below them what each attack recovered."""
    return strip([subject.division.scored.pixels, *(images[e.family] for e in cut.attacked)])


def _write(audit: Audit, out: Path, pictures: dict[str, bytes]) -> None:
    for cut in audit.cuts:
        write_atomically(out / picture_of(cut), pictures[cut.at])
    write_text(out / "report.html", as_page(audit, pictures))
    encoded = msgspec.json.format(msgspec.json.encode(audit), indent=1)
    write_atomically(out / "results.json", encoded + b"\n")
    write_text(out / "report.md", as_markdown(audit))
