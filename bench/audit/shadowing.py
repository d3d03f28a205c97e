"""The query-free adversary: shadows through the cloud half, and a decoder of them all."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from ...attacks import ShadowDecoder, ShadowModel
from .asking import FEW_IMAGES, asked, seconds_of_asking, seconds_of_learning
from .attacker import Attacker, Decoded, Planned, too_slow
from .cuts import Cut
from .pace import TIMED, seconds_of_a_step


class Shadows(Attacker):
    """Query-free: trains edges of its own through the cloud half, and inverts them all."""

    family = "query_free"
    share = 1.0
    #: Steps of the decoder, and what of the time it learns in at most.
    LEAST, MOST = 30, ShadowDecoder.steps
    LEARNING = 1 / 3
    #: Shadows, and steps of each: fewer show nothing, more would be of little use.
    SHADOWS, STEPS = (4, 12), (60, 3000)
    SETTING = "query_free_diff_set_same_net"

    def hindrance(self, cut: Cut) -> str | None:
        if not cut.subject.labelled:
            return "it needs labels: put the images into a sub-folder for each class of the network"
        if not list(cut.target.cloud.parameters()):
            return "it learns through the cloud half, which holds no weights here"
        if not list(cut.target.edge.parameters()):
            return "the edge has no weights that are not known"
        if len(cut.subject.division.held) < FEW_IMAGES:
            return f"it learns from {FEW_IMAGES} images at least; give it more"
        return None

    def plan(self, cut: Cut, seconds: float, decoder: Decoded | None) -> Planned:
        labels = torch.zeros(TIMED, dtype=torch.int64)
        step = seconds_of_a_step(cut, ShadowModel(), self.SETTING, labels)
        attack = ShadowDecoder()
        decoding = seconds_of_learning(cut, attack, self.SETTING, seconds_of_asking(cut))
        steps = max(self.LEAST, min(self.MOST, int(self.LEARNING * seconds / decoding)))
        attack, most = asked(cut, replace(attack, steps=steps))
        learning = attack.steps * decoding
        (fewest, many), (shortest, longest) = self.SHADOWS, self.STEPS
        epoch, least = epochs(most or FEW_IMAGES, shortest)
        steps = int((seconds - learning) / step)
        if steps < fewest * least:
            # With more time it is given more images, and how many make the most steps varies.
            counts = range(FEW_IMAGES, len(cut.subject.division.held) + 1)
            least = max(epochs(count, shortest)[1] for count in counts)
            needs = fewest * least * step
            needs = max(needs / (1 - self.LEARNING), needs + self.LEAST * decoding)
            raise too_slow(f"{fewest} shadows of {least} steps", needs)
        # More of them and longer ones help about alike.
        shadows = max(fewest, min(many, steps // least, math.isqrt(steps // 100)))
        each = epoch * max(1, min(longest, steps // shadows) // epoch)
        attack = replace(attack, shadows=shadows, shadow_steps=each)
        return Planned(attack, self.SETTING, shadows * each * step + learning, most)

    def given(self, cut: Cut, planned: Planned) -> str:
        return (
            f"the cloud half, the edge's structure without its weights, and {planned.most:,} "
            "labelled images of yours; no query"
        )


def epochs(images: int, steps: int) -> tuple[int, int]:
    """The steps of an epoch of a shadow, and of the whole epochs that hold so many at least."""
    epoch = math.ceil(images / ShadowModel.batch_size)
    return epoch, epoch * math.ceil(steps / epoch)
