"""What can go wrong, as types: every message is one line that names the remedy.

The command `splitzoo` turns each of these into that line and an exit status of 2 (misused)
or 1 (failed); from Python they are ordinary exceptions that can be caught one by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class SplitzooError(Exception):
    """Base of everything Splitzoo raises on purpose."""


class UnknownNameError(SplitzooError, ValueError):
    """A network, split, weights, profile, attack or cell that does not exist."""

    def __init__(self, kind: str, name: object, known: Iterable[str]) -> None:
        names = list(known)
        close = get_close_matches(str(name), names, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        super().__init__(f"unknown {kind} {name!r}: {hint}known are {', '.join(names) or 'none'}")


class MisuseError(SplitzooError, ValueError):
    """Options of a command that do not go together."""


class InputError(SplitzooError, ValueError):
    """Images or features of the wrong shape, type or range, or holding NaN."""


class CapabilityError(SplitzooError, PermissionError):
    """An attack asked for something that the setting does not grant."""


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
