"""A metric as a value, and the ones that there are: a file each in `metrics/`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from torch import Tensor

from ...zoo import Images
from ...zoo.discovery import named
from . import metrics

#: 8-bit images: the secrets with their labels, the name of their data set, and what was recovered
#: of them, N×C×H×W uint8.
Score = Callable[[Images, str, Tensor], Sequence[Any]]


def _always(dataset: str) -> bool:
    return True


@dataclass(frozen=True)
class Metric:
    """A value per image.

    Attributes:
        name, title: in results, and on a page.
        place: where it stands among the others, least first.
        compute: from (secrets, data set, recovered).
        low, high: its range.
        digits: decimals that are stored; None for one that is true or false.
        shown: decimals of its mean on a page, where it is a number.
        unsure: for truths, whether the values of these rows may come out otherwise on another
            processor.
        applies: whether it can be taken on a data set.
    """

    name: str
    title: str
    place: int
    compute: Score
    low: float
    high: float
    digits: int | None = None
    shown: int = 2
    unsure: Callable[[Images, str, Tensor, Sequence[int]], bool] | None = None
    applies: Callable[[str], bool] = _always


@cache
def all_metrics() -> Mapping[str, Metric]:
    """Every metric by name: the `METRIC` of each file in `bench/score/metrics/`."""
    found = named(metrics, "METRIC")
    order = sorted(found, key=lambda name: (found[name].place, name))
    return MappingProxyType({name: found[name] for name in order})


def metrics_of(dataset: str) -> dict[str, Metric]:
    """The metrics that can be taken on a data set."""
    return {name: metric for name, metric in all_metrics().items() if metric.applies(dataset)}
