"""Running an attack on a cell: build what the adversary may know, time it, score it, store it."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from typing import Any

import torch
from torch import Tensor, nn

from ..attacks import Attack, get_entry, get_setting
from ..zoo import Record, describe_device, evaluation_set, load_network, load_split, manifest
from .adversaries import adversary_for
from .cells import Cell
from .judging import judge_name, labels_recovered
from .metrics import exact, psnr, ssim
from .provenance import source_sha256, versions
from .results import BENCHMARK_VERSION, Result, ResultStore, to_8_bit


@dataclass(frozen=True)
class Run:
    """One attack of the catalogue on one cell, in a profile, with a seed."""

    cell: Cell
    attack: str
    profile: str
    seed: int = 0

    def configure(self) -> Attack:
        """The attack with the hyperparameters that it has at this cell."""
        return get_entry(self.attack).configure(
            self.cell.network, self.cell.split, self.cell.setting
        )

    def check(self) -> None:
        """Raise CapabilityError where the setting does not grant what the attack requires."""
        self.configure().check(get_setting(self.cell.setting))

    def checkpoint_name(self) -> str | None:
        """Manifest name of the network that the attack learns here; None for none."""
        cell = self.cell
        return get_entry(self.attack).checkpoint_name(cell.network, cell.split, cell.setting)

    def published(self) -> Record | None:
        """The record of the network that the attack learns here, if it has been published."""
        return manifest().records.get(self.checkpoint_name() or "")

    def key(self) -> dict[str, Any]:
        """What a stored result must agree with to count as this run's."""
        attack = self.configure()
        network = self.published()
        return {
            "benchmark_version": BENCHMARK_VERSION,
            "checkpoint_sha256": manifest().get(self.cell.network).sha256,
            "evaluation_sha256": evaluation_set(self.cell.dataset, self.profile).sha256,
            "attack_class": type(attack).__name__,
            "attack_fields": asdict(attack),
            "attack_source_sha256": source_sha256(type(attack)),
            **({"network_sha256": network.sha256} if network else {}),
            JUDGED_BY: manifest().get(judge_name(self.cell.dataset)).sha256,
        }


#: The part of the key that concerns the label alone: a new judge need not attack again.
JUDGED_BY = "judge_sha256"


@dataclass(frozen=True)
class Recovery:
    """What came back from an attack, and what it cost."""

    images: Tensor
    offline_seconds: float
    online_seconds: float
    queries: int


def run_cell(run: Run, store: ResultStore, device: torch.device) -> Result:
    """Attack the cell's evaluation images, score what comes back, and store the result.

    A published network takes the place of the offline training; what that training took, in
    seconds and queries, comes from its record.
    """
    evaluation = evaluation_set(run.cell.dataset, run.profile)
    images = evaluation.images.floats()
    record = run.published()
    recovery = attack_images(
        run.configure(),
        run.cell,
        images,
        device=device,
        seed=run.seed,
        network=load_network(record.name) if record else None,
    )
    offline = (recovery.offline_seconds, recovery.queries)
    if record:
        offline = record.training["seconds"], record.training["queries"]
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
            "label": labels_recovered(
                evaluation.images, run.cell.dataset, to_8_bit(recovery.images)
            ),
        },
        cost={
            "offline_seconds": round(offline[0], 3),
            "online_seconds": round(recovery.online_seconds, 3),
            "queries": offline[1],
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
    cell: Cell,
    images: Tensor,
    *,
    device: torch.device,
    seed: int = 0,
    network: nn.Module | None = None,
) -> Recovery:
    """Show a cell's adversary the features of `images` (N×C×H×W in [0, 1]); time what it does.

    The attack gets the features and the `Adversary`; the images stay here. `network` is what an
    earlier training of the attack returned, if it need not train again.
    """
    target = load_split(cell.network, cell.split).to(device)
    with deterministic():
        with torch.no_grad():
            features = target.edge(images.to(device))
        adversary = adversary_for(cell, device, target)
        started = _now(device)
        prepared = attack.prepare(adversary, seed=seed, network=network)
        ready = _now(device)
        recovered = prepared.reconstruct(features)
        done = _now(device)
    return Recovery(recovered.cpu(), ready - started, done - ready, adversary.queries)


def deterministic() -> Any:
    """On a GPU: the same sums in the same order twice, and none in TensorFloat-32's 10 bits."""
    return torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)


def rejudge(run: Run, stored: Result, store: ResultStore) -> Result:
    """A stored result with its labels read anew from the stored images; nothing is attacked."""
    evaluation = evaluation_set(run.cell.dataset, run.profile)
    recovered = store.recovered(stored)
    labels = labels_recovered(evaluation.images, run.cell.dataset, recovered)
    result = replace(stored, key=run.key(), per_image={**stored.per_image, "label": labels})
    store.save(result, recovered.float() / 255)
    return result


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
    if stale == JUDGED_BY:
        return rejudge(run, stored, store), "judged anew"
    if stale:
        return run_cell(run, store, device), f"was stale: {stale}"
    return stored, "kept"


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
