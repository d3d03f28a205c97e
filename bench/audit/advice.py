"""Which cuts are worth considering, and which is recommended under stated limits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from ...attacks import get_attack
from ..score.metrics.ssim import RECOGNISABLE_SSIM
from .record import Attacked, CutAudit, Limits

#: Whom a recommendation is for, by family, the strongest first.
ADVERSARIES = {
    "white_box": "a cloud that holds the edge's weights",
    "black_box": "a cloud that may query the edge",
    "query_free": "a cloud that may neither see nor query the edge",
}


#: The share of its usual steps below which an attack that fails shows nothing.
SHOWS = 0.1


@dataclass(frozen=True)
class Point:
    """A cut as a choice: what leaks, the mean SSIM, and what it costs. Less is better in each."""

    at: str
    leakage: float
    bytes: int
    multiply_adds: int

    def beats(self, other: Point) -> bool:
        """Whether it is as good in everything, and better in something."""
        mine = (self.leakage, self.bytes, self.multiply_adds)
        theirs = (other.leakage, other.bytes, other.multiply_adds)
        return mine != theirs and all(a <= b for a, b in zip(mine, theirs, strict=True))


#: What an adversary can run: who holds the weights can also query them, and train a shadow.
CAN_RUN = {
    "white_box": ("white_box", "black_box", "query_free"),
    "black_box": ("black_box",),
    "query_free": ("query_free",),
}


def worst(cut: CutAudit, family: str = "white_box") -> Attacked | None:
    """The attack that recovers most of a cut, by SSIM, of those that an adversary can run; None
    where none ran."""
    ran = [each for each in cut.attacked if each.family in CAN_RUN[family]]
    return max(ran, key=lambda each: fmean(each.ssim), default=None)


def points(cuts: Iterable[CutAudit], family: str = "white_box") -> list[Point]:
    """The cuts at which an adversary of a family was tried."""
    found = []
    for cut in cuts:
        attacked = worst(cut, family)
        if attacked is not None:
            leakage = fmean(attacked.ssim)
            found.append(Point(cut.at, leakage, cut.cost.bytes, cut.cost.multiply_adds))
    return found


def front(choices: Sequence[Point]) -> list[str]:
    """The Pareto front: cuts that no other beats."""
    return [each.at for each in choices if not any(other.beats(each) for other in choices)]


def recommend(choices: Sequence[Point], limits: Limits, adversary: str) -> tuple[str | None, str]:
    """The cut to choose, or None, and why, in a sentence.

    Of the cuts within all limits it is the one with the least work for the edge. Where no leakage
    is stated, an image that is not recognisable (mean SSIM of at most 0.3) is the limit.
    """
    if not choices:
        return None, f"Nothing was measured against {adversary}."
    limit = RECOGNISABLE_SSIM if limits.max_ssim is None else limits.max_ssim
    within = [each for each in choices if _affordable(each, limits)]
    if not within:
        return None, f"No cut that was tried keeps within {_costs(limits)}."
    least = min(within, key=lambda each: (each.leakage, each.multiply_adds, each.bytes))
    hidden = [each for each in within if each.leakage <= limit]
    if hidden:
        best = min(hidden, key=lambda each: (each.multiply_adds, each.bytes, each.leakage))
        return best.at, (
            f"Cut behind {best.at}: the attacks that ran for {adversary} reach a mean SSIM of "
            f"{best.leakage:.2f} there, within the limit of {limit:g}, with the least work for "
            "the edge."
        )
    tried = f"No cut of this network that was tried hides its input from {adversary}"
    if within != list(choices):
        tried = f"No cut within {_costs(limits)} hides its input from {adversary}"
    return None, (
        f"{tried}: everywhere the mean SSIM is above {limit:g}. Least leaks behind {least.at}, "
        f"with {least.leakage:.2f}."
    )


def advise(cuts: Sequence[CutAudit], family: str, limits: Limits) -> tuple[str | None, str]:
    """`recommend` for an adversary of a family, unless the attacks behind that cut had too little
    time to show anything."""
    adversary = ADVERSARIES[family]
    at, why = recommend(points(cuts, family), limits, adversary)
    if at is None:
        return None, why
    ran = [each for cut in cuts if cut.at == at for each in cut.attacked]
    most = max((each for each in ran if each.family in CAN_RUN[family]), key=effort_of)
    effort = effort_of(most)
    if effort >= 1:
        return at, why
    had = (
        f"{most.fields['steps']:,} of the usual {usual_steps(most.attack):,} training steps of "
        f"{most.title}"
    )
    if effort >= SHOWS:
        return at, f"{why} They had {had}: with a larger budget more may be recovered."
    return None, (
        f"Nothing is recommended against {adversary}. Behind {at} little is recovered, but with "
        f"{had}, too few to show that a cut hides anything; give a larger --budget."
    )


def effort_of(attacked: Attacked) -> float:
    """The share of its usual training steps that an attack had; 1 for one that does not train."""
    usual = usual_steps(attacked.attack)
    return min(1.0, attacked.fields["steps"] / usual) if usual else 1.0


def usual_steps(attack: str) -> int:
    """Steps that an attack of the catalogue trains for by default; 0 for one that does not."""
    return int(getattr(get_attack(attack), "steps", 0))


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
