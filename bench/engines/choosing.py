"""Workers of the engine that a command's options name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from ...zoo import describe_device, pick_device
from . import local, ray_cluster, submitted
from .carrying import Worker

#: Jobs that wait or run at once, where the caller does not say.
SLURM_JOBS = 16


@dataclass(frozen=True)
class Wanted:
    """What a caller wants of an engine.

    Attributes:
        engine: one of ENGINES.
        jobs: workers at once; None for what the engine finds.
        threads: of each; None for its share of the cores.
        device: as of `--device`, where the workers are.
        address: of a Ray cluster.
        sbatch: options of sbatch by name.
    """

    engine: str = "local"
    jobs: int | None = None
    threads: int | None = None
    device: str = "auto"
    address: str | None = None
    sbatch: Sequence[tuple[str, str]] = ()

    @property
    def elsewhere(self) -> bool:
        """Whether this process only hands out, and others work."""
        return self.engine != "local" or (self.jobs or 1) > 1 or self.threads is not None

    def here(self) -> torch.device:
        """The device of this process. MisuseError where it is to work here, and there is none."""
        return pick_device("cpu" if self.engine in ("ray", "slurm") else self.device)

    @contextmanager
    def workers(self, tasks: int, logs: Path) -> Iterator[tuple[Sequence[Worker], str]]:
        """Workers for so many tasks, and where they are, in words.

        Args:
            logs: folder of what jobs say that another system runs.
        """
        jobs = None if self.jobs is None else min(self.jobs, max(tasks, 1))
        opened: AbstractContextManager[Sequence[Worker]]
        if self.engine == "ray":
            opened = ray_cluster.slots(self.address, jobs, self.threads, self.device)
            where = "on a Ray cluster"
        elif self.engine == "slurm":
            most = jobs or min(SLURM_JOBS, max(tasks, 1))
            opened = submitted.slurm_jobs(logs, most, self.threads or 1, self.device, self.sbatch)
            where = "by Slurm"
        else:
            device, jobs = self.here(), jobs or 1
            where = f"on {describe_device(device)}"
            if self.engine == "local":
                opened = local.processes(jobs, self.threads, device)
            else:
                threads = self.threads or max(1, torch.get_num_threads() // jobs)
                gpus = torch.cuda.device_count() if device.type == "cuda" else 0
                opened = submitted.local_jobs(logs, jobs, threads, gpus)
        with opened as workers:
            count = f"{len(workers)} at once with {workers[0].threads} threads each"
            yield workers, f"{where}, {count}"
