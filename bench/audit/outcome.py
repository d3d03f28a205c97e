"""What an audit has found so far, and the reports of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from torch import Tensor

from ...zoo import describe_device
from ...zoo.files import write_atomically, write_text
from ..store.provenance import versions
from .advice import ADVERSARIES, advise, front, points
from .cuts import Subject
from .images import Pictures
from .markdown import as_markdown, picture_of
from .page import as_page
from .pictures import strip
from .record import Attacked, Audit, CutAudit, ImagesUsed, Judged, Limits

#: A finished cut, and what was recovered there by attack.
Finished = tuple[CutAudit, Mapping[str, Tensor]]


def audit_of(
    subject: Subject,
    images: Pictures,
    cuts: Sequence[CutAudit],
    floor: Attacked,
    left_out: Sequence[str],
    *,
    budget: float,
    seed: int,
    limits: Limits,
) -> Audit:
    """The audit as a value, with the Pareto front and a recommendation for each adversary."""
    advice, recommended = {}, {}
    choices = points(cuts, floor)
    ran = {each.family for cut in cuts for each in cut.attacked}
    for family in ADVERSARIES:
        if family in ran:
            recommended[family], advice[family] = advise(cuts, floor, family, limits)
    return Audit(
        network=subject.name,
        budget=budget,
        device=describe_device(subject.device),
        versions=versions(),
        images=_used(subject, images, seed),
        limits=limits,
        floor=floor,
        judged=_judged(subject),
        cuts=list(cuts),
        left_out=list(left_out),
        front=front(choices),
        aside={each.at: each.doubt for each in choices if each.doubt},
        advice=advice,
        recommended=recommended,
    )


def write(audit: Audit, scored: Tensor, recovered: Mapping[str, Finished], out: Path) -> None:
    """results.json, report.html, and report.md with its pictures; each atomically."""
    pictures = {cut.at: _picture(scored, *recovered[cut.at]) for cut in audit.cuts}
    for cut in audit.cuts:
        write_atomically(out / picture_of(cut), pictures[cut.at])
    encoded = msgspec.json.format(msgspec.json.encode(audit), indent=1)
    write_atomically(out / "results.json", encoded + b"\n")
    write_text(out / "report.md", as_markdown(audit))
    write_text(out / "report.html", as_page(audit, pictures))


def _picture(scored: Tensor, cut: CutAudit, images: Mapping[str, Tensor]) -> bytes:
    """The scored images, and below them what each attack recovered."""
    return strip([scored, *(images[each.key] for each in cut.attacked)])


def _judged(subject: Subject) -> Judged | None:
    judge, scored = subject.judge, subject.division.scored
    if judge is None:
        return None
    return Judged(judge.name, judge.sha256, sum(judge.reads(scored.pixels, scored.labels)))


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
