"""Progress of a training run on disk: weights, optimiser and epoch in one safetensors file."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from tqdm import tqdm

from .files import ensure_writable
from .precision import Precision
from .tensor_files import write_tensors
from .words import duration

#: Trains one epoch, given its number and what to call after each step; returns the mean loss.
Epoch = Callable[[int, Callable[[], object]], float]


#: Steps after which a training says how long it will take.
STEPS_TO_ESTIMATE = 10
#: Seconds above which it is worth saying.
WORTH_SAYING = 20


@dataclass(frozen=True)
class Conditions:
    """How a training runs here, beside the recipe that says what it makes.

    Attributes:
        precision: "float32" or "bfloat16", of forward and backward passes.
        progress_file: where weights and optimiser go after each epoch; None keeps nothing.
        rests_on: hashes of what is learned from, e.g. the target's and the images'. A run is
            resumed only where they, the recipe and the precision are the same.
        estimate_only: stop after STEPS_TO_ESTIMATE steps with EstimateError.
    """

    precision: Precision = "float32"
    progress_file: Path | None = None
    rests_on: Mapping[str, str] = field(default_factory=dict)
    estimate_only: bool = False


class EstimateError(Exception):
    """A training that was to be estimated only has run its steps; `seconds` is what it found."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"a whole training would take {seconds:.0f} s")
        self.seconds = seconds


def run_epochs(
    title: str,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    train_epoch: Epoch,
    *,
    epochs: int,
    steps: int,
    identity: Mapping[str, Any],
    conditions: Conditions,
) -> float:
    """Train `epochs` epochs of `steps` steps behind a bar, safe to interrupt at any moment.

    Returns the seconds that all epochs took, those before an interruption included. Says on
    standard error, after ten steps, how long the whole will take here.

    Weights and optimiser go to the progress file after each epoch, and a run that finds one of
    the same `identity` there goes on from it. What an epoch draws must depend on its number
    alone, so that a resumed run ends in the same weights. The file stays when training ends:
    whoever has stored the network deletes it.
    """
    done, seconds = 0, 0.0
    progress_file = conditions.progress_file
    identity = {**identity, **conditions.rests_on, "precision": conditions.precision}
    if progress_file is not None:
        ensure_writable(progress_file.parent)
        done, seconds = load_progress(progress_file, identity, model, optimizer)
    with tqdm(total=epochs * steps, initial=done * steps, desc=title, disable=None) as bar:
        pace = _Pace(title, (epochs - done) * steps, conditions.estimate_only)

        def step_done() -> None:
            bar.update()
            pace.step_done()

        for epoch in range(done, epochs):
            started = time.perf_counter()
            loss = train_epoch(epoch, step_done)
            seconds += time.perf_counter() - started
            if progress_file is not None:
                save_progress(progress_file, identity, model, optimizer, epoch + 1, seconds)
            bar.set_postfix(epoch=epoch + 1, loss=f"{loss:.3g}")
    return seconds


class _Pace:
    """Says how long a training will take, from its second step to its tenth."""

    def __init__(self, title: str, steps: int, estimate_only: bool) -> None:
        self.title, self.steps, self.estimate_only = title, steps, estimate_only
        self.done, self.began = 0, 0.0

    def step_done(self) -> None:
        self.done += 1
        if self.done in (1, STEPS_TO_ESTIMATE) and torch.cuda.is_initialized():
            torch.cuda.synchronize()
        if self.done == 1:  # the first step also sets the machine up
            self.began = time.perf_counter()
        elif self.done == STEPS_TO_ESTIMATE:
            each = (time.perf_counter() - self.began) / (STEPS_TO_ESTIMATE - 1)
            if self.estimate_only:
                raise EstimateError(each * self.steps)
            if each * self.steps > WORTH_SAYING:
                line = f"{self.title}: {1000 * each:.0f} ms a step, "
                tqdm.write(f"{line}{duration(each * self.steps)} here", file=sys.stderr)


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
