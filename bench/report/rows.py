"""Rows: what the stored results say, averaged over seeds, and as a table for pandas."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

from ..scenarios import Scenario
from ..score.metric import metrics_of
from ..score.metrics.ssim import RECOGNISABLE_SSIM
from ..store import PUBLISHED
from ..store.folder import ResultStore
from ..store.result import PerImage, Result
from .standing import standing


@dataclass(frozen=True)
class Row:
    """An attack on a scenario: one result for each seed that it was run with, in their order."""

    results: tuple[Result, ...]

    @cached_property
    def scenario(self) -> Scenario:
        """What was attacked."""
        return self.results[0].where

    @property
    def attack(self) -> str:
        """The catalogue's name of the attack."""
        return self.results[0].attack.name

    @property
    def label(self) -> str:
        """What the row is called: the attack's name, and a mark of fields that were chosen."""
        return self.results[0].label

    @property
    def profile(self) -> str:
        """The profile of its images."""
        return self.results[0].profile

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that it was run with."""
        return tuple(result.seed for result in self.results)

    @property
    def failures(self) -> list[str]:
        """Why the attack failed, a line for each seed with which it did."""
        failed = (result for result in self.results if result.failure is not None)
        return [f"{self.scenario.key} {self.label}, seed {r.seed}: {r.failure}" for r in failed]

    @cached_property
    def per_image(self) -> PerImage:
        """Each image's values, averaged over the seeds; a share of seeds where they are truths.

        Averaged image by image first, so that an interval over images stays what it is.
        """
        reported = [result.reported for result in self.results]
        if len(reported) == 1:
            return reported[0]
        means = {
            name: [fmean(values) for values in zip(*(each[name] for each in reported), strict=True)]
            for name in reported[0]
        }
        return {**means, "indices": reported[0]["indices"]}

    @property
    def recognisable(self) -> list[float]:
        """Each image's share of seeds with which it came back recognisable."""
        ssim = [result.reported["ssim"] for result in self.results]
        return [
            fmean(value > RECOGNISABLE_SSIM for value in values)
            for values in zip(*ssim, strict=True)
        ]

    @property
    def shares(self) -> dict[str, float]:
        """By title, the share of images that are recognisable, and for which each truth holds."""
        metrics = metrics_of(self.scenario.target.dataset.name).values()
        truths = [metric for metric in metrics if metric.digits is None]
        found = {metric.title: fmean(self.per_image[metric.name]) for metric in truths}
        return {"recognisable": fmean(self.recognisable), **found}

    @property
    def ran(self) -> str:
        """How the attack was kept from the secret images."""
        return ", ".join(dict.fromkeys(r.isolation.replace("_", " ") for r in self.results))

    @property
    def verified(self) -> str:
        """How it was run again, and for how many of its seeds if not all; empty for not yet."""
        checked = [result for result in self.results if result.verified]
        how = dict.fromkeys(c.how.replace("_", " ") for r in checked for c in r.verified)
        if 0 < len(checked) < len(self.seeds):
            return ", ".join([*how, f"{len(checked)} of {len(self.seeds)} seeds"])
        return ", ".join(how)

    @property
    def borne_out(self) -> bool:
        """Whether nobody who ran it again found something else."""
        return all(check.agrees for result in self.results for check in result.verified)

    @property
    def n(self) -> int:
        """How many images."""
        return len(self.results[0].reported["indices"])

    @property
    def seconds_per_image(self) -> float:
        """What attacking an image took, once the offline work was done."""
        return self.cost("online_seconds") / self.n

    def cost(self, name: str) -> float:
        """A field of `Cost`, averaged over the seeds."""
        return fmean(getattr(result.cost, name) for result in self.results)


def rows(results: Iterable[Result]) -> list[Row]:
    """Results grouped into rows; a row with a failure among its seeds is left to `failures`."""
    return [row for row in _grouped(results) if not row.failures]


def failures(results: Iterable[Result]) -> list[str]:
    """A line for each run that failed; its row is not averaged over the seeds that did not."""
    return [line for row in _grouped(results) for line in row.failures]


def _grouped(results: Iterable[Result]) -> list[Row]:
    groups: dict[tuple[Scenario, str], list[Result]] = {}
    for result in results:
        groups.setdefault((result.where, result.label), []).append(result)
    return [Row(tuple(sorted(group, key=lambda r: r.seed))) for group in groups.values()]


def load_results(folder: str | Path = PUBLISHED, profile: str = "standard") -> list[dict[str, Any]]:
    """Every stored value as a row of a long table, e.g. for `pandas.DataFrame(load_results())`.

    Only results that count stand in it, those that the page shows; ResultError where there is none.
    Columns: setting, network, split, defence (with its fields, empty for none), attack, label (the
    attack with a mark of fields that were chosen), seed, profile, image (position in the test
    part), metric, value. Truths are 0 and 1. Failed runs have one row, of metric "failure".
    """
    table = []
    store = ResultStore(Path(folder))
    found = standing(store, profile)
    if not found.results:
        raise store.nothing("current results", profile)
    for result in found.results:
        scenario = result.scenario
        about: dict[str, Any] = {
            "setting": scenario.setting,
            "network": scenario.network,
            "split": scenario.split,
            "defence": result.where.defence.label if result.where.defence else None,
            "attack": result.attack.name,
            "label": result.label,
            "seed": result.seed,
            "profile": scenario.profile,
        }
        if result.failure is not None:
            table.append({**about, "image": None, "metric": "failure", "value": result.failure})
            continue
        for metric, values in result.reported.items():
            if metric != "indices":
                for image, value in zip(result.reported["indices"], values, strict=True):
                    table.append({**about, "image": image, "metric": metric, "value": +value})
    return table


def as_text(table: Sequence[dict[str, Any]], style: str) -> str:
    """`load_results`' rows as "csv" or "json"."""
    if style == "json":
        return json.dumps(list(table), indent=0) + "\n"
    buffer = io.StringIO()
    columns = list(table[0]) if table else []
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return buffer.getvalue()
