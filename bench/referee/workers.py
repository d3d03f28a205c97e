"""Workers as processes: how they are started, what they may use, and why one has ended."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .sandbox import sandbox
from .wire import AttackFailedError, Wire, WireError

#: Seconds that a worker may take to say what an attack is.
START = 120.0
_CODE = "import sys; from splitzoo.bench.referee.worker import main; main(*map(int, sys.argv[1:]))"


@dataclass(frozen=True)
class Limits:
    """What a worker may use.

    Attributes:
        seconds: of the whole scenario; the worker is ended then.
        memory: bytes of data that the system lets it have.
        queries: images that may be sent to the victim's edge.
    """

    seconds: float = 3600.0
    memory: int = 16 << 30
    queries: int = 1_000_000


def describe(reference: str, limits: Limits | None = None) -> dict[str, Any]:
    """What an attack says of itself, read by a worker: its file is not run here.

    Raises AttackFailedError where it cannot be loaded.
    """
    with worker(limits or Limits(seconds=START), files_of(reference)) as wire:
        wire.send("describe", reference=reference)
        message = wire.receive()
    if message.kind != "described":
        raise AttackFailedError(line_of(message.values.get("reason")))
    return message.values


def files_of(reference: str) -> list[Path]:
    """The files that a worker must see to load it."""
    path, colon, _ = reference.rpartition(":")
    return [Path(path).absolute()] if colon and path.endswith(".py") else []


def absolute(reference: str) -> str:
    """The reference with its file's whole path, for a process in another folder."""
    path, _, kind = reference.rpartition(":")
    return f"{Path(path).absolute()}:{kind}" if files_of(reference) else reference


@contextmanager
def worker(limits: Limits, files: Sequence[Path], *, gpu: bool = False) -> Iterator[Wire]:
    """A worker that listens on the other end of the wire, ended with the block.

    What it prints goes to a file of its own, whose end explains a crash. A line that is cut, late
    or garbled within the block is the worker's failure: AttackFailedError.
    """
    ours, theirs = socket.socketpair()
    memory = 0 if gpu else limits.memory
    argv = [sys.executable, "-c", _CODE, str(theirs.fileno()), str(memory)]
    with tempfile.TemporaryDirectory() as root, tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            sandbox().command(argv, show=files, root=Path(root), gpu=gpu),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env=_environment(),
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        try:
            yield Wire(ours, time.monotonic() + limits.seconds)
        except (AttackFailedError, WireError) as failure:
            process.kill()
            process.wait()
            reason = str(failure)
            if isinstance(failure, WireError):
                reason = f"the worker {_ending(reason, limits)}"
            raise AttackFailedError(_explained(reason, said, process.returncode)) from None
        finally:
            ours.close()
            process.kill()
            process.wait()


def _environment() -> dict[str, str]:
    """What a worker needs of this environment, without what may be private."""
    kept = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")
    found = {name: os.environ[name] for name in kept if name in os.environ}
    found |= {name: value for name, value in os.environ.items() if name.startswith("GOMP_")}
    return {**found, "HOME": "/tmp", "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8"}


def _ending(reason: str, limits: Limits) -> str:
    reason = reason.replace(
        "its time was up", f"took more than the {limits.seconds:.0f} s that it had"
    )
    return reason.removeprefix("it ")


def _explained(reason: str, said: Any, status: int) -> str:
    """A crash's reason, with the last line that the worker printed."""
    if not reason.startswith("the worker has gone"):
        return reason
    said.seek(max(0, said.seek(0, os.SEEK_END) - 4096))
    lines = said.read().decode("utf-8", "replace").strip().splitlines()
    return f"the worker crashed ({line_of(lines[-1]) if lines else f'exit status {status}'})"


def line_of(text: object) -> str:
    """Untrusted words as one printable line of bounded length."""
    words = " ".join(str(text).split())[:300]
    return "".join(each for each in words if each.isprintable()) or "no reason given"
