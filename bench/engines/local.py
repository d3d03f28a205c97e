"""Processes of this machine that share its cores."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import torch

from .answering import answer
from .items import WorkerDiedError


@contextmanager
def processes(jobs: int, threads: int | None, device: torch.device) -> Iterator[list[Process]]:
    """So many workers.

    Args:
        threads: of each; None for its share of this process's, so that they do not fight for the
            cores.
        device: where there are several CUDA devices and none is named, each has one of them.
    """
    share = threads or max(1, torch.get_num_threads() // jobs)
    names = [str(device)]
    if str(device) == "cuda":
        names = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    yield [Process(names[number % len(names)], share) for number in range(jobs)]


class Process:
    """A process that carries out one item after another, begun again when it dies."""

    def __init__(self, device: str, threads: int) -> None:
        self.device, self.threads = device, threads
        self._process: BaseProcess | None = None

    def carry_out(self, item: str) -> str:
        try:
            wire = self._wire()
            wire.send(item)
            said: str = wire.recv()
        except (EOFError, OSError) as error:
            self.end()
            raise WorkerDiedError("its process has gone") from error
        return said

    def end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.join()

    def _wire(self) -> Connection:
        if self._process is None:
            spawning = multiprocessing.get_context("spawn")
            self._ours, theirs = spawning.Pipe()
            self._process = spawning.Process(target=_serve, args=(theirs,), daemon=True)
            self._process.start()
            theirs.close()
        return self._ours


def _serve(wire: Connection) -> None:
    """What a process does: answer what it is sent, until nobody sends."""
    while True:
        try:
            wire.send(answer(wire.recv()))
        except (EOFError, KeyboardInterrupt):
            return
