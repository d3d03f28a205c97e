"""Results on disk: one JSON per scenario, attack and seed, and a sheet of its images beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
from torch import Tensor

from ...attacks import catalogue
from ...zoo import ResultError
from ...zoo.files import alone, storage_errors, sweep_unfinished, write_atomically, write_text
from ...zoo.tensor_files import tensors_as_bytes
from ..scenarios import Scenario
from . import PUBLISHED
from .result import Result, decode, encode
from .sheet import as_sheet, from_sheet


@dataclass(frozen=True)
class Contents:
    """What a profile's folder holds: results that can be shown, and a line for each other file."""

    results: list[Result]
    skipped: list[str]


class ResultStore:
    """The results below one folder, `PROFILE/SETTING/NETWORK-SPLIT/ATTACK-seedN.json`.

    Reading changes nothing on disk. Writers hold a lock around JSON and images, so that the
    scores of one never stand beside the images of another.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def is_published(self) -> bool:
        """Whether these are the repository's own results."""
        return self.folder.resolve() == PUBLISHED.resolve()

    def path(self, where: Scenario, label: str, seed: int) -> Path:
        """Where a result's JSON stands."""
        name = f"{where.target.network}-{where.target.split}"
        if where.defence is not None:
            name += f"+{where.defence.label}"
        folder = self.folder / where.profile / where.setting.name / name
        return folder / f"{label}-seed{seed}.json"

    def path_of(self, result: Result) -> Path:
        """Where that result's JSON stands."""
        return self.path(result.where, result.label, result.seed)

    def sheet(self, result: Result) -> Path:
        """Where its images stand, on one PNG."""
        return self.path_of(result).with_suffix(".png")

    def figures(self, profile: str) -> Path:
        """The folder of a profile's pictures."""
        return self.folder / profile / "figures"

    @contextmanager
    def writing(self, folder: Path) -> Iterator[None]:
        """Hold the store against other writers; sweep up what a killed one left half-written in
        the folder that is written to."""
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        with alone(self.folder / "results"):
            sweep_unfinished(folder)
            yield

    def save(
        self, result: Result, recovered: Tensor | None, *, instead_of: Result | None = None
    ) -> Result:
        """Write the images (uint8 N×C×H×W), then the JSON, whose arrival makes both count.

        Returns the result with the sha256 of the images, which are not written where they stand
        already. Without images, for a failure, those of an earlier success are deleted. With
        `instead_of` nothing is written, and what stands there is returned, if that is no longer
        the result that was read.

        Raises ResultError, before anything is written, for what could not be read again.
        """
        path = self.path_of(result)
        images = self.sheet(result)
        if recovered is not None:
            content = as_sheet(recovered)
            result = msgspec.structs.replace(result, recovered_sha256=_sha256(recovered))
        text = encode(result)
        decode(text, path)
        if recovered is not None:
            _images(result, content, images)
        with self.writing(path.parent):
            if instead_of is not None and (found := self._read(path)) != instead_of:
                return found
            if recovered is not None and not self._holds(result):
                write_atomically(images, content)
            write_text(path, text)
            if recovered is None:
                images.unlink(missing_ok=True)
        return result

    def load(self, where: Scenario, label: str, seed: int = 0) -> Result | None:
        """The stored result, None where there is none. ResultError for a malformed one."""
        path = self.path(where, label, seed)
        return self._read(path) if path.is_file() else None

    def contents(self, profile: str) -> Contents:
        """Every result of a profile, in the order of their paths, and what cannot be shown.

        A file that is no result, or the result of an attack that the catalogue does not have,
        is skipped with a line that says so, and does not stand in the way of the others.
        """
        results, skipped = [], []
        for path in sorted((self.folder / profile).glob("*/*/*.json")):
            try:
                result = self._read(path)
            except ResultError as error:
                skipped.append(str(error))
                continue
            if result.attack.name in catalogue():
                results.append(result)
            else:
                skipped.append(
                    f"{path} is of the attack {result.attack.name!r}, which the catalogue does "
                    "not have; delete it, or bring the attack, with --attack FILE.py:CLASS"
                )
        return Contents(results, skipped)

    def nothing(self, what: str, profile: str) -> ResultError:
        """What to raise where a profile has none of "results", or of "current results"."""
        return ResultError(
            f"{self.folder} holds no {what} of profile {profile}; run "
            f"`splitzoo bench --profile {profile}` first"
        )

    def all(self, profile: str) -> list[Result]:
        """Every result of a profile that can be shown."""
        return self.contents(profile).results

    def recovered(self, result: Result) -> Tensor:
        """The recovered images of a result, uint8 N×C×H×W, verified by their sha256.

        ResultError where they are missing or another result's, as after a kill between the two
        writes: `splitzoo bench` makes such a pair again.
        """
        path = self.sheet(result)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise _not_its_own(path, error.strerror or "it cannot be read") from error
        return _images(result, content, path)

    def _holds(self, result: Result) -> bool:
        """Whether the images of a result stand there, however they were compressed."""
        try:
            self.recovered(result)
        except ResultError:
            return False
        return True

    def _read(self, path: Path) -> Result:
        try:
            text = path.read_bytes()
        except OSError as error:
            raise ResultError(f"{path} cannot be read: {error.strerror}") from error
        result = decode(text, path)
        if self.path_of(result) != path:
            raise ResultError(f"{path} is another scenario's result; move it back or delete it")
        return result


def _images(result: Result, content: bytes, path: Path) -> Tensor:
    """The images of a result on a sheet, uint8 N×C×H×W; ResultError where it is another's."""
    shape = result.where.target.dataset.shape
    try:
        images = from_sheet(content, len(result.reported.get("indices", [])), shape)
        if _sha256(images) != result.recovered_sha256:
            raise ValueError("its images are not the result's")
    except ValueError as error:
        raise _not_its_own(path, str(error)) from error
    return images


def _not_its_own(path: Path, why: str) -> ResultError:
    return ResultError(f"{path} does not belong to its result ({why}); run `splitzoo bench` again")


def _sha256(images: Tensor) -> str:
    """Of the safetensors file that would hold them: a PNG of the same images may be written in
    many ways."""
    return hashlib.sha256(tensors_as_bytes({"recovered": images})).hexdigest()
