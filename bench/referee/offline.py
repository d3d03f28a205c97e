"""Training what the zoo publishes: targets, judges, and the networks that attacks learn."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...attacks import LearnedAttack
from ...zoo import (
    DecoderAndCopy,
    Images,
    Record,
    Target,
    UnknownNameError,
    cache_dir,
    describe_device,
    get_network,
    holding,
    load_dataset,
    pick_precision,
)
from ...zoo.judges import JUDGE_RECIPES, JUDGES, train_judge
from ...zoo.loading import content_with, write_checkpoint
from ...zoo.resume import Conditions, EstimateError
from ...zoo.training import accuracy, active_units, recipes, train_target
from ..score.means import mean
from ..score.metrics.psnr import psnr
from ..score.metrics.ssim import ssim
from ..secrets.evaluation import evaluation_set
from ..store.provenance import today, versions
from .deterministic import deterministic
from .plan import further_runs, planned_runs
from .runs import Run

#: Images on which a learned network's worth is reported; it has not been trained on them.
_UNSEEN = 1000


@dataclass(frozen=True)
class Trained:
    """Weights that are ready to be written, and what a record says of them."""

    tensors: Mapping[str, Tensor]
    record: dict[str, Any]


def trainable() -> dict[str, Run | str]:
    """Everything that `splitzoo train` can make, by manifest name, in the order of need.

    A target or judge stands for itself; a learned network for the run that it serves.
    """
    judges = {f"{dataset}_judge": dataset for dataset in JUDGES}
    learned = {}
    for run in [*planned_runs(), *further_runs()]:
        name = run.checkpoint_name()
        if name is not None:
            learned[name] = run
    return {**{name: name for name in recipes()}, **judges, **learned}


def recipe_of(name: str) -> dict[str, Any]:
    """How a checkpoint is trained now, as its record keeps it."""
    what = trainable()[name]
    if isinstance(what, Run):
        return what.recipe()
    recipe: Any = recipes().get(name) or JUDGE_RECIPES[what]
    return asdict(recipe)


def is_finished(name: str, record: Record | None) -> bool:
    """Whether `record` is of a checkpoint made by the present recipe, of the present target."""
    if record is None or record.training["recipe"] != recipe_of(name):
        return False
    what = trainable()[name]
    return record.target_sha256 == (what.target_sha256 if isinstance(what, Run) else None)


def train(
    name: str,
    device: torch.device,
    *,
    precision: str = "auto",
    before: Callable[[], None] = lambda: None,
) -> Trained:
    """Train one checkpoint by its published recipe; a run that was interrupted goes on.

    `before` is called once the name is known to be good, before any work. Raises
    UnknownNameError for a name that is not in `trainable()`.
    """
    what = known(name)
    before()
    conditions = Conditions(
        precision=pick_precision(precision, device),
        progress_file=progress_path(name),
        rests_on=_rests_on(what),
    )
    return _train(name, what, device, conditions)


def estimate(name: str, device: torch.device, *, precision: str = "auto") -> float:
    """Seconds that training a checkpoint would take here, from its first ten steps."""
    what = known(name)
    conditions = Conditions(pick_precision(precision, device), estimate_only=True)
    try:
        _train(name, what, device, conditions)
    except EstimateError as found:
        return found.seconds
    raise AssertionError(f"{name} trains in fewer steps than an estimate takes")


def progress_path(name: str) -> Path:
    """Where an unfinished training keeps its progress."""
    return cache_dir() / "training" / f"{name}.safetensors"


def known(name: str) -> Run | str:
    """What `trainable()` has under that name; UnknownNameError where it has nothing."""
    found = trainable()
    if name not in found:
        raise UnknownNameError("trainable checkpoint", name, found)
    return found[name]


def _rests_on(what: Run | str) -> dict[str, str]:
    """What a learned network is trained against and on; progress of anything else is of no use."""
    if isinstance(what, str):
        return {}
    images, dataset = what.scenario.setting.images, what.scenario.target.dataset.name
    held = holding(dataset, images).describe()["indices_sha256"] if images else "none"
    return {"target_sha256": what.target_sha256, "images_sha256": held}


def _train(name: str, what: Run | str, device: torch.device, conditions: Conditions) -> Trained:
    with deterministic():
        if isinstance(what, Run):
            return _learned(name, what, device, conditions)
        if name in recipes():
            return _target(name, device, conditions)
        return _judge(name, what, device, conditions)


def write(name: str, trained: Trained, folder: Path) -> Record:
    """Write `NAME.safetensors` into `folder` and return its record."""
    file = folder / f"{name}.safetensors"
    architecture = trained.record["architecture"]
    content = write_checkpoint(file, trained.tensors, architecture)
    return Record(
        name=name,
        file=file.name,
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        content_sha256=content_with(trained.tensors, architecture),
        versions=versions(),
        date=today(),
        licence="MIT",
        **trained.record,
    )


def _target(name: str, device: torch.device, conditions: Conditions) -> Trained:
    model, seconds = train_target(name, device=device, conditions=conditions)
    network = get_network(name)
    test = load_dataset(network.dataset, "test")
    reached = {
        "test_accuracy": round(accuracy(model, test, device), 4),
        "active_units": {k: round(v, 4) for k, v in active_units(model, test, device).items()},
    }
    record = _record(
        "target",
        {"network": name},
        network.dataset,
        (network.mean, network.std),
        recipes()[name].seed,
    )
    images = holding(network.dataset, "training_set").describe()
    record["training"] = _training(name, images, device, conditions, seconds)
    return Trained(model.layer_state(), {**record, "reached": reached})


def _judge(name: str, dataset: str, device: torch.device, conditions: Conditions) -> Trained:
    judge, seconds = train_judge(dataset, device=device, conditions=conditions)
    design, seed = JUDGES[dataset], JUDGE_RECIPES[dataset].seed
    secrets = evaluation_set(dataset, "standard").images
    reached = {
        "test_accuracy": round(accuracy(judge, load_dataset(dataset, "test"), device), 4),
        "evaluation_accuracy": round(accuracy(judge, secrets, device), 4),
    }
    record = _record("judge", {"judge": dataset}, dataset, (design.mean, design.std), seed)
    images = holding(dataset, "training_set").describe()
    record["training"] = _training(name, images, device, conditions, seconds)
    return Trained(judge.cpu().state_dict(), {**record, "reached": reached})


def _learned(name: str, run: Run, device: torch.device, conditions: Conditions) -> Trained:
    attack = run.configure()
    assert isinstance(attack, LearnedAttack)
    where, setting = run.scenario, run.scenario.setting
    dataset = where.target.dataset.name
    target = where.load_target().to(device)
    adversary = where.adversary(target, device)
    architecture = attack.architecture(adversary)
    network, seconds = attack.train(adversary, seed=run.seed, conditions=conditions)
    record = _record(
        attack.kind,
        architecture,
        dataset,
        target.normalisation,
        run.seed,
    )
    images: Any = f"{attack.drawn}, {adversary.queries} draws"
    if setting.images is not None:
        images = holding(dataset, setting.images).describe()
    record["target_sha256"] = run.target_sha256
    training = _training(name, images, device, conditions, seconds)
    record["training"] = {**training, "queries": adversary.queries}
    other = "training_set" if setting.images == "same_distribution" else "same_distribution"
    unseen = holding(dataset, other).load().subset(torch.arange(_UNSEEN))
    reached = _worth(network, target, unseen, record["kind"], device)
    weights = {name for name, _ in network.named_parameters()}
    tensors = {
        name: value.to(attack.stored_as) if name in weights else value
        for name, value in network.cpu().state_dict().items()
    }
    return Trained(tensors, {**record, "reached": reached})


@torch.no_grad()
def _worth(
    network: nn.Module,
    target: Target,
    unseen: Images,
    kind: str,
    device: torch.device,
) -> dict[str, float]:
    """What a learned network does on images that neither it nor the benchmark's score has seen."""
    pixels = unseen.floats().to(device)
    features = target.edge(pixels)
    if kind != "shadow":
        recovered = network(features).clamp(0, 1).cpu()
        reached = {
            "psnr": round(mean(psnr(pixels.cpu(), recovered)).value, 2),
            "ssim": round(mean(ssim(pixels.cpu(), recovered)).value, 4),
        }
        if isinstance(network, DecoderAndCopy):
            reached["relative_squared_feature_error"] = _error(network.edge(pixels), features)
        return reached
    rebuilt = network(pixels)
    labels = target.cloud(rebuilt).argmax(1).cpu()
    return {
        "accuracy_through_the_cloud": round((labels == unseen.labels).float().mean().item(), 4),
        "relative_squared_feature_error": _error(rebuilt, features),
    }


def _error(rebuilt: Tensor, features: Tensor) -> float:
    """‖f̂(x) - f(x)‖² over ‖f(x)‖²."""
    return round(((rebuilt - features).square().sum() / features.square().sum()).item(), 5)


def _training(
    name: str, images: Any, device: torch.device, conditions: Conditions, seconds: float
) -> dict[str, Any]:
    """What a record says of how the network was made: by which recipe, and in what conditions."""
    return {
        "command": f"splitzoo train {name}",
        "recipe": recipe_of(name),
        "images": images,
        "precision": conditions.precision,
        "device": describe_device(device),
        "seconds": round(seconds, 1),
    }


def _record(
    kind: str,
    architecture: Mapping[str, Any],
    dataset: str,
    normalisation: tuple[tuple[float, ...], tuple[float, ...]],
    seed: int,
) -> dict[str, Any]:
    mean_, std = normalisation
    return {
        "kind": kind,
        "architecture": dict(architecture),
        "dataset": dataset,
        "target_sha256": None,
        "normalisation": {"mean": mean_, "std": std},
        "training": {},
        "seed": seed,
    }
