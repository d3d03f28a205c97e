"""`splitzoo bench`: run attacks on cells and render what they recover."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, Namespace
from itertools import groupby

from ...attacks import get_entry
from ...zoo import describe_device, pick_device
from ...zoo.files import ensure_writable
from ..leaderboard import summary, write_leaderboard
from ..metrics import mean
from ..plan import assignments, paper_figure, select, with_attacks
from ..results import Result
from ..rows import rows
from ..runner import Run, ensure_result
from ..standing import standing
from .options import (
    LOCAL_RESULTS,
    add_device,
    add_only,
    add_profile,
    add_results,
    add_seed,
    store_of,
    warn,
)


def add(parser: ArgumentParser) -> None:
    add_profile(parser, "paper10")
    add_only(parser)
    parser.add_argument(
        "--attack",
        action="append",
        default=[],
        metavar="NAME",
        help="an attack of `splitzoo list` in place of those that the paper ran; on every cell "
        "whose setting allows it, or on those of --only; may be given again",
    )
    add_results(parser, LOCAL_RESULTS)
    add_seed(parser)
    add_device(parser)
    parser.add_argument(
        "--fresh", action="store_true", help="run again what is already there and current"
    )
    parser.epilog = (
        "Finished cells are kept: a run that was interrupted goes on where it stopped, and a\n"
        "result whose checkpoint, images, attack or hyperparameters have changed is made again.\n"
        "Recovered images and a leaderboard are written into the results folder. An attack in a\n"
        "setting that does not grant what it requires is refused before any work.\n\n"
        "  splitzoo bench --only black_box                   a family of settings\n"
        "  splitzoo bench --only query_free/cifar_cnn/relu22 one split in four settings\n"
        "  splitzoo bench --only model_reconstruction        one attack"
    )


def run(options: Namespace) -> int:
    store = store_of(options)
    device = pick_device(options.device)
    names = [get_entry(name).name for name in options.attack]
    among = with_attacks(names, anywhere=bool(options.only)) if names else assignments()
    runs = [
        Run(each.cell, each.attack, options.profile, options.seed)
        for each in select(options.only, among)
    ]
    for planned in runs:
        planned.check()
    print(
        f"{len(runs)} to attack, profile {options.profile}, on {describe_device(device)}; "
        f"results go to {store.folder}",
        file=sys.stderr,
    )
    ensure_writable(store.folder)
    results = []
    for number, planned in enumerate(runs, start=1):
        print(f"[{number}/{len(runs)}] {planned.cell.key} {planned.attack} …", file=sys.stderr)
        started = time.perf_counter()
        result, note = ensure_result(planned, store, device, fresh=options.fresh)
        took = time.perf_counter() - started
        print(f"      {_score(result)}   ({note}, took {took:.1f} s)", file=sys.stderr, flush=True)
        results.append(result)
    warn(standing(store, options.profile).left_out)
    page = write_leaderboard(store, options.profile)
    for _, group in groupby(results, lambda result: result.cell.setting):
        print("\n" + summary(rows(group), markdown=False))
    print(f"\nleaderboard: {page}\npictures:    {store.figures(options.profile)}")
    return 0


def _score(result: Result) -> str:
    published = paper_figure(result.cell, result.attack.name)
    beside = f" (paper {published.psnr:.2f} dB, {published.ssim:.4f})" if published else ""
    if result.failure is not None:
        return f"failed: {result.failure}"
    quality = mean(result.reported["psnr"]).value, mean(result.reported["ssim"]).value
    return (
        f"{quality[0]:.2f} dB, SSIM {quality[1]:.4f}{beside} in {result.cost.online_seconds:.1f} s"
    )
