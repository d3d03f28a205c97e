"""What a file of the user's gives: a network, a judge, a data set."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...zoo import MisuseError
from ...zoo.discovery import run_file
from ...zoo.whole import first_line


@dataclass(frozen=True)
class Wanted:
    """What is looked for in a file.

    Attributes:
        noun: what a message calls it.
        example: how it is named.
        kind: what it is, or what a function that is called without arguments returns.
        fits: whether something is that.
    """

    noun: str
    example: str
    kind: str
    fits: Callable[[object], bool]


def from_file(reference: str, wanted: Wanted) -> Any:
    """What "path/to/file.py:name" names: the thing itself, or a function or class that makes it.

    Raises MisuseError with the remedy for a reference that gives none.
    """
    path, colon, name = reference.rpartition(":")
    if not colon or not path.endswith(".py"):
        raise MisuseError(f"{reference!r} names no {wanted.noun}; give {wanted.example}")
    found = _attribute(Path(path), name, wanted)
    return found if wanted.fits(found) else _made(reference, found, wanted)


def _attribute(path: Path, name: str, wanted: Wanted) -> Any:
    if not path.is_file():
        raise MisuseError(f"there is no file {path}; give the {wanted.noun} as {wanted.example}")
    try:
        with _beside(path):
            module = run_file(path, f"{wanted.noun}_of_{path.stem}".replace(" ", "_"))
    except (Exception, SystemExit) as error:
        raise MisuseError(f"{path} cannot be run: {first_line(error)}; repair it") from error
    if not hasattr(module, name):
        makers = [each for each, value in vars(module).items() if inspect.isroutine(value)]
        raise MisuseError(f"{path} has no {name!r}; it has {', '.join(makers) or 'no function'}")
    return getattr(module, name)


def _made(reference: str, maker: Any, wanted: Wanted) -> Any:
    if not callable(maker):
        kind = type(maker).__name__
        raise MisuseError(
            f"{reference} is of type {kind}; name a function that returns {wanted.kind}"
        )
    try:
        with _beside(Path(reference.rpartition(":")[0])):
            found = maker()
    except (Exception, SystemExit) as error:
        raise MisuseError(
            f"{reference} fails when it is called without arguments: {first_line(error)}; "
            f"name a function that makes the {wanted.noun} whole"
        ) from error
    if not wanted.fits(found):
        kind = type(found).__name__
        raise MisuseError(f"{reference} returns a {kind}; let it return {wanted.kind}")
    return found


@contextmanager
def _beside(path: Path) -> Iterator[None]:
    """Let the file import what lies beside it, as it could if it were run."""
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)
