"""How far rows that were run again lie from the published ones.

    splitzoo bench --profile standard --only lenet --results again
    python -m splitzoo.bench.measured.rerun_rows --again again [--before DIR] [--store]

Means of PSNR and SSIM over the same images and seconds per image, published and again, row by row,
and the largest difference of PSNR below 45 dB, where it still means something. Another processor
takes sums in another order, which moves a descent over an edge with kinks by some tenths of a dB:
`--before` adds what the code of an earlier commit gives on the machine of the re-run, to tell one
from the other. `--store` keeps what was run again on other devices.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ...zoo import InputError
from ..report.rows import Row, rows
from ..report.standing import standing
from ..score.means import mean
from ..store import PUBLISHED
from ..store.folder import ResultStore
from .evidence import run, stored

#: dB above which a difference of PSNR says nothing about what can be seen.
UNSEEN = 45.0


def by_key(folder: Path, *, any_fields: bool = False) -> dict[str, Row]:
    """The rows of a folder's `standard` results that count, by their names; with `any_fields` by
    the attack's alone, whatever it was given."""
    found = rows(standing(ResultStore(folder), "standard").results)
    return {f"{row.scenario.key}/{row.attack if any_fields else row.label}": row for row in found}


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """The means of every row that both folders have, and of the code of before. InputError where
    they share none."""
    published, again = by_key(PUBLISHED), by_key(given.again, any_fields=given.any_fields)
    before = by_key(given.before) if given.before else {}
    shared = [key for key in published if key in again]
    if not shared:
        raise InputError(f"{given.again} holds no row of profile standard that is published")
    table, apart = {}, [0.0]
    for key in shared:
        pair = [
            _figures(row)
            for row in (published[key], again[key], *([before[key]] if key in before else []))
        ]
        table[key] = pair
        if min(each["psnr"] for each in pair) < UNSEEN:
            apart.append(abs(pair[0 if len(pair) == 2 else 2]["psnr"] - pair[1]["psnr"]))
    made = [again[key].results[0].made for key in shared]
    device = "; ".join(sorted({each.device for each in made}))
    return {
        "what": "mean PSNR, SSIM and seconds per image of rows of standard, by the device that ran "
        "them again: as published, run again, and, where it is given, run there by the code of "
        "before; the difference is to the last",
        "published_on": sorted({row.results[0].made.device for row in published.values()}),
        "again_on": {
            **stored("rerun_rows", "again_on"),
            device + (", with fields of ours" if given.any_fields else ""): {
                "rows": table,
                "largest_difference_below_45_dB": round(max(apart), 4),
                "versions": dict(made[0].versions),
                "date": made[0].date,
            },
        },
    }


def _figures(row: Row) -> dict[str, Any]:
    figures: dict[str, Any] = {
        name: round(mean(row.per_image[name]).value, 4) for name in ("psnr", "ssim")
    }
    attack = row.results[0].attack
    fields = {"given": dict(attack.overrides), "chose": dict(attack.calibrated)}
    told = {name: each for name, each in fields.items() if each}
    return {**figures, "seconds": float(f"{row.seconds_per_image:.3g}"), **told}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--before", type=Path, metavar="DIR", help="results of earlier code, here")
    parser.add_argument(
        "--any-fields", action="store_true", help="compare with the defaults' row, whatever ran"
    )
    parser.add_argument(
        "--again", type=Path, required=True, metavar="DIR", help="results of `splitzoo bench`"
    )


if __name__ == "__main__":
    run("rerun_rows", __doc__, measure, add_options)
