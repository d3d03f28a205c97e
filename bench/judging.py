"""Whose label a reconstruction still carries, read by an independent classifier."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from ..zoo import Images, Judge, load_judge


def judge_name(dataset: str) -> str:
    """Manifest name of a data set's judge."""
    return f"{dataset}_judge"


def labels_recovered(secret: Images, dataset: str, recovered: Tensor) -> list[bool]:
    """For each image, whether the judge reads the secret's label off what was recovered.

    `recovered` is uint8 N×C×H×W, as results store it, so that anyone can judge again. Images
    are judged one data set at a time on the CPU, so that the verdict is the same everywhere.
    """
    with torch.no_grad():
        logits = _judge(dataset)(recovered.float() / 255)
    return [bool(hit) for hit in logits.argmax(1) == secret.labels]


@cache
def _judge(dataset: str) -> Judge:
    return load_judge(dataset)
