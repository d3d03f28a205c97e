"""Attacks in a worker of their own, while the referee keeps the secrets and counts."""

from __future__ import annotations

import json
import secrets as entropy
import time
from dataclasses import asdict
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from ...attacks import Attack, Capability
from ...attacks.adversary import oracle
from ...zoo import (
    ContractError,
    Images,
    InputError,
    Target,
    check_features,
    check_images,
    number_images,
    progress,
    reseed,
)
from ...zoo.pixels import to_8_bit
from ..scenarios import Scenario
from ..store.result import NetworkUsed
from .attacking import KEEP_EVERY, Kept, Recovery
from .wire import AttackFailedError, Message, Wire
from .worker import Task, packed
from .workers import Limits, files_of, line_of, worker

#: The most images that a worker may ask for at once.
LARGEST_BATCH = 10_000


def attack_isolated(
    attack: Attack,
    scenario: Scenario,
    images: Images,
    *,
    device: torch.device,
    limits: Limits,
    seed: int = 0,
    network: nn.Module | None = None,
    order: int | None = None,
    noise: int | None = None,
    numbers: Tensor | None = None,
    places: Tensor | None = None,
    target: Target | None = None,
    kept: Kept | None = None,
) -> Recovery:
    """`attack_images` in a worker, which gets the features of `images` in an order of chance.

    Args:
        order: what the order is drawn from in which the images are shown; nobody can foresee the
            default, since an order tells the class.
        noise: what a defence draws from; as unforeseeable as the order by default, or an attack
            would draw the same and take it off.
        numbers: of the images, for what is random of an attack; as they are shown by default.
        places: of the images in the scenario's set, for what is random of a defence; as they are
            given by default.
        target: what to attack in place of the scenario's published target.
        kept: where finished images are kept, so that a run that was killed goes on.

    Raises AttackFailedError where the worker crashes, breaks its contract, takes what it was not
    granted or more than its limits.
    """
    if target is None:
        target = scenario.load_target()
    target = target.to(device)
    finished, online, earlier, before = (
        kept.load_ordered(images.pixels.shape) if kept else (images.pixels[:0], 0.0, 0, None)
    )
    if before is None or order not in (None, before):  # they lie in another order
        finished, online, earlier = finished[:0], 0.0, 0
        before = entropy.randbits(63) if order is None else order
    order = before
    reseed(target.edge, order if noise is None else noise)
    shown = torch.randperm(len(images), generator=torch.Generator().manual_seed(order))
    task = Task(
        reference_of(attack),
        asdict(attack),
        scenario.grant(target),
        str(device),
        torch.get_num_threads(),
        seed,
        network,
    )
    began = time.perf_counter()
    with worker(limits, files_of(task.reference), gpu=device.type != "cpu") as wire:
        referee = Referee(scenario, target, wire, limits, device, earlier)
        wire.send("task", body=packed(task))
        ready = referee.hear("ready")
        learned = _learned(ready.values.get("learned") or {})
        calibrated = _plain(ready.values, "calibrated")
        offline, queries = time.perf_counter() - began, referee.queries - earlier
        batch = min(LARGEST_BATCH, max(1, _whole(ready.values.get("batch"))))
        parts, done, saved = [finished], len(finished), time.monotonic()
        title = f"{scenario.key} {attack.title}"
        for start in progress(range(0, len(images), batch), title, unit="batch"):
            rows = shown[start : start + batch]
            if start + len(rows) <= done:
                continue
            number_images(target.edge, (rows if places is None else places[rows]).tolist())
            with torch.no_grad():
                features = target.edge(images.subset(rows).floats().to(device))
            asked = time.perf_counter()
            own = range(start, start + len(rows)) if numbers is None else numbers[rows].tolist()
            wire.send("features", {"features": features}, numbers=list(own))
            answered = checked(referee.hear("images"), images.pixels[rows].shape)
            online += time.perf_counter() - asked
            parts.append(answered[max(0, done - start) :])
            if kept is not None and time.monotonic() - saved >= KEEP_EVERY:
                kept.save(torch.cat(parts), online, order, referee.queries - queries)
                saved = time.monotonic()
        wire.send("done")
    pixels = torch.empty_like(images.pixels)
    pixels[shown] = torch.cat(parts)
    return Recovery(pixels, offline, online, referee.queries, learned, calibrated, order)


