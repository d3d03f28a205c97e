"""Results on disk: one JSON per cell, attack and seed, and the recovered images beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ..zoo import ResultError
from ..zoo.files import sha256_file, sweep_unfinished, write_tensors, write_text
from .cells import Cell, check_names

#: Changes when evaluation images, targets or the meaning of a metric do; rows of different
#: versions are never compared. A metric that is added leaves the others comparable.
BENCHMARK_VERSION = 1

#: Per-image values without which a result is not one.
REQUIRED = {"indices", "psnr", "ssim", "exact", "label"}
PUBLISHED = Path(__file__).with_name("results")


@dataclass(frozen=True)
class Result:
    """One attack on one cell.

    Attributes:
        cell, attack, profile, seed: what was run; `attack` is the catalogue's name.
        key: everything that a current result must agree with: benchmark version, checkpoint
            and evaluation-set sha256, attack class, fields and source sha256, the sha256 of
            the network that it learned, if any, and of the judge.
        per_image: equally long lists: indices (in the test part), psnr (dB), ssim, exact, label
            (whether the judge still reads the secret's off it).
        cost: offline_seconds, online_seconds (all images), queries.
        made: device, versions, date.
        recovered_sha256: of the safetensors file beside the JSON.
    """

    cell: Cell
    attack: str
    profile: str
    seed: int
    key: Mapping[str, Any]
    per_image: Mapping[str, list[Any]]
    cost: Mapping[str, float]
    made: Mapping[str, Any]
    recovered_sha256: str

    def stale_because(self, key: Mapping[str, Any]) -> str:
        """Why this result does not belong to `key`; empty where it does."""
        names = [name for name in {**key, **self.key} if self.key.get(name) != key.get(name)]
        return ", ".join(names)


class ResultStore:
    """The results below one folder, `PROFILE/SETTING/NETWORK-SPLIT/ATTACK-seedN.json`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        sweep_unfinished(folder)

    def path(self, profile: str, cell: Cell, attack: str, seed: int) -> Path:
        """Where a result's JSON stands."""
        name = f"{cell.network}-{cell.split}"
        return self.folder / profile / cell.setting / name / f"{attack}-seed{seed}.json"

    def figures(self, profile: str) -> Path:
        """The folder of a profile's pictures."""
        return self.folder / profile / "figures"

    def save(self, result: Result, recovered: Tensor) -> Path:
        """Write the images (8 bits a channel), then the JSON, whose arrival makes it count."""
        path = self.path(result.profile, result.cell, result.attack, result.seed)
        write_tensors(path.with_suffix(".safetensors"), {"recovered": to_8_bit(recovered)})
        content = asdict(result)
        content["recovered_sha256"] = sha256_file(path.with_suffix(".safetensors"))
        write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
        return path

    def load(self, profile: str, cell: Cell, attack: str, seed: int = 0) -> Result | None:
        """The stored result, None where there is none. ResultError for a malformed one."""
        path = self.path(profile, cell, attack, seed)
        return self._read(path) if path.is_file() else None

    def all(self, profile: str) -> list[Result]:
        """Every result of a profile, in the order of their paths."""
        return [self._read(path) for path in sorted((self.folder / profile).glob("*/*/*.json"))]

    def _read(self, path: Path) -> Result:
        result = read_result(path)
        if self.path(result.profile, result.cell, result.attack, result.seed) != path:
            raise ResultError(f"{path} is another cell's result; move it back or delete it")
        return result

    def recovered(self, result: Result) -> Tensor:
        """The recovered images of a result, uint8 N×C×H×W, verified by their sha256."""
        path = self.path(result.profile, result.cell, result.attack, result.seed)
        path = path.with_suffix(".safetensors")
        try:
            if sha256_file(path) != result.recovered_sha256:
                raise ValueError("its sha256 is not the result's")
            return load_file(path)["recovered"]
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise ResultError(
                f"{path} does not belong to its result ({error}); delete both and run again"
            ) from error


def to_8_bit(images: Tensor) -> Tensor:
    """Images in [0, 1] as uint8, rounded to the nearest of 256 levels."""
    return (images.detach().cpu() * 255).round().to(torch.uint8)


def read_result(path: Path) -> Result:
    """Parse and check one result file."""
    try:
        content = json.loads(path.read_text("utf-8"))
        cell = check_names(**content.pop("cell"))
        result = Result(cell=cell, **content)
        lengths = {len(values) for values in result.per_image.values()}
        if len(lengths) != 1 or REQUIRED - set(result.per_image):
            raise ValueError("its per-image values are incomplete")
        return result
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ResultError(f"{path} is not a result ({error}); delete it and run again") from error
