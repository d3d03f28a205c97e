"""Checkpoints to train, as work for an engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...attacks.tuned import Digest
from ...zoo import ResultError, SplitzooError, pick_device
from ...zoo.records import Record
from ...zoo.words import duration
from ..referee.checkpoints import Checkpoints, training_key
from .carrying import Worker, carry_out_all
from .items import Item


class TrainItem(Item, frozen=True, kw_only=True, tag="train"):
    """A checkpoint by its name.

    Attributes:
        key: the content key. A worker whose checkout would train another network refuses.
        folder: where it goes, which all machines see under this path.
    """

    key: Digest
    name: str
    precision: str
    folder: str

    def carry_out(self) -> str:
        if training_key(self.name) != self.key:
            raise SplitzooError(
                f"a worker's Splitzoo would train another {self.name} than the one asked for; give "
                "all machines the same checkout and checkpoints"
            )
        checkpoints = Checkpoints(Path(self.folder))
        return reached(checkpoints.train(self.name, pick_device(self.device), self.precision))


@dataclass(frozen=True)
class TrainTask:
    """A checkpoint that is to be made; its outcome is its record, or None where it failed."""

    name: str
    checkpoints: Checkpoints
    precision: str

    def kept(self) -> None:
        """Nothing: who asks for a checkpoint by name wants it made."""

    def item(self, device: str, threads: int) -> TrainItem:
        return TrainItem(
            device=device,
            threads=threads,
            key=training_key(self.name),
            name=self.name,
            precision=self.precision,
            folder=str(self.checkpoints.folder.absolute()),
        )

    def finished(self, note: str, seconds: float) -> tuple[Record | None, str]:
        record = self.checkpoints.record(self.name)
        if record is None:
            raise ResultError(
                f"a worker has trained {self.name}, and {self.checkpoints.folder} does not have "
                "it; give --out a folder that every machine sees under the same path"
            )
        self.checkpoints.settle(record)
        return record, f"      {note}   (took {duration(seconds)})"

    def failed(self, reason: str, seconds: float) -> tuple[Record | None, str]:
        return None, f"      failed: {reason}"


def train_all(
    names: Sequence[str], checkpoints: Checkpoints, precision: str, workers: Sequence[Worker]
) -> list[Record | None]:
    """The records of checkpoints that rest on none of each other; None for one that failed."""
    return carry_out_all([TrainTask(name, checkpoints, precision) for name in names], workers)


def reached(record: Record) -> str:
    """What a record says that its network can, in a line."""
    return ", ".join(f"{key} {value}" for key, value in record.reached.items())
