"""Choosing hyperparameters, on training images only, and recording how.

The images are the first of each class in the training part, which no profile ever scores.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from ..attacks.catalogue import TUNED, tuned
from ..zoo import Images, describe_device, load_dataset, load_network, manifest
from ..zoo.files import alone, write_text
from .cells import Cell
from .metrics import mean, psnr, ssim
from .provenance import source_sha256, versions
from .runner import Run, attack_images


def tuning_images(dataset: str, per_class: int) -> tuple[Images, list[int]]:
    """The first `per_class` training images of each class, and their positions."""
    train = load_dataset(dataset, "train")
    rows = torch.cat([(train.labels == label).nonzero()[:per_class, 0] for label in range(10)])
    return train.subset(rows), rows.tolist()


def tune(
    attack: str,
    cell: Cell,
    field: str,
    grid: Sequence[float],
    *,
    per_class: int,
    device: torch.device,
) -> dict[str, Any]:
    """Try every value of `grid` for one field of an attack at a cell; keep the highest PSNR.

    Returns:
        The chosen `value`, and as `evidence` the whole curve with the images, the checkpoint,
        the attack's other fields and the versions that it was measured with.
    """
    images, indices = tuning_images(cell.dataset, per_class)
    pixels = images.floats()
    planned = Run(cell, attack, "standard")
    base, record = planned.configure(), planned.published()
    curve = []
    for value in grid:
        recovery = attack_images(
            replace(base, **{field: value}),
            cell,
            pixels,
            device=device,
            network=load_network(record.name) if record else None,
        )
        quality = mean(psnr(pixels, recovery.images)), mean(ssim(pixels, recovery.images))
        curve.append(
            {field: value, "psnr": round(quality[0].value, 3), "ssim": round(quality[1].value, 4)}
        )
        print(f"{cell.key} {attack} {curve[-1]}", flush=True)
    best = max(curve, key=lambda point: point["psnr"])
    return {
        "value": best[field],
        "evidence": {
            "criterion": f"highest mean PSNR on {len(pixels)} training images",
            "curve": curve,
            "other_fields": {k: v for k, v in asdict(base).items() if k != field},
            "train_indices": indices,
            "checkpoint_sha256": manifest().get(cell.network).sha256,
            **({"network_sha256": record.sha256} if record else {}),
            "attack_source_sha256": source_sha256(type(base)),
            "device": describe_device(device),
            "versions": versions(),
        },
    }


def keep(
    attack: str, cell: Cell, field: str, chosen: Mapping[str, Any], path: Path = TUNED
) -> None:
    """Put a chosen value into `tuned.json`, in place of an earlier one for this field."""
    with alone(path):
        content = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        entry = content.setdefault(attack, {}).setdefault(cell.key, {"fields": {}, "evidence": {}})
        entry["fields"][field] = chosen["value"]
        entry["evidence"][field] = chosen["evidence"]
        write_text(path, json.dumps(content, indent=1) + "\n")
    tuned.cache_clear()
