"""Ours beside the paper's: cell by cell, and claim by claim (§7.1 to §7.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...attacks import FAMILIES, SETTINGS, get_attack, get_setting
from ...zoo import published
from ..paper import columns, paper_figure
from ..scenarios import Scenario
from ..score.means import Mean, mean
from .rows import Row

#: Two attacks within this many dB of each other count as equally good, dB of mean PSNR.
SIMILAR_DB = 1.0
#: Table 7's techniques, by the attacks of the catalogue that stand for them.
TECHNIQUES = {
    "rMLE": ("rmle",),
    "Inverse-Network": ("inverse_network",),
    "Shadow model": ("shadow_model", "model_reconstruction"),
}


@dataclass(frozen=True)
class Difference:
    """Ours minus the paper's, in dB of PSNR and in SSIM."""

    result: Row
    psnr: float
    ssim: float

    @property
    def reached(self) -> bool:
        """Whether both of the paper's figures are reached."""
        return self.psnr >= 0 and self.ssim >= 0


def differences(results: Sequence[Row]) -> list[Difference]:
    """One for each result that the paper has a figure for."""
    found = []
    for result in results:
        published = paper_figure(result.scenario.setting.name, result.scenario.column, result.label)
        if published is not None:
            found.append(
                Difference(
                    result,
                    mean(result.per_image["psnr"]).value - published.psnr,
                    mean(result.per_image["ssim"]).value - published.ssim,
                )
            )
    return found


def applicability() -> list[list[str]]:
    """Table 7, from what attacks require and what settings grant: a row for each family.

    A technique applies in a family where one of its attacks is allowed in one of its settings.
    """
    rows = []
    for family, title in FAMILIES.items():
        settings = [setting for setting in SETTINGS.values() if setting.family == family]
        marks = [
            "✓"
            if any(
                not setting.missing(get_attack(attack).requires)
                for attack in attacks
                for setting in settings
            )
            else "–"
            for attacks in TECHNIQUES.values()
        ]
        rows.append([title, *marks])
    return rows


@dataclass(frozen=True)
class Claim:
    """A sentence of §7 that says how two rows of the leaderboard compare.

    `relation` is "better" (the first recovers more), or "similar" (within SIMILAR_DB).
    Each side is (setting, attack).
    """

    section: str
    sentence: str
    first: tuple[str, str]
    second: tuple[str, str]
    relation: str = "better"


_INVERSE = "inverse_network"
_SHADOW = "shadow_model"
CLAIMS = (
    Claim(
        "§7.2",
        "Black-box attacks by Inverse-Network are as good as white-box ones by rMLE",
        ("black_box_same_set", _INVERSE),
        ("white_box", "rmle"),
        "similar",
    ),
    Claim(
        "§7.2",
        "Black-box, other images of the same distribution serve as well as the training set",
        ("black_box_same_dist", _INVERSE),
        ("black_box_same_set", _INVERSE),
        "similar",
    ),
    Claim(
        "§7.2",
        "Query-free, other images of the same distribution serve as well as the training set",
        ("query_free_diff_set_same_net", _SHADOW),
        ("query_free_same_set_same_net", _SHADOW),
        "similar",
    ),
    Claim(
        "§7.2",
        "Black-box, knowing the distribution beats querying with noise",
        ("black_box_same_dist", _INVERSE),
        ("black_box_rand_set", _INVERSE),
    ),
    Claim(
        "§7.2",
        "Query-free, knowing the structure beats not knowing it",
        ("query_free_same_set_same_net", _SHADOW),
        ("query_free_same_set_diff_net", _SHADOW),
    ),
    Claim(
        "§7.2",
        "Being able to query beats a shadow model without queries",
        ("black_box_same_set", _INVERSE),
        ("query_free_same_set_same_net", _SHADOW),
    ),
    Claim(
        "§7.3",
        "With the training images, Inverse-Network beats rMLE",
        ("black_box_same_set", _INVERSE),
        ("white_box", "rmle"),
    ),
    Claim(
        "§7.3",
        "Without images, rMLE beats the Inverse-Network trained on noise",
        ("white_box", "rmle"),
        ("black_box_rand_set", _INVERSE),
    ),
    Claim(
        "§7.3",
        "Black-box, Inverse-Network beats reconstructing the model",
        ("black_box_same_set", _INVERSE),
        ("black_box_same_set", "model_reconstruction"),
    ),
)


@dataclass(frozen=True)
class Finding:
    """What our numbers say of a claim: the paired difference in dB at each target, first minus
    second with its 95 % interval, and at how many targets the claim holds."""

    claim: Claim
    differences: dict[str, Mean]
    holds: list[str]

    @property
    def verdict(self) -> str:
        """ "confirmed", "contradicted" or "mixed", and the count."""
        held, among = len(self.holds), len(self.differences)
        word = "confirmed" if held == among else "mixed" if held else "contradicted"
        return f"{word}, {held} of {among}"


def findings(results: Sequence[Row]) -> list[Finding]:
    """Every claim that the results can speak to, image by image on the same images.

    "better" holds where the interval of the paired difference lies above zero; "similar" where
    the mean difference is at most SIMILAR_DB either way.
    """
    by_run = {(r.scenario, r.label): r for r in results}
    found = []
    profile = results[0].profile if results else ""
    for claim in CLAIMS:
        paired = {}
        for target in columns():
            sides = [
                by_run.get((Scenario(get_setting(setting), published(target), profile), attack))
                for setting, attack in (claim.first, claim.second)
            ]
            if sides[0] is None or sides[1] is None:
                continue
            first, second = (side.per_image["psnr"] for side in sides if side is not None)
            paired[target] = mean([a - b for a, b in zip(first, second, strict=True)])
        if paired:
            holds = [
                target
                for target, difference in paired.items()
                if (
                    abs(difference.value) <= SIMILAR_DB
                    if claim.relation == "similar"
                    else difference.value - difference.half_width > 0
                )
            ]
            found.append(Finding(claim, paired, holds))
    return found
