"""What an attack's figure shows: how strong it was, and whether it beats an image of nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from statistics import fmean
from typing import Any

from ...attacks import FAMILIES as TITLES
from ...attacks import get_attack
from ..score.means import mean
from ..score.metrics.ssim import RECOGNISABLE_SSIM
from .record import Attacked, CutAudit

#: Adversaries as a report calls them, by family.
FAMILIES = {family: title.lower() for family, title in TITLES.items()}
#: What an adversary can run, the strongest first: who holds the weights can also query them, and
#: train a shadow.
CAN_RUN = {
    "white_box": ("white_box", "black_box", "query_free"),
    "black_box": ("black_box",),
    "query_free": ("query_free",),
}
#: What cuts are compared under, the strongest first; an edge that is solved needs no other attack.
RANKED = ("refined_descent", "copied_descent", "decoder", "shadow_decoder", "affine_inversion")
#: SSIM from which nothing is left to recover.
SOLVED = 0.999
#: The share of its usual steps below which an attack that fails shows nothing.
SHOWS = 0.1


def worst(cut: CutAudit, family: str = "white_box") -> Attacked | None:
    """The attack that recovers most of a cut, by SSIM, of those that an adversary can run; None
    where none ran."""
    ran = [each for each in cut.attacked if each.family in CAN_RUN[family]]
    return max(ran, key=lambda each: fmean(each.ssim), default=None)


def tells_more(attacked: Attacked, floor: Attacked) -> bool:
    """Whether it beats the mean image, which depends on nothing that is sent: in SSIM, in PSNR, in
    picking its own or in its label, by more than the 95 % interval of the differences."""
    pairs: list[tuple[Sequence[float], Sequence[float]]]
    pairs = [(attacked.ssim, floor.ssim), (attacked.psnr, floor.psnr), (attacked.own, floor.own)]
    if attacked.label and floor.label:
        pairs.append((attacked.label, floor.label))
    for mine, its in pairs:
        found = mean([float(a) - float(b) for a, b in zip(mine, its, strict=True)])
        if found.value > found.half_width:
            return True
    return False


def reference(cuts: Sequence[CutAudit], family: str) -> str | None:
    """The strongest attack that an adversary can run and that ran at some cut: what cuts are
    compared under."""
    ran = {each.attack for cut in cuts for each in cut.attacked if each.family in CAN_RUN[family]}
    return next((each for each in RANKED if each in ran), None)


def doubt_of(cut: CutAudit, family: str, under: str | None) -> str:
    """Why a cut's figure cannot be held against that of others; empty where it can.

    `under` is their `reference`.
    """
    attacked = worst(cut, family)
    if attacked is not None and min(attacked.ssim) >= SOLVED:
        return ""
    like = next((each for each in cut.attacked if each.attack == under), None)
    if like is None:
        return f"no {get_attack(under).title if under else FAMILIES[family]} ran there"
    if attacked is None or fmean(attacked.ssim) > RECOGNISABLE_SSIM:
        return ""
    return f"{had(like)} are too few to show anything" if effort_of(like) < SHOWS else ""


def had(attacked: Attacked) -> str:
    """The training steps that an attack had, in words."""
    steps, usual = sum(trained_by(attacked.fields)), usual_steps(attacked.attack)
    return f"{steps:,} of the usual {usual:,} training steps of {attacked.title}"


def effort_of(attacked: Attacked) -> float:
    """The share of its usual training steps that an attack had, and where it trains shadows too
    the smaller of both shares; 1 for one that does not train."""
    pairs = zip(trained_by(attacked.fields), trained_by(_defaults(attacked.attack)), strict=True)
    return min([1.0, *(steps / usual for steps, usual in pairs if usual)])


def usual_steps(attack: str) -> int:
    """Steps that an attack of the catalogue trains for by default; 0 for one that does not."""
    return sum(trained_by(_defaults(attack)))


def trained_by(values: Mapping[str, Any]) -> tuple[int, int]:
    """The steps that an attack's fields mean, of its own network and of all its shadows."""
    return values.get("steps", 0), values.get("shadows", 0) * values.get("shadow_steps", 0)


def _defaults(attack: str) -> dict[str, Any]:
    return {each.name: each.default for each in fields(get_attack(attack))}
