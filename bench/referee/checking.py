"""The conformance battery in a worker: an attack's code is not run in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from ...attacks.conformance.checks import Finding
from .wire import AttackFailedError, WireError
from .workers import Limits, files_of, line_of, worker


def check_apart(
    reference: str, limits: Limits, starting: Callable[[str], object] = lambda name: None
) -> Iterator[Finding]:
    """A finding for each check of the attack that `reference` names, as soon as it is there.

    An attack that cannot be loaded fails the check "loads"; one that crashes its worker, or takes
    more time than it has, fails the check that it was at. `starting` is told each check's name.
    """
    at = "loads"
    try:
        with worker(limits, files_of(reference), gpu=torch.cuda.is_available()) as wire:
            wire.send("check", reference=reference)
            while True:
                try:
                    message = wire.receive()
                except WireError as error:
                    raise AttackFailedError(f"the worker {_ending(str(error), limits)}") from None
                if message.kind == "done":
                    return
                if message.kind == "starting":
                    at = line_of(message.values.get("check"))
                    starting(at)
                elif message.kind == "finding":
                    yield Finding(*(line_of(message.values.get(each)) for each in _PARTS))
                else:
                    raise AttackFailedError(line_of(message.values.get("reason")))
    except AttackFailedError as failure:
        yield Finding(at, "failed", str(failure))


_PARTS = ("check", "outcome", "line")


def _ending(reason: str, limits: Limits) -> str:
    late = (
        f"took more than the {limits.seconds:.0f} s that all checks have; state fields in `brief` "
        "with which a trial is short, or give more with --time-limit"
    )
    return reason.replace("its time was up", late).replace("it has gone", "has gone")
