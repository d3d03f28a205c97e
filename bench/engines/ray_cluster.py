"""A Ray cluster: one that runs, or one of this machine that begins and ends with the command."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...zoo import MisuseError
from ...zoo.whole import first_line
from .answering import answer
from .extras import extra
from .items import WorkerDiedError


@contextmanager
def slots(
    address: str | None, jobs: int | None, threads: int | None, device: str
) -> Iterator[list[Slot]]:
    """Workers of the cluster at `address`; for None of the one that Ray finds, or makes here.

    Args:
        jobs: how many; None for one on every GPU, or core, that the cluster has.
        threads: of each, which Ray sets cores aside for; None for its share of the cluster's.
        device: as of `--device`; but for "cpu" each has a GPU of its own where there are any.

    MisuseError where Ray is not installed, no cluster answers, or none of its machines has so many
    cores.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
    ray = extra("ray", "ray")
    try:
        ray.init(address=address, log_to_driver=False, logging_level="error")
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise MisuseError(
            f"no Ray cluster{f' at {address}' if address else ''} can be used "
            f"({first_line(error)}); begin one with `ray start --head`, "
            "or set RAY_AUTH_MODE=token where it asks for one"
        ) from error
    try:
        has = ray.cluster_resources()
        cores, gpus = int(has.get("CPU", 1)), 0 if device == "cpu" else int(has.get("GPU", 0))
        jobs = jobs or gpus or max(1, cores // (threads or 1))
        most = int(max(node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]))
        threads = threads or max(1, min(cores // jobs, most))
        if threads > most:
            raise MisuseError(
                f"no machine of the cluster has {threads} cores; give fewer --threads"
            )
        # Attempts are counted by the policy that all engines share.
        task = ray.remote(num_cpus=threads, num_gpus=1 if gpus else 0, max_retries=0)(answer)
        yield [Slot(ray, task, device, threads) for _ in range(jobs)]
    finally:
        ray.shutdown()


class Slot:
    """An item at a time on the cluster, wherever Ray finds room."""

    def __init__(self, ray: Any, task: Any, device: str, threads: int) -> None:
        self.device, self.threads = device, threads
        self._ray, self._task = ray, task
        self._doing: Any = None

    def carry_out(self, item: str) -> str:
        try:
            self._doing = self._task.remote(item)
            said: str = self._ray.get(self._doing)
        except self._ray.exceptions.RayError as error:
            raise WorkerDiedError(first_line(error)) from error
        finally:
            self._doing = None
        return said

    def end(self) -> None:
        if (doing := self._doing) is not None:
            self._ray.cancel(doing, force=True)
