"""Every metric of a row, from the stored 8-bit images and from nothing else.

What an attack recovered is rounded to 8 bits and stored; the stored image is the reconstruction.
So whoever has the repository can score it again, and a new metric needs no attack to run again:
it is one more file in `metrics/`, and `splitzoo score` fills it in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ...zoo import Images
from .metric import metrics_of

#: How far a recomputed value may lie from a stored one beyond the rounding of its last digit.
TOLERANCE = 1e-8


def score(secrets: Images, dataset: str, recovered: Tensor) -> dict[str, list[Any]]:
    """Every metric of `recovered` (uint8, like `secrets.pixels`), rounded as it is stored."""
    if recovered.dtype != torch.uint8 or recovered.shape != secrets.pixels.shape:
        raise ValueError(
            f"the recovered images are {tuple(recovered.shape)} of {recovered.dtype}, not "
            f"{tuple(secrets.pixels.shape)} of 8 bits"
        )
    found = {}
    for name, metric in metrics_of(dataset).items():
        values = metric.compute(secrets, dataset, recovered)
        found[name] = [v if metric.digits is None else round(v, metric.digits) for v in values]
    return found


def wrong_scores(
    stored: Mapping[str, Sequence[Any]], secrets: Images, dataset: str, recovered: Tensor
) -> list[str]:
    """Names of the metrics of which a stored value is not what the images score.

    A number may differ by the rounding of its last stored digit. A label may differ where the
    judge all but hesitates between it and another, since another processor sums in another order.
    Values under a name that is no metric's are wrong too.
    """
    known = metrics_of(dataset)
    wrong = sorted(set(stored) - set(known) - {"indices"})
    for name, metric in known.items():
        again = metric.compute(secrets, dataset, recovered)
        before = stored.get(name, ())
        if len(before) != len(again):
            wrong.append(name)
        elif metric.digits is not None:
            allowed = 0.5 * 10.0**-metric.digits + TOLERANCE
            if any(abs(a - b) > allowed for a, b in zip(before, again, strict=True)):
                wrong.append(name)
        else:
            differ = [
                row
                for row, pair in enumerate(zip(before, again, strict=True))
                if pair[0] != pair[1]
            ]
            if differ and not (
                metric.unsure and metric.unsure(secrets, dataset, recovered, differ)
            ):
                wrong.append(name)
    return wrong
