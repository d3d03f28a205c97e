"""Attacks on scenarios, as work for an engine."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ...attacks import load_attack
from ...attacks.tuned import Digest
from ...zoo import ResultError, SplitzooError, get_defence, pick_device
from ..referee.runs import Run, ensure_result, keep_failure, kept_result
from ..referee.workers import Limits, absolute
from ..report.pace import core_seconds
from ..scenarios import scenario
from ..store import PUBLISHED
from ..store.folder import ResultStore
from ..store.result import DefenceUsed, Result
from .carrying import Worker, carry_out_all
from .items import Item
from .wording import announce, outcome

#: Seconds in which a result that another machine has stored must be seen here: a network's file
#: system may remember for that long that there was none.
SEEN_WITHIN = 60.0


class AttackItem(Item, frozen=True, kw_only=True, tag="attack"):
    """An attack on a scenario.

    Attributes:
        key: the run's content key. A worker whose checkout would make another result refuses.
        scenario: "setting/network/split".
        reference: what the attack is loaded by, where the catalogue does not have it.
        results: folder of the store, which all machines see under this path.
    """

    key: Digest
    scenario: str
    profile: str
    attack: str
    seed: int
    overrides: dict[str, Any]
    defence: DefenceUsed | None
    reference: str | None
    results: str
    fresh: bool
    limits: Limits | None

    def run(self) -> Run:
        """The run that it is about."""
        used = self.defence
        defence = None if used is None else get_defence(used.name)(**used.fields)
        where = scenario(self.scenario, self.profile, defence)
        return Run(where, self.attack, self.seed, tuple(self.overrides.items()))

    def carry_out(self) -> str:
        if self.reference is not None:
            load_attack(self.reference)
        run, device = self.run(), pick_device(self.device)
        if run.digest != self.key:
            raise SplitzooError(
                f"a worker's Splitzoo would make another result of {run.key} than the one asked "
                "for; give all machines the same checkout and checkpoints"
            )
        store = ResultStore(Path(self.results))
        _, note = ensure_result(run, store, device, fresh=self.fresh, limits=self.limits)
        return note


@dataclass(frozen=True)
class AttackTask:
    """A run whose result goes to a store; `device` is where its failure is said to be made."""

    run: Run
    store: ResultStore
    device: torch.device
    reference: str | None = None
    fresh: bool = False
    limits: Limits | None = None

    @property
    def name(self) -> str:
        return f"{self.run.scenario.key} {self.run.label}"

    def kept(self) -> tuple[Result, str] | None:
        if self.fresh:
            return None
        began = time.perf_counter()
        result, note = kept_result(self.run, self.store)
        if result is None:
            return None
        return result, outcome(result, note, time.perf_counter() - began)

    def item(self, device: str, threads: int) -> AttackItem:
        where = self.run.scenario
        defence = where.described_defence()
        return AttackItem(
            device=device,
            threads=threads,
            key=self.run.digest,
            scenario=f"{where.setting.name}/{where.target.name}",
            profile=where.profile,
            attack=self.run.attack,
            seed=self.run.seed,
            overrides=dict(self.run.overrides),
            defence=None if defence is None else DefenceUsed(**defence),
            reference=self.reference,
            results=str(self.store.folder.absolute()),
            fresh=self.fresh,
            limits=self.limits,
        )

    def finished(self, note: str, seconds: float) -> tuple[Result, str]:
        run, until = self.run, time.monotonic() + SEEN_WITHIN
        while (found := self.store.load(run.scenario, run.label, run.seed)) is None:
            if time.monotonic() > until:
                raise ResultError(
                    f"a worker has stored {run.key}, and {self.store.folder} does not have it; "
                    "give --results a folder that every machine sees under the same path"
                )
            time.sleep(1)
        return found, outcome(found, note, seconds)

    def failed(self, reason: str, seconds: float) -> tuple[Result, str]:
        result = keep_failure(self.run, self.store, self.device, reason, seconds)
        return result, outcome(result, "failed", seconds)


def attack_all(
    runs: Sequence[Run],
    store: ResultStore,
    workers: Sequence[Worker],
    *,
    where: str,
    device: torch.device,
    references: Mapping[str, str] | None = None,
    fresh: bool = False,
    limits: Limits | None = None,
) -> list[Result]:
    """As `here.carry_out_all`, by an engine's workers, the longest first.

    Args:
        where: the work is done, in words.
        device: of failures that no worker lived to store.
        references: what an attack of that name is loaded by, where the catalogue has it not.
    """
    announce(runs, store, where)
    known = {name: absolute(each) for name, each in (references or {}).items()}
    order = longest_first(runs)
    found = carry_out_all(
        [
            AttackTask(run, store, device, known.get(run.attack), fresh, limits)
            for run in (runs[number] for number in order)
        ],
        workers,
    )
    by_number = dict(zip(order, found, strict=True))
    return [by_number[number] for number in range(len(runs))]


def longest_first(runs: Sequence[Run]) -> list[int]:
    """Numbers of the runs, in the order of what their rows took that are published; what nobody
    knows of comes first."""
    published = ResultStore(PUBLISHED).all("standard")
    took = {(each.where, each.label): core_seconds(each) for each in published}

    def seconds(number: int) -> float:
        run = runs[number]
        return took.get((run.scenario.on("standard"), run.label), float("inf"))

    return sorted(range(len(runs)), key=seconds, reverse=True)
