"""A run: an attack on a scenario, from what makes it what it is to its stored result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import msgspec
import torch
from torch import Tensor

from ...attacks import Attack, LearnedAttack, configured
from ...attacks.by_name import checkpoint_name, get_attack
from ...zoo import (
    Images,
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
    Made,
    NetworkUsed,
    Result,
    ScenarioUsed,
    attack_label,
    key_of,
)
from .attacking import Kept, attack_images


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
        """The attack with the hyperparameters that it has at this scenario."""
        scenario = self.scenario
        return configured(
            self.attack, scenario.target.name, scenario.setting.name, dict(self.overrides)
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
        setting = self.scenario.setting.name
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
        )

    def identity(self) -> dict[str, Any]:
        """What a stored result must agree with to count as this run's."""
        return key_of(
            BENCHMARK_VERSION,
            self.scenario_used(),
            self.attack_used(),
            network_used(self.published()),
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


def carry_out(run: Run, store: ResultStore, device: torch.device, *, fresh: bool = False) -> Result:
    """Attack the scenario's evaluation images, score what comes back, and store the result.

    A published network takes the place of the offline training; what that training took, in
    seconds and queries, comes from its record. A run that was killed goes on where it stopped,
    unless `fresh`.
    """
    evaluation, dataset = run.scenario.evaluation(), run.scenario.target.dataset.name
    record = run.published()
    identity = {**run.identity(), "scenario": run.scenario.key, "seed": run.seed}
    path = store.path(run.scenario, run.label, run.seed)
    kept = Kept(path.with_name(f".{path.stem}.unfinished.safetensors"), identity)
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    training = cache_dir() / "training" / f"run-{digest[:16]}.safetensors"
    if fresh:
        kept.clear()
        training.unlink(missing_ok=True)
    recovery = attack_images(
        run.configure(),
        run.scenario,
        evaluation.images,
        device=device,
        seed=run.seed,
        network=load_network(record.name) if record else None,
        kept=kept,
        training=training,
    )
    offline = (recovery.offline_seconds, recovery.queries)
    network = recovery.network
    if record:
        offline = record.training["seconds"], record.training["queries"]
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
            offline_seconds=round(offline[0], 3),
            online_seconds=round(recovery.online_seconds, 3),
            queries=offline[1],
        ),
        made=Made(device=describe_device(device), versions=versions(), date=today()),
        recovered_sha256="0" * 64,
    )
    stored = store.save(result, recovery.pixels)
    kept.clear()
    training.unlink(missing_ok=True)
    return stored


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
        return carry_out(run, store, device, fresh=True), "new"
    try:
        stored = store.load(run.scenario, run.label, run.seed)
        if stored is None:
            return carry_out(run, store, device), "new"
        if stale := stored.stale_because(run.identity()):
            return carry_out(run, store, device), f"was stale: {stale}"
        result = rescore(stored, store)
    except ResultError as error:
        return carry_out(run, store, device), f"was unusable: {error}"
    return result, "kept" if result is stored else "scored anew"
