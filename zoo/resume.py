"""Progress of a training run on disk: weights, optimiser and epoch in one safetensors file."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from tqdm import tqdm

from .files import ensure_writable, write_tensors

#: Trains one epoch, given its number and what to call after each step; returns the mean loss.
Epoch = Callable[[int, Callable[[], object]], float]


def run_epochs(
    title: str,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    train_epoch: Epoch,
    *,
    epochs: int,
    steps: int,
    identity: Mapping[str, Any],
    progress_file: Path | None,
) -> float:
    """Train `epochs` epochs of `steps` steps behind a bar, safe to interrupt at any moment.

    Returns the seconds that all epochs took, those before an interruption included.

    Weights and optimiser go to `progress_file` after each epoch, and a run that finds one of
    the same `identity` there goes on from it; with None nothing is kept. What an epoch draws
    must depend on its number alone, so that a resumed run ends in the same weights.
    """
    done, seconds = 0, 0.0
    if progress_file is not None:
        ensure_writable(progress_file.parent)
        done, seconds = load_progress(progress_file, identity, model, optimizer)
    with tqdm(total=epochs * steps, initial=done * steps, desc=title, disable=None) as bar:
        for epoch in range(done, epochs):
            started = time.perf_counter()
            loss = train_epoch(epoch, bar.update)
            seconds += time.perf_counter() - started
            if progress_file is not None:
                save_progress(progress_file, identity, model, optimizer, epoch + 1, seconds)
            bar.set_postfix(epoch=epoch + 1, loss=f"{loss:.3g}")
    return seconds


def epoch_generator(seed: int, epoch: int) -> torch.Generator:
    """The generator that an epoch's order and augmentation are drawn from."""
    return torch.Generator().manual_seed(seed * 1_000_003 + epoch)


def save_progress(
    path: Path,
    identity: Mapping[str, Any],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    epochs_done: int,
    seconds: float = 0.0,
) -> None:
    """Replace the file at `path` atomically. `identity` is what must match on resuming."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    for number, state in optimizer.state_dict()["state"].items():
        for key, value in state.items():
            tensors[f"optimizer.{number}.{key}"] = torch.as_tensor(value)
    metadata = {
        "identity": json.dumps(identity, sort_keys=True),
        "epochs_done": str(epochs_done),
        "seconds": str(seconds),
    }
    write_tensors(path, tensors, metadata)


def load_progress(
    path: Path,
    identity: Mapping[str, Any],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
) -> tuple[int, float]:
    """Restore what `save_progress` kept; return the number of epochs done and their seconds.

    Returns zeros and changes nothing where there is no file, or one of another recipe.
    """
    if not path.is_file():
        return 0, 0.0
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("identity") != json.dumps(identity, sort_keys=True):
                return 0, 0.0
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError):
        return 0, 0.0
    prefix = "model."
    model.load_state_dict(
        {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}
    )
    states: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, number, key = name.split(".", 2)
            states.setdefault(int(number), {})[key] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": states, "param_groups": groups})
    return int(metadata["epochs_done"]), float(metadata.get("seconds", 0))
