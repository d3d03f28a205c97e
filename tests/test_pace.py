"""How long the benchmark takes: the schedule, and what each row counts for."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from splitzoo.bench.report.pace import core_seconds, makespan
from splitzoo.bench.store import PUBLISHED
from splitzoo.bench.store.folder import ResultStore
from splitzoo.bench.store.result import Cost, Made, Result
from splitzoo.zoo import manifest


def test_the_longest_go_first_to_whoever_is_free() -> None:
    """By hand: 5 | 4, then 3 behind the 4, 3 behind the 5, and the last behind the 7."""
    assert makespan([3, 5, 3, 4, 3], 2) == 10
    assert makespan([3, 5, 3, 4, 3], 1) == 18
    assert makespan([3, 5, 3, 4, 3], 5) == makespan([3, 5, 3, 4, 3], 256) == 5
    assert makespan([], 3) == 0


@pytest.mark.parametrize("seconds", [[7, 6, 5, 4, 3], [9, 1, 1, 1, 8], [2, 2, 2, 3, 3]])
def test_a_schedule_lies_within_its_bounds(seconds: list[float]) -> None:
    """Never below the best of all assignments, nor above 4/3 of it (Graham 1969)."""
    for workers in (2, 3):
        best = min(
            max(sum(s for s, w in zip(seconds, who, strict=True) if w == each) for each in who)
            for who in itertools.product(range(workers), repeat=len(seconds))
        )
        assert best <= makespan(seconds, workers) <= best * 4 / 3


@pytest.fixture
def published() -> Result:
    """A row whose network is loaded, so that its training does not count."""
    found = ResultStore(PUBLISHED).all("standard")
    return next(each for each in found if each.network is not None and each.network.name)


@pytest.mark.parametrize(
    ("device", "threads"), [("AMD EPYC, 2 threads", 2), ("AMD EPYC, 1 threads", 1), ("H100", 1)]
)
def test_a_row_counts_what_it_takes_to_run_again(
    published: Result, device: str, threads: int
) -> None:
    assert published.network is not None
    trained = manifest().get(published.network.name or "").training["seconds"]
    made = Made(device=device, versions=published.made.versions, date=published.made.date)
    row = msgspec.structs.replace(published, cost=Cost(trained + 4.0, 30.0, 0), made=made)
    assert core_seconds(row) == pytest.approx(34.0 * threads)
    assert core_seconds(row, 1000) == pytest.approx((4.0 + 300.0) * threads)
    own = msgspec.structs.replace(row, network=None)
    assert core_seconds(own) == pytest.approx((trained + 34.0) * threads)
