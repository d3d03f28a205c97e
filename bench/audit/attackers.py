"""The adversaries of an audit: the catalogue's attacks, as strong as their time allows.

Each knows what its work costs here, by measurement, and plans the fields that take all of its
share. None is written for the audit, and none is told anything of the scored images.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from ...attacks import RefinedDescent, ResidualDecoder
from .asking import asked, seconds_of_asking, seconds_of_learning, setting_of, told
from .attacker import Attacker, Decoded, LeftOutError, Planned, too_slow
from .copied import Copied
from .cuts import Cut
from .descending import descents
from .exact import LeastSquares
from .pace import ITERATIONS, seconds_of_an_iteration
from .shadowing import Shadows


class Decoder(Attacker):
    """Black-box: queries the edge and learns to decode its answers."""

    family = "black_box"
    share = 2.0
    LEAST, MOST = 30, 16_000
    #: Channels, and the steps below which a narrower network learns more in the same time.
    WIDTHS: ClassVar[dict[int, int]] = {16: LEAST, 32: 300, 64: 800}

    def plan(self, cut: Cut, seconds: float, decoder: Decoded | None) -> Planned:
        setting, asking = setting_of(cut), seconds_of_asking(cut)
        width, steps, step = 0, self.LEAST, 0.0
        for wider, wanted in self.WIDTHS.items():
            if steps < wanted:  # nor would there be as many of slower ones
                break
            attack = ResidualDecoder(width=wider)
            slower = seconds_of_learning(cut, attack, setting, asking)
            if int(seconds / slower) < wanted:
                break
            width, steps, step = wider, int(seconds / slower), slower
        if not width:
            raise too_slow(f"{self.LEAST} steps", self.LEAST * slower)
        attack, most = asked(cut, replace(attack, width=width, steps=min(steps, self.MOST)))
        return Planned(attack, setting, attack.steps * step, most)

    def given(self, cut: Cut, planned: Planned) -> str:
        return told(planned)


class Descent(Attacker):
    """White-box: holds the edge, and brings a decoder's answer to agree with what was sent."""

    family = "white_box"
    share = 2.0

    def plan(self, cut: Cut, seconds: float, decoder: Decoded | None) -> Planned:
        if decoder is None:
            raise LeftOutError("it begins with a decoder, and there is none")
        pictured = decoder.setting == "black_box_same_dist"
        setting = "white_box_same_dist" if pictured else "white_box"
        trial = RefinedDescent(iterations=ITERATIONS, prior_weight=0.01, tv_weight=0.03)
        adversary = cut.adversary(setting, decoder.most)
        begin, each = seconds_of_an_iteration(cut, trial, adversary, decoder.network)
        fields, expected = descents(cut, seconds, begin, each, decoder.most)
        attack = RefinedDescent(**decoder.fields, **fields)
        return Planned(attack, setting, expected, decoder.most, decoder.network)

    def given(self, cut: Cut, planned: Planned) -> str:
        if planned.setting == "white_box":
            return "the edge with its weights; none of your images"
        return f"the edge with its weights, and {planned.most:,} images of yours"


#: In the order in which they run: what may make others needless comes first, and a decoder before
#: those that use it.
ATTACKERS: tuple[Attacker, ...] = (
    LeastSquares("white_box"),
    LeastSquares("black_box"),
    Copied(),
    Decoder(),
    Descent(),
    Shadows(),
)


def least_seconds(cut: Cut) -> float:
    """What the decoder takes at a cut at least; nothing where it fails, which shows when it is
    run."""
    try:
        Decoder().plan(cut, 0.0, None)
    except LeftOutError as reason:
        return reason.needs
    except Exception:
        return 0.0
    return 0.0
