"""Attacks that installed packages bring, by the entry points of the group `splitzoo.attacks`.

A package declares them in its pyproject.toml, under the name that its attack states:

    [project.entry-points."splitzoo.attacks"]
    my_attack = "my_package.my_module:MyAttack"
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ..zoo.errors import MisuseError

GROUP = "splitzoo.attacks"


def installed() -> dict[str, EntryPoint]:
    """The entry points by name; of two packages that bring the same name, the first."""
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, point)
    return found


def load_installed(point: EntryPoint) -> Any:
    """What an entry point names; MisuseError where its package cannot give it."""
    try:
        return point.load()
    except (Exception, SystemExit) as error:
        reason = " ".join(str(error).split())
        raise MisuseError(
            f"{brought_by(point)} cannot be loaded: {type(error).__name__}: {reason}; repair or "
            "uninstall it"
        ) from error


def brought_by(point: EntryPoint) -> str:
    """An attack and its package, in words."""
    package = point.dist.name if point.dist else "a package without a name"
    return f"the attack {point.name!r} of {package}"
