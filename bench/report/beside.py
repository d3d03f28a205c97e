"""A result beside the best that is known of the same scenario, on the same images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tabulate import tabulate

from ...attacks import get_attack
from ..score.means import mean
from ..store import PUBLISHED
from ..store.folder import ResultStore
from ..store.result import Result
from .rows import Row, rows
from .standing import standing


@dataclass(frozen=True)
class Quality:
    """What an attack reached, over given images: its name, mean PSNR in dB, and mean SSIM."""

    attack: str
    psnr: float
    ssim: float

    def __str__(self) -> str:
        return f"{self.psnr:.2f} dB / {self.ssim:.4f}"


def published_rows() -> list[Row]:
    """The rows of the repository's own leaderboard; none where its results are not here."""
    return rows(standing(ResultStore(PUBLISHED), "standard").results)


def on_images(row: Row, indices: Sequence[float]) -> Quality | None:
    """What a row reached on the images at these positions; None where it lacks one of them."""
    places = {index: place for place, index in enumerate(row.per_image["indices"])}
    if not set(indices) <= set(places):
        return None
    psnr, ssim = (
        mean([row.per_image[name][places[index]] for index in indices]).value
        for name in ("psnr", "ssim")
    )
    return Quality(get_attack(row.attack).title, psnr, ssim)


def best_known(result: Result, known: Sequence[Row]) -> Quality | None:
    """The highest mean PSNR that other attacks' rows reach in the result's scenario, on its images.

    None where there is no such row.
    """
    there = [
        on_images(row, result.reported["indices"])
        for row in known
        if row.scenario.key == result.where.key and row.attack != result.attack.name
    ]
    return max((each for each in there if each), key=lambda each: each.psnr, default=None)


def beside_the_best(results: Sequence[Result]) -> str:
    """A line for each result: what it reached, and the best known; or why it failed."""
    known, table = published_rows(), []
    for result in results:
        if result.failure is not None:
            table.append([result.where.key, f"failed: {result.failure}", "", ""])
            continue
        (row,) = rows([result])
        ours = on_images(row, result.reported["indices"])
        best = best_known(result, known)
        cost = f"{result.cost.online_seconds / row.n:.2g} s, {result.cost.queries} queries"
        table.append(
            [
                result.where.key,
                str(ours),
                f"{best} ({best.attack})" if best else "nothing yet",
                cost,
            ]
        )
    header = ["scenario", "this attack", "best known", "cost per image, in all"]
    return tabulate(table, header, disable_numparse=True, maxcolwidths=[None, 40, None, None])
