"""Jobs that submitit submits: to Slurm, or to processes of this machine."""

from __future__ import annotations

import getpass
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...zoo import MisuseError
from ...zoo.files import ensure_writable
from .answering import answer
from .extras import extra
from .items import WorkerDiedError

#: Minutes that a job may take, unless `--sbatch time=…` says otherwise.
MINUTES = 60
#: Seconds between two looks for an answer, and between two questions to Slurm.
LOOK, ASK = 0.5, 10.0
#: Seconds that an answer may take from Slurm's machine to this one, through a shared file system.
ON_THE_WAY = 15.0


@contextmanager
def slurm_jobs(
    folder: Path, jobs: int, threads: int, device: str, sbatch: Sequence[tuple[str, str]]
) -> Iterator[list[Slot]]:
    """So many jobs of Slurm at once, an item each.

    Args:
        folder: of what jobs are told and say, which all machines see under this path.
        threads: cores that each job asks for.
        device: as of `--device`; with "cuda" each job asks for a GPU.
        sbatch: further options of sbatch by name, e.g. ("partition", "gpu").

    MisuseError where submitit or Slurm is not installed.
    """
    submitit = extra("submitit", "slurm")
    kind, folder = submitit.SlurmExecutor, _own_folder(folder)
    if kind.affinity() < 0:
        raise MisuseError("this machine has no Slurm (`srun` is not found); use another --engine")
    asked = {"gpus": "1"} if device.startswith("cuda") else {}
    asked |= {name.replace("-", "_"): value for name, value in sbatch}
    gone, slots = Queue().lacks, []
    for _ in range(jobs):
        executor = kind(folder)
        executor.update_parameters(
            job_name="splitzoo", time=MINUTES, cpus_per_task=threads, additional_parameters=asked
        )
        slots.append(Slot(device, threads, executor, gone, ON_THE_WAY))
    yield slots


@contextmanager
def local_jobs(folder: Path, jobs: int, threads: int, gpus: int) -> Iterator[list[Slot]]:
    """The same with submitit's processes of this machine, each with one of its GPUs, if any."""
    submitit = extra("submitit", "slurm")
    device, folder, slots = "cuda" if gpus else "cpu", _own_folder(folder), []
    for number in range(jobs):
        executor = submitit.LocalExecutor(folder)
        given = {"gpus_per_node": 1, "visible_gpus": (number % gpus,)} if gpus else {}
        executor.update_parameters(timeout_min=7 * 24 * 60, **given)
        slots.append(Slot(device, threads, executor, _has_ended, 0.0))
    yield slots


@dataclass
class Slot:
    """A job at a time, each for one item.

    Attributes:
        gone: whether a job, submitted at that time, neither waits nor runs.
        on_the_way: seconds that its answer may then still take.
    """

    device: str
    threads: int
    executor: Any
    gone: Callable[[Any, float], bool]
    on_the_way: float
    job: Any = None

    def carry_out(self, item: str) -> str:
        try:
            job = self.job = self.executor.submit(answer, item)
        except RuntimeError as error:  # what sbatch says
            raise MisuseError(f"the job was not taken: {_last_line(error)}") from error
        try:
            self._wait()
            said: str = job.result()
        finally:
            self.job = None
        for path in (job.paths.submitted_pickle, job.paths.result_pickle):
            path.unlink(missing_ok=True)
        return said

    def _wait(self) -> None:
        """Until the answer is there. WorkerDiedError where none comes."""
        job, since, ended = self.job, time.monotonic(), None
        while not job.paths.result_pickle.exists():
            if ended is not None and time.monotonic() >= ended + self.on_the_way:
                words = f"job {job.job_id} ended without an answer, see {job.paths.stderr}"
                raise WorkerDiedError(words)
            if ended is None and self.gone(job, since):
                ended = time.monotonic()
            else:
                time.sleep(LOOK)

    def end(self) -> None:
        if (job := self.job) is not None:
            job.cancel(check=False)


class Queue:
    """Which jobs Slurm still knows of: asked for all at once, and not for each again and again.

    Accounting, which submitit would ask, is not kept everywhere.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked = float("-inf")
        self._listed: set[str] = set()

    def lacks(self, job: Any, since: float) -> bool:
        """Whether a job that was submitted at `since` neither waits nor runs."""
        with self._lock:
            if self._asked < max(since, time.monotonic() - ASK):
                command = ["squeue", "--noheader", "--user", getpass.getuser(), "--format", "%i"]
                with suppress(subprocess.SubprocessError, OSError):  # a busy Slurm is asked later
                    said = subprocess.run(
                        command, capture_output=True, text=True, timeout=60, check=True
                    )
                    self._asked, self._listed = time.monotonic(), set(said.stdout.split())
            return self._asked >= since and job.job_id not in self._listed


def _has_ended(job: Any, since: float) -> bool:
    """Whether the process of a job of this machine has ended."""
    ended: bool = job.done()
    return ended


def _own_folder(folder: Path) -> Path:
    """A new folder for this command's jobs: numbers of jobs that are processes come again."""
    ensure_writable(folder)
    return Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=folder.absolute()))


def _last_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__
