"""What can go wrong, as types: every message is one line that names the remedy.

The command `splitzoo` turns each of these into that line and its `exit_status`; from Python
they are ordinary exceptions that can be caught one by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import ClassVar


class SplitzooError(Exception):
    """Base of everything Splitzoo raises on purpose.

    `exit_status` is the command's: 1 for what failed, 2 for what was asked for wrongly.
    """

    exit_status: ClassVar[int] = 1


#: How many names an error shows where a command lists them all.
SHOWN = 12


class UnknownNameError(SplitzooError, ValueError):
    """A network, split, weights, profile, attack or cell that does not exist.

    Its text names all that are known or, where `listed` says what command lists them, no more
    than the nearest dozen.
    """

    exit_status = 2

    def __init__(self, kind: str, name: object, known: Iterable[str], listed: str = "") -> None:
        names = list(known)
        spelled = {each.lower(): each for each in names}
        close = get_close_matches(str(name).lower(), spelled, n=1)
        hint = f"did you mean {spelled[close[0]]!r}? " if close else ""
        said, more = f"known are {', '.join(names) or 'none'}", ""
        if listed and len(names) > SHOWN:
            near = get_close_matches(str(name).lower(), spelled, n=SHOWN, cutoff=0)
            said = f"the nearest are {', '.join(spelled[each] for each in near)}"
            more = f"; `{listed}` has all"
        super().__init__(f"unknown {kind} {name!r}: {hint}{said}{more}")


class MisuseError(SplitzooError, ValueError):
    """Options that do not go together, or a value that one of them cannot take."""

    exit_status = 2


class InputError(SplitzooError, ValueError):
    """Images or features of the wrong shape, type or range, or holding NaN."""

    exit_status = 2


class CapabilityError(SplitzooError, PermissionError):
    """An attack asked for something that the setting does not grant."""

    exit_status = 2


class ContractError(SplitzooError, ValueError):
    """An attack returned something that is not a batch of images."""


class CheckpointError(SplitzooError):
    """A checkpoint is missing, damaged, or another architecture's."""


class DataUnavailableError(SplitzooError):
    """A data set can neither be found in the cache nor fetched."""


class StorageError(SplitzooError, OSError):
    """A folder cannot be written, or the disk is full."""


class ResultError(SplitzooError):
    """A stored result is malformed or does not belong to this benchmark."""


def one_line(error: BaseException) -> str:
    """What an error says, on one line; its type where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__
