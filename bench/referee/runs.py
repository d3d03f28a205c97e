"""A run: an attack on a scenario, from what makes it what it is to its stored result."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from ...attacks import Attack, Capability, LearnedAttack, configured
from ...attacks.by_name import checkpoint_name, get_attack
from ...zoo import (
    CapabilityError,
    ContractError,
    Images,
    InputError,
    MisuseError,
    Record,
    ResultError,
    UnknownNameError,
    cache_dir,
    describe_device,
    load_network,
    manifest,
)
from ..scenarios import Scenario
from ..score.scoring import score, wrong_scores
from ..secrets.judging import judge_sha256
from ..store.folder import ResultStore
from ..store.provenance import today, versions
from ..store.result import (
    BENCHMARK_VERSION,
    AttackUsed,
    Cost,
    DefenceUsed,
    Isolation,
    Made,
    NetworkUsed,
    Result,
    ScenarioUsed,
    attack_label,
    key_of,
)
from .attacking import Kept, Recovery, attack_images
from .isolated import attack_isolated
from .sandbox import sandbox
from .wire import AttackFailedError
from .workers import Limits, line_of


@dataclass(frozen=True)
class Run:
    """One attack of the catalogue on one scenario, with a seed.

    `overrides` are fields that the caller chose, as pairs of name and value.
    """

    scenario: Scenario
    attack: str
    seed: int = 0
    overrides: tuple[tuple[str, Any], ...] = ()

    @property
    def words(self) -> frozenset[str]:
        """What `--only` may call it by."""
        return self.scenario.words | {self.attack}

    @property
    def key(self) -> str:
        """Its name: "setting/network/split/attack"."""
        return f"{self.scenario.key}/{self.attack}"

    @property
    def label(self) -> str:
        """What its row is called."""
        return attack_label(self.attack, plain(dict(self.overrides)))

    def configure(self) -> Attack:
        """The attack with the hyperparameters that it has at this scenario. Nobody tuned it for a
        defended target: there it chooses them itself."""
        scenario, overrides = self.scenario, dict(self.overrides)
        target = scenario.target.name
        return configured(
            self.attack,
            target,
            scenario.setting.name,
            overrides,
            tuned_for=scenario.defence is None,
        )

    def check(self) -> None:
        """Raise CapabilityError where the setting does not grant what the attack requires, and
        UnknownNameError or MisuseError for an override that is no field of it."""
        known = [field.name for field in fields(get_attack(self.attack))]
        for name, _ in self.overrides:
            if name not in known:
                raise UnknownNameError(f"field of {self.attack}", name, known)
        try:
            attack = self.configure()
        except (TypeError, ValueError) as error:
            raise MisuseError(f"{self.attack} cannot run with these fields: {error}") from error
        try:
            json.dumps(asdict(attack), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise MisuseError(
                f"no result could hold the fields of {self.attack} ({error}); give finite numbers, "
                "words, true, false or null"
            ) from error
        attack.check(self.scenario.setting)

    def checkpoint_name(self) -> str | None:
        """Manifest name of the network that the attack learns here; None for none."""
        where = self.scenario
        if where.defence is not None:
            return None
        return checkpoint_name(
            self.attack, where.target.network, where.target.split, where.setting.name
        )

    def recipe(self) -> dict[str, Any]:
        """How the network that the attack learns here is trained, as its record keeps it."""
        attack = self.configure()
        assert isinstance(attack, LearnedAttack)
        setting = attack.trained_in(self.scenario.setting).name
        learner = attack.learner().__name__
        return plain({"attack": learner, "setting": setting, **attack.recipe()})

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
        """Content hash of the target, as it is without a defence."""
        return self.scenario.target.sha256

    def scenario_used(self) -> ScenarioUsed:
        """What is attacked, under which threat model, with which images."""
        where = self.scenario
        defence = where.described_defence()
        return ScenarioUsed(
            setting=where.setting.name,
            network=where.target.network,
            split=where.target.split,
            target_sha256=self.target_sha256,
            dataset=where.target.dataset.name,
            profile=where.profile,
            images_sha256=where.evaluation().sha256,
            defence=None if defence is None else DefenceUsed(**defence),
        )

    def attack_used(self, calibrated: Mapping[str, Any] | None = None) -> AttackUsed:
        """The attack, its version and fields."""
        attack = self.configure()
        return AttackUsed(
            name=self.attack,
            type=type(attack).__name__,
            version=attack.version,
            fields=plain(asdict(attack)),
            overrides=plain(dict(self.overrides)),
            calibrated=plain(calibrated or {}),
            source_sha256=getattr(attack, "source_sha256", None),
        )

    def identity(self) -> dict[str, Any]:
        """What a stored result must agree with to count as this run's."""
        return key_of(
            BENCHMARK_VERSION,
            self.scenario_used(),
            self.attack_used(),
            network_used(self.published()),
        )

    @property
    def digest(self) -> str:
        """sha256 of all that makes the result what it is: its content key."""
        identity = {**self.identity(), "scenario": self.scenario.key, "seed": self.seed}
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def run_of(result: Result) -> Run:
    """The run that would make this result now."""
    overrides = tuple(result.attack.overrides.items())
    return Run(result.where, result.attack.name, result.seed, overrides)


