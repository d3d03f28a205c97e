"""A row image by image, for its own page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from scipy.special import stdtrit

from ..score.metric import Metric, metrics_of
from ..secrets.evaluation import evaluation_set
from .pictures import position, size
from .shown import Shown


@dataclass(frozen=True)
class Line:
    """An image: its number in the test part, its class, and each metric's value, for sorting and
    in words. `original` and `recovered` say where it stands on the two sheets."""

    index: int
    label: int
    original: str
    recovered: str
    cells: list[tuple[float, str]]


def image_page(each: Shown) -> dict[str, Any]:
    """What the page of a row says of its images."""
    secret = evaluation_set(each.where.target.dataset.name, each.row.profile)
    stands = {index: place for place, index in enumerate(secret.indices.tolist())}
    metrics = list(metrics_of(each.where.target.dataset.name).values())
    indices = each.row.per_image["indices"]
    lines = []
    for place, index in enumerate(indices):
        original = stands[int(index)]
        cells = [_cell(metric, each.row.per_image[metric.name][place]) for metric in metrics]
        lines.append(
            Line(
                int(index),
                int(secret.images.labels[original]),
                position(original, len(stands)),
                position(place, len(indices)),
                cells,
            )
        )
    return {
        "each": each,
        "images": lines,
        "metrics": metrics,
        "original_size": size(len(stands)),
        "recovered_size": size(len(indices)),
    }


def image_data(each: Shown) -> bytes:
    """A script that hands the page of every row what it compares rows by."""
    n = each.row.n
    found = {
        "set": each.where.target.dataset.name,
        "indices": each.row.per_image["indices"],
        "quantile": float(stdtrit(n - 1, 0.975)) if n > 1 else None,
        **{name: each.row.per_image[name] for name in each.figures},
    }
    return f"splitzoo.row({json.dumps(each.name)}, {json.dumps(found)});\n".encode()


def _cell(metric: Metric, value: float) -> tuple[float, str]:
    if metric.digits is not None:
        return value, f"{value:.{metric.shown}f}"
    return float(value), {0.0: "–", 1.0: "✓"}.get(float(value), f"{value:.2f}")
