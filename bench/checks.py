"""What a leaderboard rests on, looked at again: every score, hash and picture, and the page."""

from __future__ import annotations

from functools import cache

from ..zoo import CheckpointError, ResultError, evaluation_set, manifest
from ..zoo.loading import content_of, resolve
from .figures import is_current, pictures
from .leaderboard import leaderboard_path, render
from .results import Result
from .rows import rows
from .runner import Run, judge_sha256
from .scoring import wrong_scores
from .store import ResultStore


def outdated(store: ResultStore, profile: str) -> list[str]:
    """What `--check` complains about; empty where results, pictures and page all agree."""
    contents = store.contents(profile)
    problems = [*contents.skipped, *stale(store, profile)]
    for result in contents.results:
        problems += unfounded(result, store)
    for picture in pictures(store, rows(contents.results)):
        if not is_current(picture):
            problems.append(f"{picture.path} was not drawn from the stored results")
    path = leaderboard_path(store, profile)
    if not path.is_file() or path.read_text("utf-8") != render(store, profile, path):
        problems.append(f"{path} is not what the stored results render to")
    return problems


def stale(store: ResultStore, profile: str) -> list[str]:
    """Which stored results no longer belong to this benchmark, and why."""
    found = []
    for result in store.all(profile):
        run = Run(result.cell, result.attack.name, profile, result.seed)
        if changed := result.stale_because(run.key()):
            found.append(f"{_name(result)} is stale: {changed} changed; run `splitzoo bench`")
    return found


def unfounded(result: Result, store: ResultStore) -> list[str]:
    """What a result claims that its images, or the checkpoints it names, do not bear out."""
    if result.failure is not None:
        return []
    scenario = result.scenario
    evaluation = evaluation_set(scenario.dataset, scenario.profile)
    problems = []
    try:
        recovered = store.recovered(result)
        if result.reported["indices"] != evaluation.indices.tolist():
            problems.append(f"{_name(result)} scores other images than {scenario.profile}'s")
        elif recovered.shape != evaluation.images.pixels.shape:
            problems.append(f"{_name(result)} recovered images of another shape")
        else:
            wrong = wrong_scores(result.reported, evaluation.images, scenario.dataset, recovered)
            if wrong:
                problems.append(
                    f"{_name(result)}: {', '.join(wrong)} is not what its stored images score; "
                    "run `splitzoo score`"
                )
        if result.judge_sha256 != judge_sha256(scenario.dataset):
            problems.append(f"{_name(result)} was judged by another judge; run `splitzoo score`")
        names = [scenario.network, f"{scenario.dataset}_judge"]
        names += [result.network.name] if result.network and result.network.name else []
        for name in names:
            if damage := _damage(name):
                problems.append(f"{_name(result)} rests on {damage}")
        problems += _other_cost(result)
    except ResultError as error:
        problems.append(str(error))
    return problems


def _other_cost(result: Result) -> list[str]:
    """Whether what an attack's training took is what the network's record says."""
    if result.network is None or result.network.name is None:
        return []
    training = manifest().get(result.network.name).training
    said = (result.cost.offline_seconds, result.cost.queries)
    if said == (round(training["seconds"], 3), training["queries"]):
        return []
    return [f"{_name(result)} has another offline cost than the record of its network"]


@cache
def _damage(name: str) -> str:
    """Why a published checkpoint is not what its record says; empty where it is."""
    record = manifest().get(name)
    try:
        content = content_of(resolve(record), record.architecture)
    except CheckpointError as error:
        return f"{name}: {error}"
    if content != record.content_sha256:
        return f"{name}, whose file holds another network than its record says"
    return ""


def _name(result: Result) -> str:
    return f"{result.cell.key} {result.attack.name} (seed {result.seed})"
