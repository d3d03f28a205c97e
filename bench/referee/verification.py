"""Running a stored row again, whole or on a sample, on images or a target that nobody has seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec
import torch
from torch import Tensor

from ...zoo import (
    Images,
    MisuseError,
    Target,
    chain_target,
    describe_device,
    get_network,
    holding,
    load_network,
)
from ...zoo.resume import Conditions
from ...zoo.training import recipes, train_target
from ..score.means import Mean, mean
from ..score.scoring import score
from ..store.folder import ResultStore
from ..store.provenance import today, versions
from ..store.result import Made, Result, Verification
from .isolated import attack_isolated
from .runs import Run, run_of
from .sandbox import sandbox
from .wire import AttackFailedError
from .workers import Limits, line_of

How = Literal["sample", "whole", "fresh_draw", "fresh_target"]
#: How far the means of the same images may lie apart, in dB and in SSIM: another processor takes
#: sums in another order, and a descent over an edge with kinks then takes another way. Above
#: UNSEEN dB only that both are counts.
CLOSE_DB, CLOSE_SSIM, UNSEEN = 0.5, 0.02, 45.0
#: How much better the public images may come out than fresh ones, in joint 95 % intervals.
LUCK = 1.5
#: Targets that are trained anew within a minute or two.
RETRAINED = ("lenet",)


@dataclass(frozen=True)
class Check:
    """How a row is verified.

    Attributes:
        how: "whole" or "sample" runs the same images again; "fresh_draw" others out of the
            reserve; "fresh_target" these against a target trained from another seed.
        seed: that sample, draw and training are drawn from.
        count: images of a sample or a fresh draw, at most.
    """

    how: How
    seed: int = 0
    count: int = 10


def verify(result: Result, check: Check, device: torch.device, limits: Limits) -> Verification:
    """Run a row again in a worker, and say whether what it reports is borne out.

    Raises MisuseError where the check cannot be made of this row.
    """
    run = run_of(result)
    if result.failure is not None:
        raise MisuseError(f"{run.key} has failed: there is nothing to verify; run it again")
    shown = _images(result, run, check)
    target = fresh_target(run, check.seed, device) if check.how == "fresh_target" else None
    record = run.published()
    network = load_network(record.name) if record and target is None else None
    per_image: dict[str, list[Any]] = {"indices": shown.indices}
    failure = ""
    try:
        recovery = attack_isolated(
            run.configure(),
            run.scenario,
            shown.images,
            device=device,
            limits=limits,
            seed=run.seed,
            network=network,
            noise=result.order or 0,  # what ran in process drew from 0
            numbers=shown.numbers,
            places=shown.places,
            target=target,
        )
        per_image |= score(shown.images, result.scenario.dataset, recovery.pixels)
    except AttackFailedError as error:
        failure = line_of(error)
    agrees, note = (False, failure) if failure else compared(result, check, per_image)
    return Verification(
        how=check.how,
        seed=check.seed,
        isolation=sandbox().isolation,
        agrees=agrees,
        per_image=per_image,
        made=Made(device=describe_device(device), versions=versions(), date=today()),
        note=note,
    )


def keep(result: Result, found: Verification, store: ResultStore) -> Result:
    """Store a verification with its result, in place of an earlier one of its kind and seed."""
    others = [v for v in result.verified if (v.how, v.seed) != (found.how, found.seed)]
    more = msgspec.structs.replace(result, verified=[*others, found])
    return store.save(more, store.recovered(result), instead_of=result)


def compared(result: Result, check: Check, per_image: dict[str, list[Any]]) -> tuple[bool, str]:
    """Whether a row's figures are borne out by those of a check, and both in words."""
    psnr = mean(per_image["psnr"])
    if check.how in ("sample", "whole"):
        places = [result.reported["indices"].index(each) for each in per_image["indices"]]
        before = {name: _at(result.reported[name], places) for name in ("psnr", "ssim")}
        apart = [mean(before[name]).value - mean(per_image[name]).value for name in before]
        unseen = min(mean(before["psnr"]).value, psnr.value) >= UNSEEN
        agrees = unseen or (abs(apart[0]) <= CLOSE_DB and abs(apart[1]) <= CLOSE_SSIM)
        return agrees, f"{mean(before['psnr']).value:.2f} dB reported, {psnr.value:.2f} dB found"
    public = mean(result.reported["psnr"])
    joint = math.hypot(public.half_width, psnr.half_width)
    agrees = public.value - psnr.value <= LUCK * joint or min(public.value, psnr.value) >= UNSEEN
    return agrees, f"{_text(public)} dB on public images, {_text(psnr)} dB on fresh ones"


def _at(values: Sequence[Any], places: Sequence[int]) -> list[Any]:
    return [values[place] for place in places]


def _text(value: Mean) -> str:
    return f"{value.value:.2f} ± {value.half_width:.2f}"


@dataclass(frozen=True)
class _Shown:
    """The images of a check, their positions in the test part, and, where they are the row's own,
    their numbers and places in it."""

    images: Images
    indices: list[Any]
    numbers: Tensor | None = None
    places: Tensor | None = None


def _images(result: Result, run: Run, check: Check) -> _Shown:
    generator = torch.Generator().manual_seed(check.seed)
    if check.how in ("fresh_draw", "fresh_target"):
        return _Shown(*fresh_images(run, check.count, generator))
    secrets = run.scenario.evaluation()
    count = len(secrets.images)
    rows = torch.arange(count)
    if check.how == "sample":
        rows = torch.randperm(count, generator=generator)[: check.count].sort().values
    numbers = torch.arange(count)
    if result.order is not None:
        shown = torch.randperm(count, generator=torch.Generator().manual_seed(result.order))
        numbers = shown.argsort()
    indices = secrets.indices[rows].tolist()
    return _Shown(secrets.images.subset(rows), indices, numbers[rows], rows)


def fresh_images(run: Run, count: int, generator: torch.Generator) -> tuple[Images, list[Any]]:
    """Images of the reserve that are neither public nor the row's own, and their positions in the
    test part.

    MisuseError where the reserve has no others, as for a row of profile full.
    """
    dataset = run.scenario.target.dataset.name
    reserve = holding(dataset, "reserve")
    known = (run.scenario, run.scenario.on("standard"))
    public = {index for each in known for index in each.evaluation().indices.tolist()}
    rest = torch.tensor([each for each in reserve.indices.tolist() if each not in public])
    if not len(rest):
        raise MisuseError(
            f"the reserve of {dataset} has no images but the public ones and the row's own; run "
            "it again with --sample or --whole"
        )
    chosen = rest[torch.randperm(len(rest), generator=generator)[:count]].sort().values
    return replace(reserve, indices=chosen).load(), chosen.tolist()


def fresh_target(run: Run, seed: int, device: torch.device) -> Target:
    """The row's network by its own recipe from another seed, split where the row splits it.

    MisuseError for a network whose training takes hours.
    """
    name = run.scenario.target.network
    if name not in RETRAINED:
        raise MisuseError(
            f"training {name} anew takes hours: --fresh-target is for {', '.join(RETRAINED)}"
        )
    recipe = replace(recipes()[name], seed=1_000_003 + seed)  # type: ignore[type-var]
    trained, _ = train_target(name, device=device, conditions=Conditions(), recipe=recipe)
    target = chain_target(get_network(name), run.scenario.target.split)
    target.load_layers(trained.layer_state())
    target = target.eval().requires_grad_(False)
    return run.scenario.defence.protect(target) if run.scenario.defence else target
