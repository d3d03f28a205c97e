"""Attacks from outside, which the referee knows by what they say and never runs itself."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import make_dataclass
from typing import Any

from torch import Tensor

from ...attacks import Attack, Capability, catalogue
from ...attacks.by_name import get_attack
from ...attacks.draws import Draws
from ...attacks.installed import installed
from ...zoo import MisuseError
from .wire import AttackFailedError
from .workers import absolute, describe, files_of, line_of

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")


class Outside(Attack):
    """What stands in the catalogue for an attack whose code only workers load.

    Attributes:
        reference: what a worker loads it by.
        source_sha256: of its file; None for one that is installed.
    """

    reference: str
    source_sha256: str | None

    def online(self, state: Any, features: Tensor, draws: Draws) -> Tensor:
        raise MisuseError(f"{self.title} runs in a worker only: use `splitzoo submit`")


def stand_in(reference: str) -> type[Attack]:
    """The catalogue's class for the attack that `reference` names, a file's or an installed one's.

    A worker loads it and says what it is; it joins the catalogue of this process. Raises
    MisuseError where there is no such file, where it cannot be loaded, or where its name is taken,
    and UnknownNameError for a name that nobody brings.
    """
    ensure_named(reference)
    reference = absolute(reference)
    try:
        said = describe(reference)
    except AttackFailedError as error:
        raise MisuseError(f"{reference} cannot be submitted: {error}") from None
    attack = as_class(reference, said)
    known = catalogue().get(attack.name)
    if known is not None and not issubclass(known, Outside):
        raise MisuseError(
            f"the catalogue has an attack {attack.name!r} already; give yours another name, or run "
            f"`splitzoo bench --attack {attack.name} --isolated`"
        )
    catalogue()[attack.name] = attack
    return attack


def ensure_named(reference: str) -> None:
    """Raise MisuseError where a reference names no file that is there, and UnknownNameError where
    it is a name that neither the catalogue nor an installed package has; nothing is loaded."""
    files = files_of(reference)
    for path in files:
        if not path.is_file():
            raise MisuseError(f"there is no file {path}; give path/to/file.py:MyAttack")
    if reference.endswith(".py"):
        raise MisuseError(f"{reference} names no class; give {reference}:MyAttack")
    if not files and reference not in installed():
        get_attack(reference)


def as_class(reference: str, said: Mapping[str, Any]) -> type[Attack]:
    """A class of the fields, and the names, that a worker says the attack has."""
    try:
        name, kind, version = str(said["name"] or said["type"]), str(said["type"]), said["version"]
        requires = frozenset(Capability[each] for each in said["requires"])
        fields = dict(said["fields"])
        words = {each: line_of(said[each]) for each in ("title", "citation")}
    except (KeyError, TypeError, ValueError) as error:
        raise MisuseError(f"{reference} does not say what it is ({line_of(error)})") from None
    plain = isinstance(version, int) and not isinstance(version, bool) and version > 0
    if not (_NAME.fullmatch(name) and kind.isidentifier() and plain):
        raise MisuseError(
            f"{line_of(name)!r}, version {line_of(version)}, cannot name an attack; use letters, "
            "digits and underscores, and a whole number from 1 on"
        )
    if not all(key.isidentifier() and _is_plain(value) for key, value in fields.items()):
        raise MisuseError(f"{name} has a field whose default is no plain number, word, or None")
    files = files_of(reference)
    digest = hashlib.sha256(files[0].read_bytes()).hexdigest() if files else None
    stated = {"name": name, "version": version, "requires": requires, **words}
    return make_dataclass(
        kind,
        [(key, Any, value) for key, value in fields.items()],
        bases=(Outside,),
        namespace={**stated, "reference": reference, "source_sha256": digest},
        frozen=True,
        kw_only=True,
    )


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, bool | int | float | str)
