"""The adversaries of an audit: the catalogue's attacks, as strong as their time allows.

Each knows what its work costs here, by measurement, and plans the fields that take all of its
share. None is written for the audit, and none is told anything of the scored images.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from ...attacks import RMLE, Attack, ResidualDecoder, ShadowModel
from ...zoo.words import duration
from .cuts import Cut
from .pace import seconds_of_a_query, seconds_of_a_step, seconds_of_an_iteration

#: Images that a decoder learns from at least; with fewer it draws procedural ones.
FEW_IMAGES = 32
#: Bytes of features that are kept to learn from, in half precision.
MEMORY = 1 << 30
#: What rMLE calibrates λ with: images, and short descents on each, some four of them.
_TRIALS, _CALIBRATED, _SHORTEST, _SHARE = 4, 6, 100, 0.1


class LeftOutError(Exception):
    """An attack that is not run, with the reason in a line; `needs` are the seconds it lacks."""

    def __init__(self, reason: str, needs: float = math.inf) -> None:
        super().__init__(reason)
        self.needs = needs


@dataclass(frozen=True)
class Planned:
    """An attack with its fields, the setting it runs in, and the seconds it is expected to take.

    `most` is how many of the held images it is given; None is all of them.
    """

    attack: Attack
    setting: str
    seconds: float
    most: int | None = None


class Attacker(ABC):
    """One threat model of the audit."""

    family: ClassVar[str]
    #: How much of a cut's time it takes, relative to the others.
    share: ClassVar[float]

    @abstractmethod
    def plan(self, cut: Cut, seconds: float, network: nn.Module | None) -> Planned:
        """The strongest that takes no longer; LeftOutError where that is none.

        `network` is the decoder that was trained at this cut, where there is one.
        """

    @abstractmethod
    def given(self, cut: Cut, planned: Planned) -> str:
        """What the adversary was given, in words."""


class Decoder(Attacker):
    """Black-box: queries the edge and learns to decode its answers."""

    family = "black_box"
    share = 2.0
    LEAST, MOST = 30, 16_000
    #: Channels, and the steps below which a narrower network learns more in the same time.
    WIDTHS: ClassVar[dict[int, int]] = {64: 800, 32: 300, 16: 0}

    def setting(self, cut: Cut) -> str:
        enough = len(cut.subject.division.held) >= FEW_IMAGES
        return "black_box_same_dist" if enough else "black_box_rand_set"

    def plan(self, cut: Cut, seconds: float, network: nn.Module | None) -> Planned:
        setting = self.setting(cut)
        query = seconds_of_a_query(cut, drawn=setting == "black_box_rand_set")
        for width, wanted in self.WIDTHS.items():
            attack = ResidualDecoder(width=width)
            features = torch.randn(attack.batch_size, *cut.target.feature_shape)
            step = seconds_of_a_step(cut, attack, setting, features)
            step += attack.batch_size * query
            steps = int(seconds / step)
            if steps >= wanted:
                break
        if steps < self.LEAST:
            raise _too_slow(f"{self.LEAST} steps", self.LEAST * step)
        steps = min(steps, self.MOST)
        most, queries = self._queries(cut, setting, steps * attack.batch_size)
        epoch = math.ceil(queries / attack.batch_size)
        steps = max(1, steps // epoch) * epoch
        attack = ResidualDecoder(width=width, steps=steps, queries=queries)
        return Planned(attack, setting, steps * step, most)

    def _queries(self, cut: Cut, setting: str, most: int) -> tuple[int | None, int]:
        """Held images to use and images to query in all, so that whole epochs fit."""
        limit = MEMORY // (2 * math.prod(cut.target.feature_shape))
        limit = max(FEW_IMAGES, min(most, limit, ResidualDecoder.queries))
        if setting == "black_box_rand_set":
            return None, limit
        held = min(len(cut.subject.division.held), limit)
        learned = held - min(256, held // 8)
        return held, max(1, limit // learned) * learned

    def given(self, cut: Cut, planned: Planned) -> str:
        assert isinstance(planned.attack, ResidualDecoder)
        asked = f"the answers to {planned.attack.queries:,} queries"
        if planned.setting == "black_box_rand_set":
            return f"{asked} with procedural images; none of yours, and no weights of the edge"
        return f"{asked} with {planned.most:,} images of yours; no weights of the edge"


class Descent(Attacker):
    """White-box: holds the edge, and descends to an image that explains what it was sent."""

    family = "white_box"
    share = 2.0
    LEAST, MOST = 100, 5000
    SETTING = "white_box_same_dist"

    def plan(self, cut: Cut, seconds: float, network: nn.Module | None) -> Planned:
        each = seconds_of_an_iteration(cut, RMLE(start=0.45), self.SETTING)
        short = each * _TRIALS * _CALIBRATED
        count = len(cut.scored)
        iterations = seconds / (each * count + short * _SHARE)
        if iterations * _SHARE < _SHORTEST:  # short descents cannot be shorter
            iterations = (seconds - short * _SHORTEST) / (each * count)
        if iterations < self.LEAST:
            needs = self.LEAST * each * count + short * _SHORTEST
            raise _too_slow(f"{self.LEAST} iterations", needs)
        found = min(int(iterations), self.MOST)
        # The paper's 5000 steps of 1e-3 can carry a pixel five times across its range.
        attack = RMLE(iterations=found, step_size=min(0.03, 5 / found), start=0.45)
        taken = found * each * count + short * max(_SHORTEST, _SHARE * found)
        return Planned(attack, self.SETTING, taken)

    def given(self, cut: Cut, planned: Planned) -> str:
        held = len(cut.subject.division.held)
        return f"the edge with its weights, and {held:,} images of yours to calibrate on"


class Shadow(Attacker):
    """Query-free: trains an edge of its own through the cloud half, and descends over that."""

    family = "query_free"
    share = 1.0
    LEAST, MOST = 60, 6000
    SETTING = "query_free_diff_set_same_net"

    def plan(self, cut: Cut, seconds: float, network: nn.Module | None) -> Planned:
        if not cut.subject.labelled:
            raise LeftOutError(
                "it needs labels: put the images into a sub-folder for each class of the network"
            )
        if not list(cut.target.cloud.parameters()):
            raise LeftOutError("it learns through the cloud half, which holds no weights here")
        attack = ShadowModel(init_gain=1.0, fit_scale=True)
        labels = torch.zeros(attack.batch_size, dtype=torch.int64)
        step = seconds_of_a_step(cut, attack, self.SETTING, labels)
        steps = int(0.5 * seconds / step)
        if steps < self.LEAST:
            raise _too_slow(f"{self.LEAST} steps", 2 * self.LEAST * step)
        steps = min(steps, self.MOST)
        descent = Descent().plan(cut, 0.5 * seconds, None)
        assert isinstance(descent.attack, RMLE)
        attack = ShadowModel(
            init_gain=1.0,
            fit_scale=True,
            steps=steps,
            iterations=descent.attack.iterations,
            step_size=descent.attack.step_size,
            start=descent.attack.start,
        )
        return Planned(attack, self.SETTING, steps * step + descent.seconds)

    def given(self, cut: Cut, planned: Planned) -> str:
        held = len(cut.subject.division.held)
        return (
            f"the cloud half, the edge's structure without its weights, and {held:,} labelled "
            "images of yours; no query"
        )


#: In the order in which they run: a decoder comes first, since others may use it.
ATTACKERS: tuple[Attacker, ...] = (Decoder(), Descent(), Shadow())


def least_seconds(cut: Cut) -> float:
    """What the cheapest of the attackers takes at a cut at least."""
    needs = []
    for attacker in ATTACKERS:
        try:
            attacker.plan(cut, 0.0, None)
        except LeftOutError as reason:
            needs.append(reason.needs)
    return min(needs)


def _too_slow(what: str, seconds: float) -> LeftOutError:
    return LeftOutError(f"its first {what} take {duration(seconds)} here", seconds)
