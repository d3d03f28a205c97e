"""Running an attack on a cell: build what the adversary may know, time it, score it, store it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from ..attacks import Attack, LearnedAttack, get_entry, get_setting
from ..zoo import (
    Images,
    Record,
    ResultError,
    content_sha256,
    describe_device,
    evaluation_set,
    load_network,
    load_split,
    manifest,
    pick_precision,
)
from ..zoo.resume import Conditions
from .adversaries import adversary_for
from .cells import Cell
from .judging import judge_name
from .provenance import today, versions
from .results import (
    BENCHMARK_VERSION,
    AttackUsed,
    Cost,
    Made,
    NetworkUsed,
    Result,
    Scenario,
    key_of,
)
from .scoring import score, to_8_bit, wrong_scores
from .store import ResultStore


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

    def recipe(self) -> dict[str, Any]:
        """How the network that the attack learns here is trained, as its record keeps it."""
        attack = self.configure()
        assert isinstance(attack, LearnedAttack)
        setting = self.cell.setting
        return plain({"attack": type(attack).__name__, "setting": setting, **attack.recipe()})

    def published(self) -> Record | None:
        """The record of the network that the attack learns here, if one has been published.

        None where the attack learns none, and where the published one was trained against
        another target, by another recipe or from another seed: then it is not what this run is
        about.
        """
        record = manifest().records.get(self.checkpoint_name() or "")
        if record is None:
            return None
        belongs = (
            record.target_sha256 == self.target_sha256
            and record.training["recipe"] == self.recipe()
            and record.seed == self.seed
        )
        return record if belongs else None

    @property
    def target_sha256(self) -> str:
        """Content hash of the target."""
        return manifest().get(self.cell.network).content_sha256

    def scenario(self) -> Scenario:
        """What is attacked, under which threat model, with which images."""
        cell = self.cell
        return Scenario(
            setting=cell.setting,
            network=cell.network,
            split=cell.split,
            target_sha256=self.target_sha256,
            dataset=cell.dataset,
            profile=self.profile,
            images_sha256=evaluation_set(cell.dataset, self.profile).sha256,
        )

    def attack_used(self) -> AttackUsed:
        """The attack, its version and fields."""
        attack = self.configure()
        return AttackUsed(
            name=self.attack,
            type=type(attack).__name__,
            version=attack.version,
            fields=plain(asdict(attack)),
        )

    def key(self) -> dict[str, Any]:
        """What a stored result must agree with to count as this run's."""
        return key_of(
            BENCHMARK_VERSION, self.scenario(), self.attack_used(), network_used(self.published())
        )


