"""`splitzoo train`: make checkpoints by their published recipes."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from ...zoo.choices import PRECISIONS
from ...zoo.errors import MisuseError
from ...zoo.files import ensure_writable
from ...zoo.manifests import manifest
from .engine_options import add_engine, engine_of
from .info import what_it_took
from .options import add_device, folder

if TYPE_CHECKING:
    from ..engines.choosing import Wanted
    from ..referee.checkpoints import Checkpoints


def add(parser: ArgumentParser) -> None:
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="checkpoints of `splitzoo list`: targets, judges, Inverse-Networks, shadow models",
    )
    parser.add_argument("--all", action="store_true", help="everything that is not finished yet")
    parser.add_argument(
        "--out",
        type=folder,
        default=Path("checkpoints"),
        metavar="DIR",
        help="where NAME.safetensors and its record NAME.json go (default: %(default)s)",
    )
    parser.add_argument(
        "--adopt",
        action="store_true",
        help="replace the zoo's own checkpoints, manifest records and model cards instead",
    )
    add_device(parser)
    parser.add_argument(
        "--precision",
        default="auto",
        metavar="|".join(PRECISIONS),
        help="of forward and backward passes; auto is bfloat16 where the device computes it "
        "natively and float32 elsewhere, where bfloat16 is many times slower (default: auto)",
    )
    add_engine(parser)
    parser.epilog = (
        "Progress is kept after every epoch in the cache folder ($SPLITZOO_CACHE): a run that was\n"
        "interrupted goes on, and ends in the same weights as one that was not. After ten steps\n"
        "each training says how long it will take here. With --all, what is finished by the\n"
        "present recipe, of the present target, is skipped. Load the result with load_split,\n"
        "load_inverse, load_decoder, load_copy, load_shadow or load_judge, and\n"
        "path='checkpoints/NAME.safetensors'.\n\n"
        "With --adopt targets are trained before what is learned from them. Machines of Ray and\n"
        "Slurm must see the folder under one path; give jobs of Slurm the time that they need.\n\n"
        "  splitzoo train --all --jobs 2\n"
        "  splitzoo train --all --engine slurm --threads 8 --sbatch time=240"
    )


def run(options: Namespace) -> int:
    if bool(options.names) == options.all:
        raise MisuseError("name the checkpoints to train, or give --all; `splitzoo list` has them")
    from ..referee.checkpoints import Checkpoints
    from ..referee.offline import known, trainable

    wanted = engine_of(options)
    wanted.here()
    checkpoints = Checkpoints.of_the_zoo() if options.adopt else Checkpoints(options.out)
    names = list(options.names or trainable())
    for name in names:
        known(name)
    work = _by_workers if wanted.elsewhere else _here
    return work(names, checkpoints, wanted, options)


def _here(names: list[str], to: Checkpoints, wanted: Wanted, options: Namespace) -> int:
    """Train one after another in this process."""
    from ...zoo import describe_device, pick_precision
    from ..engines.training import reached

    device = wanted.here()
    precision = pick_precision(options.precision, device)
    print(f"training in {precision} on {describe_device(device)}", file=sys.stderr)
    for name in names:
        # Asked anew each time: a target that was just retrained leaves its networks behind.
        if options.all and not to.lacks(name):
            continue
        _say_what_it_took(name)
        record = to.train(name, device, precision)
        to.settle(record)
        print(f"{name}: {reached(record)}", file=sys.stderr)
        print(to.folder / record.file, flush=True)
    return 0


def _by_workers(names: list[str], to: Checkpoints, wanted: Wanted, options: Namespace) -> int:
    """Train side by side; networks that others rest on come first."""
    from ..engines.training import train_all

    ensure_writable(to.folder)
    for stage in to.stages(names):
        asked = [name for name in stage if not options.all or to.lacks(name)]
        if not asked:
            continue
        with wanted.workers(len(asked), options.out / "jobs") as (workers, where):
            print(f"{len(asked)} to train, {where}", file=sys.stderr)
            records = train_all(asked, to, options.precision, workers)
        for record in filter(None, records):
            print(to.folder / record.file, flush=True)
        if None in records:
            return 1
    return 0


def _say_what_it_took(name: str) -> None:
    """How long the published one took, before the first steps tell how long it takes here."""
    if name in manifest().records:
        print(f"{name}: the published one {what_it_took(manifest().get(name))}", file=sys.stderr)
