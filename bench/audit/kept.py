"""The cuts that are finished, one file each, so that an audit that was interrupted goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ...zoo.tensor_files import write_tensors
from .record import CutAudit


@dataclass(frozen=True)
class Kept:
    """A folder of finished cuts: what was found, and what was recovered by attack."""

    folder: Path

    def load(self, at: str, key: str) -> tuple[CutAudit, dict[str, Tensor]] | None:
        """What is kept of a cut under that key; None where that is nothing, or damaged."""
        try:
            with safe_open(self._path(at), framework="pt") as file:
                found = msgspec.json.decode((file.metadata() or {})["found"], type=CutAudit)
                images = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError, KeyError, msgspec.MsgspecError):
            return None
        complete = found.key == key and images.keys() == {each.key for each in found.attacked}
        return (found, images) if complete else None

    def save(self, found: CutAudit, images: Mapping[str, Tensor]) -> None:
        """Keep a finished cut, atomically."""
        metadata = {"found": msgspec.json.encode(found).decode()}
        write_tensors(self._path(found.at), images, metadata)

    def _path(self, at: str) -> Path:
        return self.folder / f"{at}.safetensors"
