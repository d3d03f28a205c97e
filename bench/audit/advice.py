"""Which cuts are worth considering, and which is recommended under stated limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from ..score.metrics.ssim import RECOGNISABLE_SSIM
from .record import Attacked, CutAudit, Limits
from .strength import doubt_of, effort_of, had, reference, tells_more, worst

#: Whom a recommendation is for, by family, the strongest first.
ADVERSARIES = {
    "white_box": "a cloud that holds the edge's weights",
    "black_box": "a cloud that may query the edge",
    "query_free": "a cloud that may neither see nor query the edge",
}


@dataclass(frozen=True)
class Point:
    """A cut as a choice: what leaks, the mean SSIM, and what it costs. Less is better in each.

    `doubt` says why its leakage cannot be held against that of others; `nothing`, that it does not
    exceed what the mean image scores.
    """

    at: str
    leakage: float
    bytes: int
    multiply_adds: int
    doubt: str = ""
    nothing: bool = False

    def beats(self, other: Point) -> bool:
        """Whether it is as good in everything, and better in something."""
        mine = (self.leakage, self.bytes, self.multiply_adds)
        theirs = (other.leakage, other.bytes, other.multiply_adds)
        return mine != theirs and all(a <= b for a, b in zip(mine, theirs, strict=True))


def points(cuts: Sequence[CutAudit], floor: Attacked, family: str = "white_box") -> list[Point]:
    """The cuts at which an adversary of a family was tried."""
    found, under = [], reference(cuts, family)
    for cut in cuts:
        attacked = worst(cut, family)
        if attacked is not None:
            found.append(
                Point(
                    cut.at,
                    fmean(attacked.ssim),
                    cut.cost.bytes,
                    cut.cost.multiply_adds,
                    doubt_of(cut, family, under),
                    not tells_more(attacked, floor),
                )
            )
    return found


def front(choices: Sequence[Point]) -> list[str]:
    """The Pareto front: cuts that no other beats, of those that met the same attacks."""
    like = [each for each in choices if not each.doubt]
    return [each.at for each in like if not any(other.beats(each) for other in like)]


def recommend(choices: Sequence[Point], limits: Limits, adversary: str) -> tuple[str | None, str]:
    """The cut to choose, or None, and why, in a sentence.

    Of the cuts within all limits it is the one with the least work for the edge. Where no leakage
    is stated, an image that is not recognisable (mean SSIM of at most 0.3) is the limit; what does
    not exceed the mean image is within any. A cut in doubt is not recommended.
    """
    if not choices:
        return None, f"Nothing was measured against {adversary}."
    limit = RECOGNISABLE_SSIM if limits.max_ssim is None else limits.max_ssim
    within = [each for each in choices if _affordable(each, limits)]
    if not within:
        return None, f"No cut that was tried keeps within {_costs(limits)}."
    hidden = [each for each in within if each.leakage <= limit or each.nothing]
    sure = [each for each in hidden if not each.doubt]
    if sure:
        return _chosen(sure, limit, adversary)
    if hidden:
        least = min(hidden, key=lambda each: each.leakage)
        return None, (
            f"Nothing is recommended against {adversary}. Behind {least.at} little is recovered, "
            f"but {least.doubt}; give a larger --budget."
        )
    tried = f"No cut of this network that was tried hides its input from {adversary}"
    if within != list(choices):
        tried = f"No cut within {_costs(limits)} hides its input from {adversary}"
    like = [each for each in within if not each.doubt] or within
    least = min(like, key=lambda each: (each.leakage, each.multiply_adds, each.bytes))
    return None, (
        f"{tried}: everywhere the mean SSIM is above {limit:g}. Least leaks behind {least.at}, "
        f"with {least.leakage:.2f}."
    )


def _chosen(sure: Sequence[Point], limit: float, adversary: str) -> tuple[str, str]:
    best = min(sure, key=lambda each: (each.multiply_adds, each.bytes, each.leakage))
    which = f"within the limit of {limit:g}"
    if best.nothing:
        which = "no more than the mean image, which depends on nothing that is sent"
    return best.at, (
        f"Cut behind {best.at}: the attacks that ran for {adversary} reach a mean SSIM of "
        f"{best.leakage:.2f} there, {which}, with the least work for the edge."
    )


def advise(
    cuts: Sequence[CutAudit], floor: Attacked, family: str, limits: Limits
) -> tuple[str | None, str]:
    """`recommend` for an adversary of a family, and what is open about it."""
    choices = points(cuts, floor, family)
    at, why = recommend(choices, limits, ADVERSARIES[family])
    if at is None:
        return None, why
    like = reference(cuts, family)
    ran = [each for cut in cuts if cut.at == at for each in cut.attacked if each.attack == like]
    if ran and effort_of(ran[0]) < 1:
        why += f" They had {had(ran[0])}: with a larger budget more may be recovered."
    aside = [f"{each.at}, since {each.doubt}" for each in choices if each.doubt]
    return at, why + (f" Left aside: {'; '.join(aside)}." if aside else "")


def _affordable(choice: Point, limits: Limits) -> bool:
    return (limits.max_bytes is None or choice.bytes <= limits.max_bytes) and (
        limits.max_edge_macs is None or choice.multiply_adds <= limits.max_edge_macs
    )


def _costs(limits: Limits) -> str:
    stated = [
        "" if limits.max_bytes is None else f"{limits.max_bytes:,} bytes",
        "" if limits.max_edge_macs is None else f"{limits.max_edge_macs:,} multiply-adds",
    ]
    return " and ".join(filter(None, stated))