def network_used(record: Record | None) -> NetworkUsed | None:
    """How a result names a published network; None for none."""
    if record is None:
        return None
    return NetworkUsed(
        sha256=record.content_sha256,
        name=record.name,
        precision=record.training["precision"],
        training_sha256=record.training_sha256,
    )


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as a JSON file gives them back: a tuple has become a list."""
    found: dict[str, Any] = json.loads(json.dumps(dict(values)))
    return found


def carry_out(
    run: Run,
    store: ResultStore,
    device: torch.device,
    *,
    fresh: bool = False,
    limits: Limits | None = None,
) -> Result:
    """Attack the scenario's evaluation images, score what comes back, and store the result.

    A published network takes the place of the offline training; what that training took, in
    seconds and queries, comes from its record. A run that was killed goes on where it stopped,
    unless `fresh`. With `limits` the attack runs in a worker of its own.

    An attack that does not do what it must, or cannot here, has failed: that is stored as the
    scenario's outcome, with the reason.
    """
    evaluation, dataset = run.scenario.evaluation(), run.scenario.target.dataset.name
    began = time.perf_counter()
    isolation: Isolation = "in_process" if limits is None else sandbox().isolation
    try:
        recovery = _recovered(run, store, device, fresh, limits)
    except (AttackFailedError, CapabilityError, ContractError, InputError) as error:
        seconds = time.perf_counter() - began
        return keep_failure(run, store, device, line_of(error), seconds, isolation)
    made = Made(device=describe_device(device), versions=versions(), date=today())
    record = run.published()
    offline, queries, network = recovery.offline_seconds, recovery.queries, recovery.network
    if record:
        offline += record.training["seconds"]
        if not run.scenario.setting.allows(Capability.EDGE):
            queries += record.training["queries"]
        network = network_used(record)
    result = Result(
        benchmark_version=BENCHMARK_VERSION,
        scenario=run.scenario_used(),
        attack=run.attack_used(recovery.calibrated),
        seed=run.seed,
        network=network,
        reported={
            "indices": evaluation.indices.tolist(),
            **score(evaluation.images, dataset, recovery.pixels),
        },
        judge_sha256=judge_sha256(dataset),
        cost=Cost(
            offline_seconds=round(offline, 3),
            online_seconds=round(recovery.online_seconds, 3),
            queries=queries,
        ),
        made=made,
        recovered_sha256="0" * 64,
        isolation=isolation,
        order=recovery.order,
    )
    stored = store.save(result, recovery.pixels)
    for each in _progress_files(run, store):
        each.unlink(missing_ok=True)
    return stored


def keep_failure(
    run: Run,
    store: ResultStore,
    device: torch.device,
    reason: str,
    seconds: float,
    isolation: Isolation = "in_process",
) -> Result:
    """Store a scenario's failure, with its reason, as the scenario's outcome."""
    failed = Result(
        benchmark_version=BENCHMARK_VERSION,
        scenario=run.scenario_used(),
        attack=run.attack_used(),
        seed=run.seed,
        network=None,
        reported={},
        judge_sha256=None,
        cost=Cost(round(seconds, 3), 0.0, 0),
        made=Made(device=describe_device(device), versions=versions(), date=today()),
        recovered_sha256=None,
        isolation=isolation,
        failure=reason,
    )
    return store.save(failed, None)


def _recovered(
    run: Run, store: ResultStore, device: torch.device, fresh: bool, limits: Limits | None
) -> Recovery:
    """What the attack recovers, from where an earlier process was killed, unless `fresh`."""
    images, training = _progress_files(run, store)
    kept = Kept(images, {**run.identity(), "scenario": run.scenario.key, "seed": run.seed})
    if fresh:
        kept.clear()
        training.unlink(missing_ok=True)
    record = run.published()
    network = load_network(record.name) if record else None
    attack, secrets = run.configure(), run.scenario.evaluation().images
    if limits is None:
        return attack_images(
            attack,
            run.scenario,
            secrets,
            device=device,
            seed=run.seed,
            network=network,
            kept=kept,
            training=training,
        )
    return attack_isolated(
        attack,
        run.scenario,
        secrets,
        device=device,
        limits=limits,
        seed=run.seed,
        network=network,
        kept=kept,
    )


def _progress_files(run: Run, store: ResultStore) -> tuple[Path, Path]:
    """Where a run's finished images are kept until it ends, and its unfinished training."""
    path = store.path(run.scenario, run.label, run.seed)
    return (
        path.with_name(f".{path.stem}.unfinished.safetensors"),
        cache_dir() / "training" / f"run-{run.digest[:16]}.safetensors",
    )


