"""Whose label a reconstruction still carries, read by an independent classifier."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from ..zoo import Images, Judge, load_judge

#: Logits closer than this may come out in either order on another processor.
UNSURE = 1e-3


def judge_name(dataset: str) -> str:
    """Manifest name of a data set's judge."""
    return f"{dataset}_judge"


def labels_recovered(secret: Images, dataset: str, recovered: Tensor) -> list[bool]:
    """For each image, whether the judge reads the secret's label off what was recovered.

    `recovered` is uint8 N×C×H×W, as results store it, so that anyone can judge again. Images
    are judged one data set at a time on the CPU, so that the verdict is the same everywhere.
    """
    return [bool(hit) for hit in _logits(dataset, recovered).argmax(1) == secret.labels]


def unsure(dataset: str, recovered: Tensor) -> bool:
    """Whether the judge's first two labels are next to equal on every one of these images."""
    best = _logits(dataset, recovered).topk(2).values
    return bool((best[:, 0] - best[:, 1] < UNSURE).all())


@torch.no_grad()
def _logits(dataset: str, recovered: Tensor) -> Tensor:
    logits: Tensor = _judge(dataset)(recovered.float() / 255)
    return logits


@cache
def _judge(dataset: str) -> Judge:
    return load_judge(dataset)
