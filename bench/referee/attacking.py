"""Showing an adversary the features of secret images, batch by batch, and timing what it does."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from ...attacks import Attack, LearnedAttack
from ...zoo import Images, number_images, pick_precision, progress
from ...zoo.loading import content_of_network
from ...zoo.pixels import to_8_bit
from ...zoo.resume import Conditions
from ...zoo.tensor_files import write_tensors
from ..scenarios import Scenario
from ..store.result import NetworkUsed
from .deterministic import deterministic

#: Seconds of finished work that a kill may cost.
KEEP_EVERY = 1.0


@dataclass(frozen=True)
class Recovery:
    """What came back from an attack, and what it cost.

    Attributes:
        pixels: uint8 N×C×H×W, rounded to the nearest of 256 levels.
        offline_seconds, online_seconds, queries: the cost; all images sent to the victim's edge.
        network: what the attack learned for this run; None where it learned nothing.
        calibrated: the fields that the attack chose itself.
        order: what the order was drawn from in which a worker saw the images; None for their own.
    """

    pixels: Tensor
    offline_seconds: float
    online_seconds: float
    queries: int
    network: NetworkUsed | None
    calibrated: dict[str, Any]
    order: int | None = None


@dataclass(frozen=True)
class Kept:
    """Where the images that are finished are kept until all are, and what they belong to."""

    path: Path
    identity: Mapping[str, Any]

    def load(self, shape: torch.Size) -> tuple[Tensor, float, int]:
        """The finished images, uint8 M×C×H×W, and the seconds and queries that they took; none of
        another run's, or of one that was shown them in an order of chance."""
        pixels, seconds, queries, order = self.load_ordered(shape)
        return (pixels, seconds, queries) if order is None else (pixels[:0], 0.0, 0)

    def load_ordered(self, shape: torch.Size) -> tuple[Tensor, float, int, int | None]:
        """The same, and what the order was drawn from that the images are in."""
        nothing = torch.empty((0, *shape[1:]), dtype=torch.uint8)
        try:
            with safe_open(self.path, framework="pt") as file:
                metadata = file.metadata() or {}
                pixels = file.get_tensor("recovered")
                seconds, queries = float(metadata["seconds"]), int(metadata["queries"])
                order = json.loads(metadata["order"])
        except (OSError, SafetensorError, KeyError, ValueError):
            return nothing, 0.0, 0, None
        if metadata.get("identity") != self._identity or pixels.shape[1:] != shape[1:]:
            return nothing, 0.0, 0, None
        return pixels, seconds, queries, order

    def save(
        self, pixels: Tensor, seconds: float, order: int | None = None, queries: int = 0
    ) -> None:
        """Replace what is kept."""
        metadata = {
            "identity": self._identity,
            "seconds": str(seconds),
            "queries": str(queries),
            "order": json.dumps(order),
        }
        write_tensors(self.path, {"recovered": pixels}, metadata)

    def clear(self) -> None:
        """Forget it, once the result is stored."""
        self.path.unlink(missing_ok=True)

    @property
    def _identity(self) -> str:
        return json.dumps(dict(self.identity), sort_keys=True)


def attack_images(
    attack: Attack,
    scenario: Scenario,
    images: Images,
    *,
    device: torch.device,
    seed: int = 0,
    network: nn.Module | None = None,
    batch: int | None = None,
    kept: Kept | None = None,
    training: Path | None = None,
) -> Recovery:
    """Show a scenario's adversary the features of `images`; time what it does.

    The attack gets the features, batch by batch, and the `Adversary`; the images stay here.

    Args:
        network: what an earlier training of the attack returned, if it need not train again.
        batch: images at a time; the attack's own choice by default.
        kept: where finished images are kept, so that a run that was killed goes on.
        training: progress file of a training that this run needs.
    """
    target = scenario.load_target().to(device)
    with deterministic():
        adversary = scenario.adversary(target, device)
        started = _now(device)
        learned, before = None, 0.0
        if network is None and isinstance(attack, LearnedAttack):
            conditions = Conditions(pick_precision("auto", device), training)
            network, seconds = attack.train(adversary, seed=seed, conditions=conditions)
            before = max(0.0, seconds - (_now(device) - started))  # of a run that was killed
            architecture = attack.architecture(adversary)
            digest = content_of_network(network, architecture)
            learned = NetworkUsed(sha256=digest, precision=conditions.precision)
        prepared = attack.prepare(adversary, seed=seed, network=network)
        ready = _now(device)
        offline = adversary.queries
        parts, online, asked = [], 0.0, 0
        if kept is not None:
            finished, online, asked = kept.load(images.pixels.shape)
            parts = [finished] if len(finished) else []
        done, saved = sum(map(len, parts)), time.monotonic()
        size = batch or prepared.batch
        title = f"{scenario.key} {attack.title}"
        for start in progress(range(0, len(images), size), title, unit="batch"):
            rows = torch.arange(start, min(start + size, len(images)))
            if start + len(rows) <= done:
                continue
            number_images(target.edge, rows.tolist())
            with torch.no_grad():
                features = target.edge(images.subset(rows).floats().to(device))
            began = _now(device)
            recovered = next(prepared.stream([features], first=start))
            online += _now(device) - began
            parts.append(to_8_bit(recovered)[max(0, done - start) :])
            if kept is not None and time.monotonic() - saved >= KEEP_EVERY:
                queries = asked + adversary.queries - offline
                kept.save(torch.cat(parts), online, queries=queries)
                saved = time.monotonic()
    given, chosen = asdict(attack), asdict(prepared.attack)
    calibrated = {name: chosen[name] for name in chosen if chosen[name] != given[name]}
    queries, took = asked + adversary.queries, before + ready - started
    return Recovery(torch.cat(parts), took, online, queries, learned, calibrated)


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
