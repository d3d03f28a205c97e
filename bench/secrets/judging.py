"""Whose label a reconstruction still carries, read by an independent classifier."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

from ...zoo import Images, Judge, load_judge, manifest

#: Logits closer than this may come out in either order on another processor.
UNSURE = 1e-3


def judge_name(dataset: str) -> str:
    """Manifest name of a data set's judge."""
    return f"{dataset}_judge"


def has_judge(dataset: str) -> bool:
    """Whether there is an independent classifier of that data set."""
    return judge_name(dataset) in manifest().records


def judge_sha256(dataset: str) -> str | None:
    """Content hash of the data set's judge; None where it has none."""
    return manifest().get(judge_name(dataset)).content_sha256 if has_judge(dataset) else None


def labels_recovered(secret: Images, dataset: str, recovered: Tensor) -> list[bool]:
    """For each image, whether the judge reads the secret's label off what was recovered.

    `recovered` is uint8 N×C×H×W, as results store it, so that anyone can judge again. Images
    are judged one data set at a time on the CPU, so that the verdict is the same everywhere.
    """
    return [bool(hit) for hit in _logits(dataset, recovered).argmax(1) == secret.labels]


def unsure(secret: Images, dataset: str, recovered: Tensor, rows: Sequence[int]) -> bool:
    """Whether, on each of these rows, the secret's label and another are the judge's next to equal
    first two, so that either may come out first."""
    logits, labels = _logits(dataset, recovered[list(rows)]), secret.labels[list(rows)]
    true = logits.gather(1, labels[:, None])[:, 0]
    others = logits.scatter(1, labels[:, None], -torch.inf).amax(1)
    return bool(((true - others).abs() < UNSURE).all())


@torch.no_grad()
def _logits(dataset: str, recovered: Tensor) -> Tensor:
    logits: Tensor = _judge(dataset)(recovered.float() / 255)
    return logits


@cache
def _judge(dataset: str) -> Judge:
    return load_judge(dataset)
