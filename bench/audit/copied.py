"""The black-box adversary with time enough to copy the edge, and to descend over the copy."""

from __future__ import annotations

from dataclasses import replace

import torch

from ...attacks import CopiedDescent
from .asking import asked, seconds_of_asking, seconds_of_learning, setting_of, told
from .attacker import Attacker, Decoded, LeftOutError, Planned, too_slow
from .cuts import Cut
from .descending import LEAST, descents
from .pace import ITERATIONS, seconds_of_an_iteration


class Copied(Attacker):
    """Black-box: fits a copy of the edge to its answers, and descends over that."""

    family = "black_box"
    share = 3.0
    #: Steps after which a copy is so faithful that a descent over it beats a decoder's answer,
    #: and after which more would be of little use.
    LEAST, MOST = 1500, CopiedDescent.steps
    #: What of its time it learns in.
    LEARNING = 0.6

    def plan(self, cut: Cut, seconds: float, decoder: Decoded | None) -> Planned:
        setting, attack = setting_of(cut), CopiedDescent()
        step = seconds_of_learning(cut, attack, setting, seconds_of_asking(cut))
        steps = min(self.MOST, int(self.LEARNING * seconds / step))
        if steps < self.LEAST:
            raise too_slow(
                f"{self.LEAST:,} steps of a copied descent", self.LEAST * step / self.LEARNING
            )
        attack, most = asked(cut, replace(attack, steps=steps))
        learning = attack.steps * step
        begin, each = self._iteration(cut, setting, most)
        try:
            fields, expected = descents(cut, seconds - learning, begin, each, most)
        except LeftOutError as reason:
            needs = reason.needs / (1 - self.LEARNING)
            raise too_slow(f"{LEAST} iterations over a copy", needs) from None
        return Planned(replace(attack, **fields), setting, learning + expected, most)

    def _iteration(self, cut: Cut, setting: str, most: int | None) -> tuple[float, float]:
        """What comes before a descent, and what an iteration of one image takes: by a network of
        the right shape that has learned nothing."""
        adversary = cut.adversary(setting, most)
        trial = CopiedDescent(iterations=ITERATIONS, prior_weight=0.01, tv_weight=0.03)
        with torch.random.fork_rng(devices=[]):
            network = trial.build(adversary).to(cut.device).eval().requires_grad_(False)
        return seconds_of_an_iteration(cut, trial, adversary, network)

    def given(self, cut: Cut, planned: Planned) -> str:
        return told(planned)
