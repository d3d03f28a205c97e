"""What an adversary of the audit is: it plans an attack for its share of the time."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from ...attacks import Attack
from ...zoo.words import duration
from .cuts import Cut


class LeftOutError(Exception):
    """An attack that is not run, with the reason in a line; `needs` are the seconds it lacks."""

    def __init__(self, reason: str, needs: float = math.inf) -> None:
        super().__init__(reason)
        self.needs = needs


@dataclass(frozen=True)
class Planned:
    """An attack with its fields, the setting it runs in, and the seconds it is expected to take.

    `most` is how many of the held images it is given; None is all of them. `network` is what it
    need not train.
    """

    attack: Attack
    setting: str
    seconds: float
    most: int | None = None
    network: nn.Module | None = None


@dataclass(frozen=True)
class Decoded:
    """A trained decoder, the fields and setting it was trained with, and the held images that it
    was given."""

    network: nn.Module
    fields: dict[str, Any]
    setting: str
    most: int | None


class Attacker(ABC):
    """One threat model of the audit."""

    family: str
    #: How much of a cut's time it takes, relative to the others.
    share: ClassVar[float]

    def applies(self, cut: Cut) -> bool:
        """Whether it is an attack on such a cut at all."""
        return True

    def hindrance(self, cut: Cut) -> str | None:
        """Why it cannot be run at a cut however long it takes; None where it can."""
        return None

    @abstractmethod
    def plan(self, cut: Cut, seconds: float, decoder: Decoded | None) -> Planned:
        """The strongest that takes no longer; LeftOutError where that is none.

        `decoder` is what was trained at this cut, where there is one.
        """

    @abstractmethod
    def given(self, cut: Cut, planned: Planned) -> str:
        """What the adversary was given, in words."""


def too_slow(what: str, seconds: float) -> LeftOutError:
    return LeftOutError(
        f"{what}, the least that shows anything, take {duration(seconds)} here", seconds
    )
