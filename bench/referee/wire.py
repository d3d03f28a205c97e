"""Messages between referee and worker: JSON and tensors, and never a pickle of a worker's.

A frame is two lengths of eight bytes, then that much JSON and that much safetensors. Only the
referee's first message carries pickled objects, in the direction in which they can be trusted.
"""

from __future__ import annotations

import json
import math
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ...zoo import SplitzooError

#: Bytes of JSON and of tensors that one message may have.
LONGEST_TEXT, LONGEST_BODY = 1 << 24, 1 << 30
_LENGTHS = struct.Struct("<QQ")
_PART = 1 << 20


class WireError(SplitzooError):
    """The other side is gone, is late, or said what is no message."""


class AttackFailedError(SplitzooError):
    """An attack did not do what it must: the outcome of its scenario, and the reason."""


@dataclass(frozen=True)
class Message:
    """What was said: a word, plain values, and tensors or bytes."""

    kind: str
    values: dict[str, Any] = field(default_factory=dict)
    body: bytes = b""

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The tensors of the body; WireError where it holds none."""
        try:
            found: dict[str, Tensor] = load(self.body)
        except (SafetensorError, ValueError, KeyError) as error:
            raise WireError(f"it sent no tensors as {self.kind!r}: {error}") from error
        return found


class Wire:
    """One end of the line. What is late is past `until`, a time of `time.monotonic`, if given."""

    def __init__(self, line: socket.socket, until: float = math.inf) -> None:
        self._line, self._until = line, until
        line.settimeout(0.2)

    def send(
        self,
        kind: str,
        tensors: Mapping[str, Tensor] | None = None,
        *,
        body: bytes = b"",
        **values: Any,
    ) -> None:
        """Say it; WireError where nobody listens any more, or not in time."""
        if tensors is not None:
            body = save({name: each.detach().cpu().contiguous() for name, each in tensors.items()})
        text = json.dumps({"kind": kind, **values}).encode()
        for part in (_LENGTHS.pack(len(text), len(body)) + text, body):
            self._write(memoryview(part))

    def receive(self) -> Message:
        """The next message; WireError where none comes in time, or what comes is none."""
        text_size, body_size = _LENGTHS.unpack(self._read(_LENGTHS.size))
        if text_size > LONGEST_TEXT or body_size > LONGEST_BODY:
            raise WireError("it said more than a message may hold")
        text, body = self._read(text_size), self._read(body_size)
        try:
            values = json.loads(text)
            kind = values.pop("kind")
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
            raise WireError(f"it said what is no message ({error})") from error
        return Message(str(kind), values, bytes(body))

    def _write(self, content: memoryview) -> None:
        while len(content):
            try:
                content = content[self._line.send(content[:_PART]) :]
            except TimeoutError:
                pass
            except OSError as error:
                raise WireError("it has gone") from error
            self._in_time()

    def _read(self, size: int) -> bytearray:
        found = bytearray(size)
        view, done = memoryview(found), 0
        while done < size:
            try:
                got = self._line.recv_into(view[done : done + _PART])
            except TimeoutError:
                self._in_time()
                continue
            except OSError as error:
                raise WireError("it has gone") from error
            if got == 0:
                raise WireError("it has gone")
            done += got
            self._in_time()
        return found

    def _in_time(self) -> None:
        if time.monotonic() > self._until:
            raise WireError("its time was up")
