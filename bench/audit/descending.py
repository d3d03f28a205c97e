"""How long a refined descent may be, and which of its weights it has the time to search for."""

from __future__ import annotations

from typing import Any

from ...attacks.refined_descent import CALIBRATION_IMAGES, STARTS
from ...attacks.residual_decoder import HELD_OUT, held_out
from .attacker import too_slow
from .cuts import Cut

LEAST, MOST = 60, 1500
#: Iterations that are worth the search for one weight more: of total variation, of the prior.
WORTH = (80, 120)
#: Descents that the search for a weight takes, as a rule: five at least, and up to ten for each of
#: two grids, and for α once more, where the best lies far off.
TRIALS = 8


def descents(
    cut: Cut, seconds: float, begin: float, each: float, most: int | None
) -> tuple[dict[str, Any], float]:
    """The fields that take no longer, and the seconds that they take.

    `begin` is what comes before a descent, `each` what an iteration of one image takes, `most`
    how many images the adversary is given; None where it draws its own.
    LeftOutError where not even the shortest descent fits.
    """
    unlearned = HELD_OUT if most is None else held_out(most)
    calibrated = min(CALIBRATION_IMAGES, unlearned // 2)
    for searched, wanted in ((2, WORTH[1]), (1, WORTH[0]), (0, LEAST)):
        images = len(cut.scored) + TRIALS * searched * calibrated
        iterations = min(MOST, int((seconds - begin) / (each * images)))
        if iterations >= wanted:
            break
    if iterations < LEAST:
        raise too_slow(f"{LEAST} iterations", begin + LEAST * each * images)
    fields = {
        "iterations": iterations,
        "prior_weight": None if searched == 2 else STARTS["prior_weight"],
        "tv_weight": None if searched else STARTS["tv_weight"],
    }
    return fields, begin + iterations * each * images
