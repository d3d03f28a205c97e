"""Which stored results count: those that are what the benchmark would make now."""

from __future__ import annotations

from dataclasses import dataclass

from ...zoo import CapabilityError, MisuseError, UnknownNameError
from ..referee.runs import run_of
from ..score.metric import metrics_of
from ..store.folder import ResultStore
from ..store.result import Result


@dataclass(frozen=True)
class Standing:
    """The results of a profile that may stand on one page, and a line for each that may not.

    `skipped` are files that are no result of the catalogue's attacks; `stale` are results of
    another target, network, attack, benchmark version or set of images, which are never compared
    or averaged with the others.
    """

    results: list[Result]
    skipped: list[str]
    stale: list[str]

    @property
    def left_out(self) -> list[str]:
        """A line for each file that is not shown."""
        return [*self.skipped, *self.stale]


def standing(store: ResultStore, profile: str) -> Standing:
    """What counts of a profile's results."""
    contents = store.contents(profile)
    results, stale = [], []
    for result in contents.results:
        reason = _why_not(result)
        if reason:
            stale.append(f"{name_of(result)} is left out: {reason}")
        else:
            results.append(result)
    return Standing(results, contents.skipped, stale)


def name_of(result: Result) -> str:
    """What a line about a result calls it."""
    return f"{result.where.key} {result.label} (seed {result.seed})"


def _why_not(result: Result) -> str:
    run = run_of(result)
    try:
        run.check()
    except (CapabilityError, MisuseError, UnknownNameError) as error:
        return str(error)
    if changed := result.stale_because(run.identity()):
        return f"{changed} changed; run `splitzoo bench`"
    known = metrics_of(result.scenario.dataset)
    missing = [name for name in known if name not in result.reported]
    if result.failure is None and missing:
        return f"it lacks {', '.join(missing)}; run `splitzoo score`"
    return ""
