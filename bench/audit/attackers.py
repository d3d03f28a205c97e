"""The adversaries of an audit: the catalogue's attacks, as strong as their time allows.

Each knows what its work costs here, by measurement, and plans the fields that take all of its
share. None is written for the audit, and none is told anything of the scored images.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import torch

from ...attacks import RMLE, RefinedDescent, ResidualDecoder, ShadowModel
from ...attacks.rmle import CALIBRATION_IMAGES, CALIBRATION_SHARE
from .asking import asked, seconds_of_asking, seconds_of_learning, setting_of, told
from .attacker import Attacker, Decoded, LeftOutError, Planned, too_slow
from .copied import Copied
from .cuts import Cut
from .descending import descents
from .exact import LeastSquares
from .pace import ITERATIONS, TIMED, seconds_of_a_step, seconds_of_an_iteration


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
        fields, expected = descents(cut, seconds - begin, each, decoder.most)
        attack = RefinedDescent(**decoder.fields, **fields)
        return Planned(attack, setting, begin + expected, decoder.most, decoder.network)

    def given(self, cut: Cut, planned: Planned) -> str:
        if planned.setting == "white_box":
            return "the edge with its weights; none of your images"
        return f"the edge with its weights, and {planned.most:,} images of yours"


class Shadow(Attacker):
    """Query-free: trains an edge of its own through the cloud half, and descends over that."""

    family = "query_free"
    share = 1.0
    LEAST, MOST, ITERATIONS = 60, 6000, 5000
    #: Descents that the search for λ takes, and the least iterations that rMLE gives each.
    TRIALS, SHORTEST = 4, 100
    #: Not gray: a network that is normalised around it may answer gray without a gradient.
    START = 0.45
    SETTING = "query_free_diff_set_same_net"

    def hindrance(self, cut: Cut) -> str | None:
        if not cut.subject.labelled:
            return "it needs labels: put the images into a sub-folder for each class of the network"
        if not list(cut.target.cloud.parameters()):
            return "it learns through the cloud half, which holds no weights here"
        if not list(cut.target.edge.parameters()):
            return "the edge has no weights that are not known"
        return None

    def plan(self, cut: Cut, seconds: float, decoder: Decoded | None) -> Planned:
        attack = ShadowModel(init_gain=1.0, fit_scale=True, start=self.START)
        labels = torch.zeros(TIMED, dtype=torch.int64)
        step = seconds_of_a_step(cut, attack, self.SETTING, labels)
        steps = int(0.5 * seconds / step)
        if steps < self.LEAST:
            raise too_slow(f"{self.LEAST} steps", 2 * self.LEAST * step)
        steps = min(steps, self.MOST)
        iterations, descent = self._descent(cut, 0.5 * seconds)
        # The paper's 5000 steps of 1e-3 can carry a pixel five times across its range.
        attack = replace(
            attack, steps=steps, iterations=iterations, step_size=min(0.03, 5 / iterations)
        )
        return Planned(attack, self.SETTING, steps * step + descent)

    def _descent(self, cut: Cut, seconds: float) -> tuple[int, float]:
        """Iterations of rMLE for which the time suffices, calibrating λ included, and the time."""
        trial = RMLE(iterations=ITERATIONS, tv_weight=1.0, start=self.START)
        adversary = cut.adversary("white_box")
        begin, each = seconds_of_an_iteration(cut, trial, adversary, None)
        short, count = each * self.TRIALS * CALIBRATION_IMAGES, len(cut.scored)
        found = int((seconds - begin) / (each * count + short * CALIBRATION_SHARE))
        if found * CALIBRATION_SHARE < self.SHORTEST:  # the trials cannot be shorter
            found = int((seconds - begin - short * self.SHORTEST) / (each * count))
        if found < self.SHORTEST:
            needs = begin + self.SHORTEST * (each * count + short)
            raise too_slow(f"{self.SHORTEST} iterations", 2 * needs)
        found = min(found, self.ITERATIONS)
        trials = short * max(self.SHORTEST, CALIBRATION_SHARE * found)
        return found, begin + found * each * count + trials

    def given(self, cut: Cut, planned: Planned) -> str:
        held = len(cut.subject.division.held)
        return (
            f"the cloud half, the edge's structure without its weights, and {held:,} labelled "
            "images of yours; no query"
        )


#: In the order in which they run: what may make others needless comes first, and a decoder before
#: those that use it.
ATTACKERS: tuple[Attacker, ...] = (
    LeastSquares("white_box"),
    LeastSquares("black_box"),
    Copied(),
    Decoder(),
    Descent(),
    Shadow(),
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
