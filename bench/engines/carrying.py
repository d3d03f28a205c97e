"""What all engines share: who gets what, what a worker's death leads to, and what is said of it."""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from ..referee.workers import line_of
from .items import Answer, Item, WorkerDiedError

T = TypeVar("T")
Outcome_co = TypeVar("Outcome_co", covariant=True)

#: How often a piece of work is begun whose worker dies over it, before that is its outcome.
ATTEMPTS = 3


class Worker(Protocol):
    """Somewhere else, where one item after another is carried out: what an engine provides.

    Attributes:
        device, threads: what items are told to compute with there.
    """

    device: str
    threads: int

    def carry_out(self, item: str) -> str:
        """An item's text to its answer's, by `answering.answer` over there; WorkerDiedError where
        none comes. The next item finds a worker again."""

    def end(self) -> None:
        """Stop what is being done. Also called by another thread, while `carry_out` waits."""


class Task(Protocol[Outcome_co]):
    """A piece of work as the policy sees it. Each outcome comes with a line that says it."""

    @property
    def name(self) -> str:
        """What lines about it begin with."""

    def kept(self) -> tuple[Outcome_co, str] | None:
        """The outcome that is there already, so that no worker is needed; None for none."""

    def item(self, device: str, threads: int) -> Item:
        """What a worker is to do."""

    def finished(self, note: str, seconds: float) -> tuple[Outcome_co, str]:
        """The outcome that a worker has stored."""

    def failed(self, reason: str, seconds: float) -> tuple[Outcome_co, str]:
        """Store that it has failed, and say so."""


def carry_out_all(tasks: Sequence[Task[T]], workers: Sequence[Worker]) -> list[T]:
    """Every task's outcome, by workers that take one task after another.

    A task whose worker dies is begun again, where it stopped, and after ATTEMPTS times has failed.
    What a worker refuses with a SplitzooError ends all, as an interrupt does: then the workers are
    ended at once, and what they have stored stays.
    """
    return _Carrying(tasks).by(workers)


class _Carrying(Generic[T]):
    """One call of `carry_out_all`: what waits, what was found, and whether to stop."""

    def __init__(self, tasks: Sequence[Task[T]]) -> None:
        self.tasks = tasks
        self.waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in range(len(tasks)):
            self.waiting.put(number)
        self.found: dict[int, T] = {}
        self.ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self.stopping = threading.Event()

    def by(self, workers: Sequence[Worker]) -> list[T]:
        """Have a thread wait for each worker."""
        try:
            for worker in workers:
                threading.Thread(target=self._serve, args=(worker,), daemon=True).start()
            for _ in workers:
                if error := self._next_end():
                    raise error
        finally:
            self.stopping.set()
            for worker in workers:
                worker.end()
        return [self.found[number] for number in range(len(self.tasks))]

    def _next_end(self) -> BaseException | None:
        """Why a worker is no longer needed: an error, or None where nothing waits any more."""
        while True:
            try:
                return self.ended.get(timeout=0.2)  # without end it would not hear Ctrl-C
            except queue.Empty:
                continue

    def _serve(self, worker: Worker) -> None:
        """Give a worker what waits, task by task, until nothing does."""
        try:
            while not self.stopping.is_set():
                number = self.waiting.get_nowait()
                self.found[number] = self._outcome(number, worker)
        except queue.Empty:
            self.ended.put(None)
        except BaseException as error:
            self.ended.put(error)

    def _outcome(self, number: int, worker: Worker) -> T:
        task, began = self.tasks[number], time.perf_counter()
        name = f"[{number + 1}/{len(self.tasks)}] {task.name}"
        outcome, line = task.kept() or self._by_worker(task, worker, name, began)
        print(f"{name} …\n{line}\n", end="", file=sys.stderr, flush=True)
        return outcome

    def _by_worker(self, task: Task[T], worker: Worker, name: str, began: float) -> tuple[T, str]:
        reason = ""
        for attempt in range(1, ATTEMPTS + 1):
            item = task.item(worker.device, worker.threads).encoded()
            try:
                note = msgspec.json.decode(worker.carry_out(item), type=Answer).read()
                return task.finished(note, time.perf_counter() - began)
            except WorkerDiedError as death:
                if self.stopping.is_set():
                    raise
                reason = line_of(death)
                line = f"{name}: its worker died ({reason}), attempt {attempt} of {ATTEMPTS}\n"
                print(line, end="", file=sys.stderr, flush=True)
        reason = f"its worker died {ATTEMPTS} times, at last: {reason}"
        return task.failed(reason, time.perf_counter() - began)
