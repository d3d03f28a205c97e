"""Running an attack on a cell: build what the adversary may know, time it, score it, store it."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any

import torch
from torch import Tensor

from ..attacks import Adversary, Attack, get_entry, get_setting
from ..zoo import SplitModel, describe_device, evaluation_set, load_split, manifest
from .cells import Cell
from .metrics import exact, psnr, ssim
from .provenance import source_sha256, versions
from .results import BENCHMARK_VERSION, Result, ResultStore


@dataclass(frozen=True)
class Run:
    """One attack of the catalogue on one cell, in a profile, with a seed."""

    cell: Cell
    attack: str
    profile: str
    seed: int = 0

    def configure(self) -> Attack:
        """The attack with the hyperparameters that it has at this cell."""
        return get_entry(self.attack).configure(self.cell.network, self.cell.split)

    def key(self) -> dict[str, Any]:
        """What a stored result must agree with to count as this run's."""
        attack = self.configure()
        return {
            "benchmark_version": BENCHMARK_VERSION,
            "checkpoint_sha256": manifest().get(self.cell.network).sha256,
            "evaluation_sha256": evaluation_set(self.cell.dataset, self.profile).sha256,
            "attack_class": type(attack).__name__,
            "attack_fields": asdict(attack),
            "attack_source_sha256": source_sha256(type(attack)),
        }


@dataclass(frozen=True)
class Recovery:
    """What came back from an attack, and what it cost."""

    images: Tensor
    offline_seconds: float
    online_seconds: float
    queries: int


def run_cell(run: Run, store: ResultStore, device: torch.device) -> Result:
    """Attack the cell's evaluation images, score what comes back, and store the result."""
    evaluation = evaluation_set(run.cell.dataset, run.profile)
    images = evaluation.images.floats()
    target = load_split(run.cell.network, run.cell.split)
    recovery = attack_images(
        run.configure(), target, images, setting=run.cell.setting, seed=run.seed, device=device
    )
    result = Result(
        cell=run.cell,
        attack=run.attack,
        profile=run.profile,
        seed=run.seed,
        key=run.key(),
        per_image={
            "indices": evaluation.indices.tolist(),
            "psnr": [round(value, 4) for value in psnr(images, recovery.images)],
            "ssim": [round(value, 6) for value in ssim(images, recovery.images)],
            "exact": exact(images, recovery.images),
        },
        cost={
            "offline_seconds": round(recovery.offline_seconds, 3),
            "online_seconds": round(recovery.online_seconds, 3),
            "queries": recovery.queries,
        },
        made={
            "device": describe_device(device),
            "versions": versions(),
            "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        },
        recovered_sha256="",
    )
    store.save(result, recovery.images)
    return result


def attack_images(
    attack: Attack,
    target: SplitModel,
    images: Tensor,
    *,
    setting: str,
    seed: int,
    device: torch.device,
) -> Recovery:
    """Show the adversary the features of `images` (N×C×H×W in [0, 1]) and time what it does.

    The attack gets the features and an `Adversary`; the images stay here.
    """
    target = target.to(device)
    # On a GPU: the same sums in the same order twice, and none in TensorFloat-32's 10 bits.
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        with torch.no_grad():
            features = target.edge(images.to(device))
        adversary = Adversary(get_setting(setting), target, device=device)
        started = _now(device)
        prepared = attack.prepare(adversary, seed=seed)
        ready = _now(device)
        recovered = prepared.reconstruct(features)
        done = _now(device)
    return Recovery(recovered.cpu(), ready - started, done - ready, adversary.queries)


def ensure_result(
    run: Run, store: ResultStore, device: torch.device, *, fresh: bool = False
) -> tuple[Result, str]:
    """The stored result if it is current, else a new one.

    Returns the result, and "kept", "new" or why the stored one did not count.
    """
    stored = None if fresh else store.load(run.profile, run.cell, run.attack, run.seed)
    if stored is None:
        return run_cell(run, store, device), "new"
    stale = stored.stale_because(run.key())
    if stale:
        return run_cell(run, store, device), f"was stale: {stale}"
    return stored, "kept"


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