def rescore(result: Result, store: ResultStore) -> Result:
    """A stored result with every metric taken anew from its stored images; nothing is attacked.

    Returns the result itself, and writes nothing, where its scores are right already. Raises
    ResultError where its images are not those of its scenario.
    """
    dataset = result.scenario.dataset
    if result.failure is not None:
        return result
    images, recovered = shown_and_recovered(result, store)
    judge = judge_sha256(dataset)
    wrong = wrong_scores(result.reported, images, dataset, recovered)
    if not wrong and result.judge_sha256 == judge:
        return result
    scores = {"indices": result.reported["indices"], **score(images, dataset, recovered)}
    again = msgspec.structs.replace(result, reported=scores, judge_sha256=judge)
    return store.save(again, recovered, instead_of=result)


def shown_and_recovered(result: Result, store: ResultStore) -> tuple[Images, Tensor]:
    """The images that a result is scored on, and its stored images of them, equally shaped.

    ResultError where the result is of other images, or its own are missing or another's.
    """
    evaluation = result.where.evaluation()
    if result.reported["indices"] != evaluation.indices.tolist():
        raise ResultError(f"{store.path_of(result)} scores other images than its profile's")
    recovered = store.recovered(result)
    if recovered.shape != evaluation.images.pixels.shape:
        raise ResultError(f"{store.path_of(result)} has recovered images of another shape")
    return evaluation.images, recovered


def ensure_result(
    run: Run,
    store: ResultStore,
    device: torch.device,
    *,
    fresh: bool = False,
    limits: Limits | None = None,
) -> tuple[Result, str]:
    """The stored result if it is current and no failure, else a new one.

    Returns the result, and "kept", "new", "scored anew" or why the stored one did not count.
    """
    kept, note = (None, "new") if fresh else kept_result(run, store)
    if kept is not None:
        return kept, note
    return carry_out(run, store, device, fresh=fresh, limits=limits), note


def kept_result(run: Run, store: ResultStore) -> tuple[Result | None, str]:
    """The stored result if it is current and no failure, else None; nothing is attacked.

    Returns besides "kept", "scored anew", "new" where there was none, or why it does not count. A
    pair of scores and images that a kill has torn does not.
    """
    try:
        stored = store.load(run.scenario, run.label, run.seed)
        if stored is None:
            return None, "new"
        if stale := stored.stale_because(run.identity()):
            return None, f"was stale: {stale}"
        if stored.failure is not None:
            return None, "had failed"
        result = rescore(stored, store)
    except ResultError as error:
        return None, f"was unusable: {error}"
    return result, "kept" if result is stored else "scored anew"