class Referee:
    """What the referee answers while a worker works: its questions, as far as they are allowed.

    `queries` are the images that it was asked about, those of a run that was killed included.
    """

    def __init__(
        self,
        scenario: Scenario,
        target: Target,
        wire: Wire,
        limits: Limits,
        device: torch.device,
        queries: int = 0,
    ) -> None:
        self.scenario, self.wire, self.limits, self.device = scenario, wire, limits, device
        self.target, self.answer = target, oracle(target)
        self.queries = queries

    def hear(self, kind: str) -> Message:
        """The next message of that kind, with every question before it answered or refused.

        Raises AttackFailedError where something else comes.
        """
        while True:
            message = self.wire.receive()
            if message.kind == kind:
                return message
            if message.kind == "failed":
                raise AttackFailedError(line_of(message.values.get("reason")))
            if message.kind not in ("query", "data"):
                raise AttackFailedError(
                    f"the worker said {line_of(message.kind)!r} in place of {kind!r}"
                )
            try:
                self.wire.send("answer", self._answered(message))
            except AttackFailedError as refusal:
                self.wire.send("refused", reason=str(refusal))

    @torch.no_grad()
    def _answered(self, message: Message) -> dict[str, Tensor]:
        setting = self.scenario.setting
        needed = Capability.QUERY if message.kind == "query" else Capability.DATA
        if not setting.allows(needed):
            raise AttackFailedError(f"{setting.name} does not grant {needed.value}")
        if message.kind == "data":
            own = self.scenario.data()
            return {"pixels": own.pixels, "labels": own.labels}
        images = message.tensors.get("images")
        if images is None:
            raise AttackFailedError("a query carries no images")
        try:
            check_features(images, self.target.input_shape, "queried images")
        except InputError as error:
            raise AttackFailedError(str(error)) from None
        if self.queries + len(images) > self.limits.queries:
            raise AttackFailedError(f"the budget of {self.limits.queries} queries is spent")
        if not setting.allows(Capability.EDGE):
            self.queries += len(images)
        return {"features": self.answer(images.float().to(self.device))}


def checked(message: Message, shape: torch.Size) -> Tensor:
    """The images of an answer as 8 bits; AttackFailedError unless they are that, in [0, 1]."""
    images = message.tensors.get("images")
    if images is None or images.dtype != torch.float32 or images.shape != shape:
        found = "nothing" if images is None else f"{tuple(images.shape)} of {images.dtype}"
        raise AttackFailedError(f"it returned {found} for {tuple(shape)} of torch.float32")
    try:
        check_images(images, tuple(shape[1:]), "the images that it returned")
    except (InputError, ContractError) as error:
        raise AttackFailedError(str(error)) from None
    return to_8_bit(images)


def reference_of(attack: Attack) -> str:
    """What a worker loads the attack by: the file that it came from, or its name."""
    return getattr(attack, "reference", "") or attack.name


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 1


def _plain(values: dict[str, Any], name: str) -> dict[str, Any]:
    """What a worker says under a name; AttackFailedError for what no result could hold."""
    found = values.get(name)
    if not isinstance(found, dict) or len(str(found)) >= 10_000:
        return {}
    try:
        json.dumps(found, allow_nan=False)
    except ValueError:
        raise AttackFailedError(f"what it {name} is no finite number") from None
    return found


def _learned(values: dict[str, Any]) -> NetworkUsed | None:
    """The network that a worker says it has learned; AttackFailedError for what cannot be one."""
    if not values:
        return None
    try:
        return msgspec.structs.replace(msgspec.convert(values, NetworkUsed), name=None)
    except msgspec.ValidationError as error:
        raise AttackFailedError(f"what it learned is no network: {line_of(error)}") from None
