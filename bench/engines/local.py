"""Runs side by side, in processes of this machine that share its cores."""

from __future__ import annotations

import multiprocessing
import queue
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import torch

from ...attacks import load_attack
from ...zoo import SplitzooError
from ..referee.runs import Run, ensure_result, keep_failure
from ..referee.workers import Limits
from ..store.folder import ResultStore
from ..store.result import Result
from .wording import announce, outcome

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
    serve = partial(_serve, store, device, threads, tuple(references), limits, fresh)
    processes = [Process(store, device, serve) for _ in range(min(jobs, len(runs)))]

    def hand_out(process: Process) -> None:
        """Give a process what waits, run by run, until nothing does."""
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

    helpers = [threading.Thread(target=hand_out, args=(p,), daemon=True) for p in processes]
    for helper in helpers:
        helper.start()
    try:
        for helper in helpers:
            while helper.is_alive():  # a join without end would not hear Ctrl-C everywhere
                helper.join(0.2)
    except KeyboardInterrupt as interrupt:
        stops.append(interrupt)
    if stops:
        for process in processes:
            process.kill()
        raise stops[0]
    return [found[number] for number in range(len(runs))]


class Process:
    """A process that carries out one run after another, begun again when it dies."""

    def __init__(
        self, store: ResultStore, device: torch.device, serve: Callable[[Connection], None]
    ) -> None:
        self.store, self.device, self.serve = store, device, serve
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
            found = self.store.load(run.scenario, run.label, run.seed)
            assert found is not None
            result, note = found, answer
            break
        else:
            note, reason = "failed", f"its process died {ATTEMPTS} times"
            took = time.perf_counter() - began
            result = keep_failure(run, self.store, self.device, reason, took)
        line = f"{name} …\n{outcome(result, note, time.perf_counter() - began)}\n"
        print(line, end="", file=sys.stderr, flush=True)
        return result

    def kill(self) -> None:
        """Kill the process, if there is one; what it has finished is stored."""
        if self._process is not None:
            self._process.kill()

    def end(self) -> None:
        """Kill the process and wait for its end; the next run has a new one."""
        self.kill()
        if self._process is not None:
            self._process.join()
            self._process = None

    def _wire(self) -> Connection:
        if self._process is None:
            spawning = multiprocessing.get_context("spawn")
            self._ours, theirs = spawning.Pipe()
            self._process = spawning.Process(target=self.serve, args=(theirs,), daemon=True)
            self._process.start()
            theirs.close()
        return self._ours


def _serve(
    store: ResultStore,
    device: torch.device,
    threads: int,
    references: Sequence[str],
    limits: Limits | None,
    fresh: bool,
    wire: Connection,
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