def network_used(record: Record | None) -> NetworkUsed | None:
    """How a result names a published network; None for none."""
    if record is None:
        return None
    return NetworkUsed(
        sha256=record.content_sha256, name=record.name, precision=record.training["precision"]
    )


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as a JSON file gives them back: a tuple has become a list."""
    found: dict[str, Any] = json.loads(json.dumps(dict(values)))
    return found


@dataclass(frozen=True)
class Recovery:
    """What came back from an attack, and what it cost."""

    images: Tensor
    offline_seconds: float
    online_seconds: float
    queries: int
    network: NetworkUsed | None = None


def run_cell(run: Run, store: ResultStore, device: torch.device) -> Result:
    """Attack the cell's evaluation images, score what comes back, and store the result.

    A published network takes the place of the offline training; what that training took, in
    seconds and queries, comes from its record.
    """
    evaluation = evaluation_set(run.cell.dataset, run.profile)
    record = run.published()
    recovery = attack_images(
        run.configure(),
        run.cell,
        evaluation.images.floats(),
        device=device,
        seed=run.seed,
        network=load_network(record.name) if record else None,
    )
    offline = (recovery.offline_seconds, recovery.queries)
    network = recovery.network
    if record:
        offline = record.training["seconds"], record.training["queries"]
        network = network_used(record)
    recovered = to_8_bit(recovery.images)
    result = Result(
        benchmark_version=BENCHMARK_VERSION,
        scenario=run.scenario(),
        attack=run.attack_used(),
        seed=run.seed,
        network=network,
        reported={
            "indices": evaluation.indices.tolist(),
            **score(evaluation.images, run.cell.dataset, recovered),
        },
        judge_sha256=judge_sha256(run.cell.dataset),
        cost=Cost(
            offline_seconds=round(offline[0], 3),
            online_seconds=round(recovery.online_seconds, 3),
            queries=offline[1],
        ),
        made=Made(device=describe_device(device), versions=versions(), date=today()),
        recovered_sha256="0" * 64,
    )
    return store.save(result, recovered)


def judge_sha256(dataset: str) -> str:
    """Content hash of the data set's judge."""
    return manifest().get(judge_name(dataset)).content_sha256


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
        learned = None
        if network is None and isinstance(attack, LearnedAttack):
            precision = pick_precision("auto", device)
            network, _ = attack.train(adversary, seed=seed, conditions=Conditions(precision))
            architecture = attack.architecture_in(adversary.setting)
            learned = NetworkUsed(sha256=content_sha256(network, architecture), precision=precision)
        prepared = attack.prepare(adversary, seed=seed, network=network)
        ready = _now(device)
        recovered = prepared.reconstruct(features)
        done = _now(device)
    return Recovery(recovered.cpu(), ready - started, done - ready, adversary.queries, learned)


def deterministic() -> Any:
    """On a GPU: the same sums in the same order twice, and none in TensorFloat-32's 10 bits."""
    return torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)


def rescore(result: Result, store: ResultStore) -> Result:
    """A stored result with every metric taken anew from its stored images; nothing is attacked.

    Returns the result itself, and writes nothing, where its scores are right already. Raises
    ResultError where its images are not those of its scenario.
    """
    scenario = result.scenario
    if result.failure is not None:
        return result
    images, recovered = shown_and_recovered(result, store)
    judge = judge_sha256(scenario.dataset)
    wrong = wrong_scores(result.reported, images, scenario.dataset, recovered)
    if not wrong and result.judge_sha256 == judge:
        return result
    scores = {"indices": result.reported["indices"], **score(images, scenario.dataset, recovered)}
    again = msgspec.structs.replace(result, reported=scores, judge_sha256=judge)
    return store.save(again, recovered, instead_of=result)


def shown_and_recovered(result: Result, store: ResultStore) -> tuple[Images, Tensor]:
    """The images that a result is scored on, and its stored images of them, equally shaped.

    ResultError where the result is of other images, or its own are missing or another's.
    """
    scenario = result.scenario
    evaluation = evaluation_set(scenario.dataset, scenario.profile)
    recovered = store.recovered(result)
    if result.reported["indices"] != evaluation.indices.tolist():
        raise ResultError(f"{store.path_of(result)} scores other images than its profile's")
    if recovered.shape != evaluation.images.pixels.shape:
        raise ResultError(f"{store.path_of(result)} has recovered images of another shape")
    return evaluation.images, recovered


def ensure_result(
    run: Run, store: ResultStore, device: torch.device, *, fresh: bool = False
) -> tuple[Result, str]:
    """The stored result if it is current, else a new one.

    Returns the result, and "kept", "new", "scored anew" or why the stored one did not count. A
    pair of scores and images that a kill has torn is made again.
    """
    if fresh:
        return run_cell(run, store, device), "new"
    try:
        stored = store.load(run.profile, run.cell, run.attack, run.seed)
        if stored is None:
            return run_cell(run, store, device), "new"
        if stale := stored.stale_because(run.key()):
            return run_cell(run, store, device), f"was stale: {stale}"
        result = rescore(stored, store)
    except ResultError as error:
        return run_cell(run, store, device), f"was unusable: {error}"
    return result, "kept" if result is stored else "scored anew"


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
