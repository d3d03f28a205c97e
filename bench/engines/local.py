"""Runs side by side, in processes of this machine that share its cores."""

from __future__ import annotations

import multiprocessing
import queue
import sys
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import ClassVar

import torch

from ...attacks import load_attack
from ...zoo import SplitzooError
from ..referee.runs import Run, ensure_result, keep_failure
from ..referee.workers import Limits
from ..store.folder import ResultStore
from ..store.result import Result
from .wording import announce, score_of

#: How often a run is begun whose process dies under it, before that is its outcome.
ATTEMPTS = 3


def carry_out_all(
    runs: Sequence[Run],
    store: ResultStore,
    device: torch.device,
    *,
    jobs: int,
    references: Sequence[str] = (),
    fresh: bool = False,
    limits: Limits | None = None,
) -> list[Result]:
    """As `here.carry_out_all`, with `jobs` processes that take one run after another.

    Each has its share of this process's threads, so that they do not fight for the cores. A run
    whose process dies is begun again, where it stopped, and after ATTEMPTS times has failed.

    Args:
        references: of attacks that the catalogue does not have, for every process to load.
    """
    threads = max(1, torch.get_num_threads() // jobs)
    announce(runs, store, device, f", {jobs} processes of {threads} threads")
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(runs)):
        waiting.put(number)
    found: dict[int, Result] = {}
    stops: list[BaseException] = []

    def hand_out() -> None:
        """Give one process after another what waits, until nothing does."""
        process = Process(store, device, threads, references, limits, fresh)
        try:
            while not stops:
                number = waiting.get_nowait()
                found[number] = process.carry_out(runs[number], f"[{number + 1}/{len(runs)}]")
        except queue.Empty:
            pass
        except BaseException as error:
            stops.append(error)
        finally:
            process.end()

    helpers = [threading.Thread(target=hand_out, daemon=True) for _ in range(min(jobs, len(runs)))]
    for helper in helpers:
        helper.start()
    try:
        for helper in helpers:
            while helper.is_alive():  # a join without end would not hear Ctrl-C everywhere
                helper.join(0.2)
    except KeyboardInterrupt as interrupt:
        stops.append(interrupt)
    if stops:
        Process.end_all()
        raise stops[0]
    return [found[number] for number in range(len(runs))]


class Process:
    """A process that carries out one run after another, begun again when it dies."""

    _alive: ClassVar[set[BaseProcess]] = set()

    def __init__(
        self,
        store: ResultStore,
        device: torch.device,
        threads: int,
        references: Sequence[str],
        limits: Limits | None,
        fresh: bool,
    ) -> None:
        self.store, self.device, self.threads = store, device, threads
        self.references, self.limits, self.fresh = tuple(references), limits, fresh
        self._process: BaseProcess | None = None

    def carry_out(self, run: Run, number: str) -> Result:
        """The run's result; a SplitzooError that it raised there is raised here."""
        name, began = f"{number} {run.scenario.key} {run.label}", time.perf_counter()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                wire = self._wire()
                wire.send(run)
                answer: SplitzooError | str = wire.recv()
            except (EOFError, OSError):
                print(f"{name}: its process died, attempt {attempt} of {ATTEMPTS}", file=sys.stderr)
                self.end()
                continue
            if isinstance(answer, SplitzooError):
                raise answer
            result = self.store.load(run.scenario, run.label, run.seed)
            assert result is not None
            break
        else:
            answer, took = "failed", time.perf_counter() - began
            reason = f"its process died {ATTEMPTS} times"
            result = keep_failure(run, self.store, self.device, reason, took)
        took = time.perf_counter() - began
        line = f"{name} …\n      {score_of(result)}   ({answer}, took {took:.1f} s)\n"
        print(line, end="", file=sys.stderr, flush=True)
        return result

    def end(self) -> None:
        """End the process, if there is one; what it has finished is stored."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._alive.discard(self._process)
            self._process = None

    @classmethod
    def end_all(cls) -> None:
        """End every process there is."""
        for process in list(cls._alive):
            process.kill()

    def _wire(self) -> Connection:
        if self._process is None:
            spawning = multiprocessing.get_context("spawn")
            self._ours, theirs = spawning.Pipe()
            given = (
                theirs, self.store, self.device, self.threads, self.references, self.limits,
                self.fresh,
            )  # fmt: skip
            self._process = spawning.Process(target=_serve, args=given, daemon=True)
            self._process.start()
            self._alive.add(self._process)
            theirs.close()
        return self._ours


def _serve(
    wire: Connection,
    store: ResultStore,
    device: torch.device,
    threads: int,
    references: Sequence[str],
    limits: Limits | None,
    fresh: bool,
) -> None:
    """What a process does: carry out what it is sent, until nobody sends."""
    torch.set_num_threads(threads)
    for reference in references:
        load_attack(reference)
    while True:
        try:
            run: Run = wire.recv()
        except (EOFError, KeyboardInterrupt):
            return
        try:
            _, note = ensure_result(run, store, device, fresh=fresh, limits=limits)
            wire.send(note)
        except SplitzooError as error:
            wire.send(error)
        except KeyboardInterrupt:
            return
