"""A piece of work, and the answer to it, as small JSON texts that travel to any machine."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from ...zoo import MisuseError, SplitzooError


class WorkerDiedError(Exception):
    """A worker has gone without an answer, or broke down over an item; the words say how."""


class Item(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind"):
    """What a worker is to do, whole: it needs nothing but the same Splitzoo and the same folders.

    Attributes:
        device: as of `--device`, where the worker is.
        threads: that the worker computes with.
    """

    device: str
    threads: Annotated[int, Meta(ge=1)]

    def carry_out(self) -> str:
        """Do it, and store what comes out. Returns how it came about, e.g. "kept" or "new"."""
        raise NotImplementedError

    def encoded(self) -> str:
        """The text that travels."""
        return msgspec.json.encode(self).decode()


class Answer(Struct, frozen=True, forbid_unknown_fields=True):
    """What a worker says of an item: how it went, why it must not be done, or how it broke down.

    Attributes:
        note: of what went well.
        refused, misuse: a SplitzooError's line, and whether it was a misuse.
        broke: any other error, in a line.
    """

    note: str = ""
    refused: str = ""
    misuse: bool = False
    broke: str = ""

    def encoded(self) -> str:
        """The text that travels back."""
        return msgspec.json.encode(self).decode()

    def read(self) -> str:
        """The note. Raises what was refused as SplitzooError, and a break-down as
        WorkerDiedError."""
        if self.refused:
            raise (MisuseError if self.misuse else SplitzooError)(self.refused)
        if self.broke:
            raise WorkerDiedError(self.broke)
        return self.note
