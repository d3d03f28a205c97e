"""`splitzoo bench`: run attacks on scenarios and render what they recover."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from dataclasses import fields
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ...zoo.errors import MisuseError, UnknownNameError
from ...zoo.files import ensure_writable
from .engine_options import add_engine, engine_of
from .options import (
    LOCAL_RESULTS,
    add_device,
    add_fields,
    add_limits,
    add_only,
    add_profile,
    add_results,
    add_seed,
    assignment,
    limits_of,
    store_of,
    warn,
)

if TYPE_CHECKING:
    import torch

    from ...zoo import Defence
    from ..engines.choosing import Wanted
    from ..referee.runs import Run
    from ..store.folder import ResultStore
    from ..store.result import Result


def add(parser: ArgumentParser) -> None:
    add_profile(parser, "paper10")
    add_only(parser)
    parser.add_argument(
        "--attack",
        action="append",
        default=[],
        metavar="NAME|FILE.py:CLASS",
        help="an attack of `splitzoo list`, or of a file of yours, in place of those that the "
        "paper ran; on every scenario of the plan whose setting allows it, or on those of --only; "
        "may be given again",
    )
    add_fields(parser)
    parser.add_argument(
        "--defence",
        type=described_defence,
        metavar="NAME[:FIELD=VALUE,…]",
        help="what every edge does to its features, e.g. gaussian_noise:sigma=0.5; networks that "
        "attacks learn are then trained against the defended edge",
    )
    add_results(parser, LOCAL_RESULTS)
    add_seed(parser)
    add_device(parser)
    parser.add_argument(
        "--isolated",
        action="store_true",
        help="run each attack in a worker that sees neither secrets nor network, with the limits "
        "below; `splitzoo submit` always does",
    )
    add_limits(parser)
    add_engine(parser)
    parser.add_argument(
        "--shard",
        type=shard,
        metavar="K/N",
        help="carry out the Kth of N shares of the scenarios, for a scheduler of yours; all may "
        "write into one results folder",
    )
    parser.add_argument(
        "--fresh", action="store_true", help="run again what is already there and current"
    )
    parser.epilog = (
        "Finished scenarios are kept and drawn: a run that was interrupted goes on where it\n"
        "stopped, within a scenario too, and a result whose checkpoint, images, attack or fields\n"
        "have changed is made again. Recovered images and a leaderboard go into the results\n"
        "folder. Words of --only that name nothing of the paper's plan choose among every split\n"
        "of every network in every setting. An attack in a setting that does not grant what it\n"
        "requires is refused before any work.\n\n"
        "Machines of Ray and Slurm must see the results folder under one path and have the same\n"
        "Splitzoo. What jobs of Slurm print is kept in the folder's jobs/.\n\n"
        "  splitzoo bench --only black_box                   a family of settings\n"
        "  splitzoo bench --only query_free/cifar_cnn/relu22 one split in four settings\n"
        "  splitzoo bench --only white_box/resnet20/block13  beyond the paper\n"
        "  splitzoo bench --only lenet --attack my_attack.py:MyAttack --field steps=500\n"
        "  splitzoo bench --profile standard --jobs 4        side by side on one machine\n"
        "  splitzoo bench --profile standard --engine ray    on every core of a Ray cluster\n"
        "  splitzoo bench --engine slurm --jobs 64 --sbatch partition=cpu --threads 4\n"
        "  splitzoo bench --profile standard --shard 3/16    the third of 16 machines' shares"
    )


def described_defence(text: str) -> tuple[str, dict[str, Any]]:
    """An option's type: a defence's name, and after a colon its fields."""
    name, _, rest = text.partition(":")
    return name, dict(assignment(part) for part in rest.split(",") if part)


def shard(text: str) -> tuple[int, int]:
    """An option's type: "K/N" with 1 ≤ K ≤ N."""
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise ArgumentTypeError(f"{text!r} is no share: give K/N, from 1/N to N/N")
    return int(number), int(count)


def run(options: Namespace) -> int:
    from ...attacks import load_attack
    from ..referee.plan import chosen_runs, on_profile
    from ..report.leaderboard import write_leaderboard
    from ..report.rows import rows
    from ..report.standing import standing
    from ..report.tables import ORACLE, has_oracle, summary
    from ..score.metrics.psnr import PSNR_CAP

    store, wanted = store_of(options), engine_of(options)
    device = wanted.here()
    if options.field and not options.attack:
        raise MisuseError("--field sets a hyperparameter of --attack; name the attack too")
    references = {load_attack(reference).name: reference for reference in options.attack}
    runs = on_profile(
        chosen_runs(options.only, list(references)),
        options.profile,
        seed=options.seed,
        defence=make_defence(options.defence),
        overrides=tuple(options.field),
    )
    for planned in runs:
        planned.check()
    if options.shard:
        number, count = options.shard
        runs = runs[number - 1 :: count]
    ensure_writable(store.folder)
    try:
        results = carried_out(runs, store, wanted, device, references, options)
    except (KeyboardInterrupt, SystemExit):  # Ray ends a process by the latter at SIGTERM
        if standing(store, options.profile).results:
            write_leaderboard(store, options.profile)
        raise
    warn(standing(store, options.profile).left_out)
    page = write_leaderboard(store, options.profile)
    for _, group in groupby(results, lambda result: result.scenario.setting):
        print("\n" + summary(rows(group), markdown=False))
    if any(has_oracle(row) for row in rows(results)):
        print(f"\n{ORACLE}.")
    if any(value == PSNR_CAP for each in results for value in each.reported.get("psnr", [])):
        print(f"\nPSNR is capped at {PSNR_CAP:.0f} dB, that of an image recovered bit for bit.")
    print(f"\nleaderboard: {page}\npictures:    {store.figures(options.profile)}")
    return 1 if any(result.failure is not None for result in results) else 0


def carried_out(
    runs: list[Run],
    store: ResultStore,
    wanted: Wanted,
    device: torch.device,
    references: dict[str, str],
    options: Namespace,
) -> list[Result]:
    """Every run's result, from this process or from the workers that are wanted."""
    from ..engines import here
    from ..engines.attacking import attack_all

    limits = limits_of(options) if options.isolated else None
    if not wanted.elsewhere:
        return here.carry_out_all(runs, store, device, fresh=options.fresh, limits=limits)
    with wanted.workers(len(runs), store.folder / "jobs") as (workers, where):
        return attack_all(
            runs,
            store,
            workers,
            where=where,
            device=device,
            references=references,
            fresh=options.fresh,
            limits=limits,
        )


def make_defence(described: tuple[str, dict[str, Any]] | None) -> Defence | None:
    """The defence that --defence describes. UnknownNameError, or MisuseError for its fields."""
    if described is None:
        return None
    from ...zoo import get_defence

    name, values = described
    kind = get_defence(name)
    known = [field.name for field in fields(kind)]
    for each in values:
        if each not in known:
            raise UnknownNameError(f"field of {name}", each, known)
    try:
        return kind(**values)
    except TypeError as error:
        raise MisuseError(f"{name} cannot be made of these fields: {error}") from error
