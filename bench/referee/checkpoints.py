"""Where trained checkpoints go: a folder with a record beside each, or the zoo itself."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from ...zoo.cards import write_card
from ...zoo.files import ensure_writable, write_text
from ...zoo.manifests import FOLDER, add_record, manifest, read_record
from ...zoo.records import Record
from ...zoo.training import recipes
from . import offline
from .runs import Run


@dataclass(frozen=True)
class Checkpoints:
    """A folder of `NAME.safetensors`; `adopt` is whether its networks become the zoo's own."""

    folder: Path
    adopt: bool = False

    @classmethod
    def of_the_zoo(cls) -> Checkpoints:
        """Those that are published, in place of which new ones go."""
        return cls(FOLDER, adopt=True)

    def record(self, name: str) -> Record | None:
        """What is known of a checkpoint there: by the file beside it, or by the manifest."""
        path = self._beside(name)
        if path.is_file() and path.with_suffix(".safetensors").is_file():
            return read_record(path)
        return manifest().records.get(name) if self.adopt else None

    def lacks(self, name: str) -> bool:
        """Whether there is none by the present recipe, of the present target."""
        return not offline.is_finished(name, self.record(name))

    def stages(self, names: list[str]) -> list[list[str]]:
        """The names in groups, of which none rests on what a later one makes: networks that become
        the zoo's come before all that is learned from them."""
        targets = [name for name in names if self.adopt and name in recipes()]
        rest = [name for name in names if name not in targets]
        return [group for group in (targets, rest) if group]

    def train(self, name: str, device: torch.device, precision: str) -> Record:
        """Train a checkpoint into the folder, its record beside it; what was interrupted goes on.

        UnknownNameError for a name that is not in `offline.trainable()`.
        """
        trained = offline.train(
            name, device, precision=precision, before=lambda: ensure_writable(self.folder)
        )
        record = offline.write(name, trained, self.folder)
        text = json.dumps(asdict(record), indent=2, ensure_ascii=False) + "\n"
        write_text(self._beside(name), text)
        offline.progress_path(name).unlink(missing_ok=True)  # the network is stored
        return record

    def settle(self, record: Record) -> None:
        """Let a checkpoint that was trained into the zoo's folder take its place in the zoo."""
        if self.adopt:
            add_record(record)
            write_card(record)
            self._beside(record.name).unlink(missing_ok=True)

    def _beside(self, name: str) -> Path:
        return (self.folder / name).with_suffix(".json")


def training_key(name: str) -> str:
    """sha256 of all that makes a checkpoint what it is: its recipe, and what it is trained against.

    UnknownNameError for a name that is not in `offline.trainable()`.
    """
    what = offline.known(name)
    target = what.target_sha256 if isinstance(what, Run) else None
    identity = {"name": name, "recipe": offline.recipe_of(name), "target_sha256": target}
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
