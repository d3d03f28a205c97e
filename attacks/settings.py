"""Threat models as values: what Table 1 of the paper grants (§3.1), and one beyond it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from ..zoo.errors import UnknownNameError


class Capability(Enum):
    """One column of Table 1. The cloud half f_θ2 and v = f_θ1(x) are always the adversary's."""

    EDGE = "the edge's parameters"
    STRUCTURE = "the edge's structure"
    QUERY = "queries to the edge"
    DATA = "labelled images of the training distribution"


#: Whoever holds the edge's parameters holds its structure, and answers its own queries.
_IMPLIED = {Capability.EDGE: frozenset({Capability.STRUCTURE, Capability.QUERY})}


@dataclass(frozen=True)
class Setting:
    """A threat model: a name and the capabilities that it grants.

    Attributes:
        name: e.g. "query_free_same_set_same_net".
        family: the row of Table 7 that it belongs to, e.g. "query_free".
        title, section: how the paper calls it, and where.
        grants: the capabilities of Table 1.
        images: which images Capability.DATA stands for, "training_set" (the target's own) or
            "same_distribution" (others like them); None where it is not granted.
    """

    name: str
    family: str
    title: str
    section: str
    grants: frozenset[Capability]
    images: str | None = None

    def __post_init__(self) -> None:
        if (self.images is not None) != (Capability.DATA in self.grants):
            raise ValueError(f"{self.name}: say which images Capability.DATA stands for")

    def allows(self, capability: Capability) -> bool:
        """Whether the capability is granted, or follows from one that is."""
        implied = (_IMPLIED.get(grant, frozenset()) for grant in self.grants)
        return capability in self.grants.union(*implied)

    def missing(self, required: Iterable[Capability]) -> list[str]:
        """What of `required` is not allowed, in words; empty where all of it is."""
        return sorted(each.value for each in required if not self.allows(each))


#: The rows of Table 7.
FAMILIES = {"white_box": "White-box", "black_box": "Black-box", "query_free": "Query-free"}
_IMAGES = {"same": "training_set", "diff": "same_distribution"}


def _query_free(images: str, net: str) -> Setting:
    structure = {Capability.STRUCTURE} if net == "same" else set()
    return Setting(
        f"query_free_{images}_set_{net}_net",
        "query_free",
        f"Query-free, {images} set, {net} net",
        "§6",
        frozenset({Capability.DATA, *structure}),
        _IMAGES[images],
    )


SETTINGS = {
    setting.name: setting
    for setting in (
        Setting(
            "white_box",
            "white_box",
            "White-box",
            "§4",
            frozenset({Capability.EDGE, Capability.STRUCTURE}),
        ),
        Setting(
            "white_box_same_dist",
            "white_box",
            "White-box, same distribution",
            "beyond the paper",
            frozenset({Capability.EDGE, Capability.STRUCTURE, Capability.DATA}),
            "same_distribution",
        ),
        Setting(
            "black_box_same_set",
            "black_box",
            "Black-box, same set",
            "§5",
            frozenset({Capability.QUERY, Capability.DATA}),
            "training_set",
        ),
        Setting(
            "black_box_same_dist",
            "black_box",
            "Black-box, same distribution",
            "§5",
            frozenset({Capability.QUERY, Capability.DATA}),
            "same_distribution",
        ),
        Setting(
            "black_box_rand_set",
            "black_box",
            "Black-box, random set",
            "§5",
            frozenset({Capability.QUERY}),
        ),
        _query_free("same", "same"),
        _query_free("diff", "same"),
        _query_free("same", "diff"),
        _query_free("diff", "diff"),
    )
}


def get_setting(name: str) -> Setting:
    """The setting of that name; UnknownNameError lists the known ones."""
    try:
        return SETTINGS[name]
    except KeyError:
        raise UnknownNameError("setting", name, SETTINGS) from None
