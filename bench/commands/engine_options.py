"""Options of the commands whose work an engine can carry out."""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from typing import TYPE_CHECKING

from ...zoo.errors import MisuseError, UnknownNameError
from ..engines import ENGINES
from .options import whole_number

if TYPE_CHECKING:
    from ..engines.choosing import Wanted


def add_engine(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("more than one worker")
    group.add_argument(
        "--engine",
        default="local",
        metavar="|".join(ENGINES),
        help="who carries the work out: processes of this machine, a Ray cluster "
        "(`pip install 'splitzoo[ray]'`), Slurm by way of submitit (`splitzoo[slurm]`), or the "
        "same jobs as processes of this machine (default: local)",
    )
    group.add_argument(
        "--jobs",
        type=whole_number(1, 4096),
        metavar="N",
        help="workers at once; one that dies is begun again twice (default: local 1, ray one for "
        "each core or GPU of the cluster, slurm 16 in the queue)",
    )
    group.add_argument(
        "--threads",
        type=whole_number(1, 1024),
        metavar="N",
        help="of each worker (default: its share of the cores; a job of Slurm has 1)",
    )
    group.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="of a Ray cluster (default: the one that Ray finds, or a new one of this machine)",
    )
    group.add_argument(
        "--sbatch",
        action="append",
        default=[],
        type=sbatch_option,
        metavar="NAME=VALUE",
        help="an option of sbatch for every job, e.g. partition=gpu, time=30, mem=8G; without a "
        "time a job may take an hour; may be given again",
    )


def sbatch_option(text: str) -> tuple[str, str]:
    """An option's type: NAME=VALUE, as sbatch has it behind "--"."""
    found = re.fullmatch(r"(?:--)?([a-z][a-z-]{0,40})=([^\s\x00-\x1f\x7f]{1,200})", text)
    if found is None:
        raise ArgumentTypeError(f"{text!r} is no option of sbatch; give e.g. partition=gpu")
    return found[1], found[2]


def engine_of(options: Namespace) -> Wanted:
    """What the options of `add_engine` and `add_device` say. UnknownNameError for an engine that
    does not exist, MisuseError for options that it has no use for."""
    from ..engines.choosing import Wanted

    if options.engine not in ENGINES:
        raise UnknownNameError("engine", options.engine, ENGINES)
    for given, engine in ((options.address, "ray"), (options.sbatch, "slurm")):
        if given and options.engine != engine:
            name = "--address" if engine == "ray" else "--sbatch"
            raise MisuseError(f"{name} is for --engine {engine}; leave it away, or name that")
    return Wanted(
        options.engine,
        options.jobs,
        options.threads,
        options.device,
        options.address,
        tuple(options.sbatch),
    )
