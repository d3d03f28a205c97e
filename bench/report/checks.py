"""What a leaderboard rests on, looked at again: every score and hash, and the page."""

from __future__ import annotations

from functools import cache

from ...attacks import Capability, get_attack
from ...attacks.tuned import open_ends, tuned
from ...zoo import CheckpointError, ResultError, manifest
from ...zoo.loading import content_of
from ...zoo.resolving import read_verified
from ..referee.plan import planned_runs
from ..referee.runs import shown_and_recovered
from ..referee.tuning import outdated_choices
from ..score.scoring import wrong_scores
from ..secrets.judging import judge_name, judge_sha256
from ..store.folder import ResultStore
from ..store.result import Result
from .figures import is_current, pictures
from .leaderboard import render_all
from .rows import failures, rows
from .standing import Standing, name_of, standing


def outdated(store: ResultStore, profile: str) -> list[str]:
    """What `--check` complains about; empty where results, pictures and page all agree.

    Of a picture only the note of the results that it was drawn from is compared, since another
    version of matplotlib draws other pixels.
    """
    found = standing(store, profile)
    problems = found.left_out
    for result in found.results:
        problems += unfounded(result, store)
    for picture in pictures(store, rows(found.results)):
        if not is_current(picture):
            problems.append(f"{picture.path} was not drawn from the stored results")
    if store.is_published and profile == "standard":
        problems += unpublishable(found)
    try:
        pages = render_all(store, profile)
    except ResultError as error:
        return [*problems, str(error)]
    for path, text in pages.items():
        if not path.is_file() or path.read_text("utf-8") != text:
            problems.append(f"{path} is not what the stored results render to")
    return problems


def unpublishable(found: Standing) -> list[str]:
    """What the repository's own page must not do: lack a row, show a failed one, or rest on a
    hyperparameter whose search stopped early or was made for other networks."""
    there = {(result.where, result.label) for result in found.results}
    lacking = [run.key for run in planned_runs() if (run.scenario, run.label) not in there]
    return [
        *(f"{key} has no result that counts; run `splitzoo bench`" for key in lacking),
        *failures(found.results),
        *open_ends(tuned()),
        *outdated_choices(),
    ]


def unfounded(result: Result, store: ResultStore) -> list[str]:
    """What a result claims that its images, or the checkpoints it names, do not bear out."""
    if result.failure is not None:
        return []
    try:
        secrets, recovered = shown_and_recovered(result, store)
    except ResultError as error:
        return [str(error)]
    name, dataset = name_of(result), result.scenario.dataset
    problems = []
    if wrong := wrong_scores(result.reported, secrets, dataset, recovered):
        problems.append(
            f"{name}: {', '.join(wrong)} is not what its stored images score; run `splitzoo score`"
        )
    if result.judge_sha256 != judge_sha256(dataset):
        problems.append(f"{name} was judged by another judge; run `splitzoo score`")
    rests_on = [result.scenario.network]
    if result.judge_sha256 is not None:
        rests_on.append(judge_name(dataset))
    if result.network is not None and result.network.name is not None:
        rests_on.append(result.network.name)
    problems += [f"{name} rests on {damage}" for each in rests_on if (damage := _damage(each))]
    return [*problems, *_other_cost(result)]


def _other_cost(result: Result) -> list[str]:
    """Whether queries and offline seconds are what the setting, or the network's record, says."""
    cost, name = result.cost, name_of(result)
    if Capability.QUERY not in get_attack(result.attack.name).requires and cost.queries:
        return [f"{name} claims {cost.queries} queries, and its attack makes none"]
    used = result.network
    record = manifest().records.get((used.name if used else None) or "")
    if used is None or record is None:
        return []
    problems = []
    if used.training_sha256 != record.training_sha256:
        problems.append(
            f"{name} rests on another training than the record of {record.name} tells of; "
            "restore the record, or run it again with `splitzoo bench --fresh`"
        )
    asks_itself = result.where.setting.allows(Capability.EDGE)
    own = cost.queries - (0 if asks_itself else record.training["queries"])
    if own < 0 or (own > 0 and not result.attack.calibrated):
        problems.append(f"{name} claims other queries than the record of its network")
    if cost.offline_seconds < round(record.training["seconds"], 3):
        problems.append(f"{name} claims a lesser offline cost than the record of its network")
    return problems


@cache
def _damage(name: str) -> str:
    """Why a published checkpoint is not, to the byte, what its record says; empty where it is."""
    record = manifest().records.get(name)
    if record is None:
        return f"{name}, which has no record"
    try:
        file, _ = read_verified(record)
        content = content_of(file, record.architecture)
    except CheckpointError as error:
        return f"{name}: {error}"
    if content != record.content_sha256:
        return f"{name}, whose file holds another network than its record says"
    return ""
