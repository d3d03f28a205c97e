"""Slurm itself, as one node of this machine: does it make the table of a single process?

    apt-get install slurm-wlm
    python -m splitzoo.bench.measured.slurm_node [--kills 3] [--only WORDS] [--store]

Needs Debian's package, with munge, and root. Writes slurm.conf and a key into a temporary folder,
starts munged, slurmctld and slurmd from there, and compares as `engines` does: `splitzoo bench
--engine slurm`, two jobs at once, of which one is now and then ended with SIGKILL. The daemons are
ended afterwards, and nothing is left behind.
"""

from __future__ import annotations

import argparse
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ...zoo import InputError
from . import engines
from .evidence import run

CONF = """\
ClusterName=splitzoo
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
SlurmdParameters=config_overrides
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
#: Seconds in which the node must be ready for jobs.
READY_WITHIN = 60.0


@contextmanager
def slurm() -> Iterator[dict[str, str]]:
    """One node of two cores; the environment in which Slurm's commands find it.

    InputError where a daemon does not start, with the end of what it said.
    """
    with TemporaryDirectory(prefix="slurm-") as scratch:
        folder = Path(scratch)
        for name in ("state", "spool"):
            (folder / name).mkdir()
        (folder / "key").write_bytes(secrets.token_bytes(128))
        (folder / "key").chmod(0o400)
        ports = [engines.free_port(), engines.free_port()]
        conf = CONF.format(
            host=socket.gethostname().partition(".")[0],
            folder=folder,
            controller=ports[0],
            node=ports[1],
        )
        (folder / "slurm.conf").write_text(conf, "utf-8")
        environment = {"SLURM_CONF": str(folder / "slurm.conf")}
        munged = ["munged", "--foreground", "--force", f"--key-file={folder}/key"]
        munged += [f"--{name}-file={folder}/munge.{name}" for name in ("pid", "log", "seed")]
        daemons: list[subprocess.Popen[bytes]] = []
        try:
            for command in (
                [*munged, f"--socket={folder}/munge.socket"],
                ["slurmctld", "-D", "-c"],
                ["slurmd", "-D"],
            ):
                daemons.append(_begun(command, folder, environment))
            _wait_until_idle(environment, folder)
            yield environment
        finally:
            for daemon in reversed(daemons):
                daemon.terminate()
                daemon.wait()


def _begun(
    command: list[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """A daemon, a second after its start."""
    said = folder / f"{command[0]}.said"
    try:
        with said.open("wb") as file:
            daemon = subprocess.Popen(
                command, env={**os.environ, **environment}, stdout=file, stderr=file
            )
    except FileNotFoundError as error:
        raise InputError(
            f"there is no {command[0]}; install Debian's slurm-wlm, or your system's Slurm"
        ) from error
    time.sleep(1)
    if daemon.poll() is not None:
        raise InputError(f"{command[0]} has ended: {said.read_text('utf-8')[-500:]}")
    return daemon


def _wait_until_idle(environment: Mapping[str, str], folder: Path) -> None:
    until, state = time.monotonic() + READY_WITHIN, ""
    while state != "idle":
        if time.monotonic() > until:
            said = (folder / "slurmd.said").read_text("utf-8")[-500:]
            raise InputError(f"the node is {state or 'unknown'} and not idle; slurmd says: {said}")
        time.sleep(1)
        command = ["sinfo", "--noheader", "--format", "%T"]
        asked = subprocess.run(
            command, env={**os.environ, **environment}, capture_output=True, text=True
        )
        state = asked.stdout.strip()


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """The comparison, and which Slurm it was made with."""
    given.engine = ["slurm"]
    with slurm() as environment:
        os.environ.update(environment)
        version = subprocess.run(["sinfo", "--version"], capture_output=True, text=True, check=True)
        return {**engines.measure(given), "slurm": version.stdout.strip()}


if __name__ == "__main__":
    run("slurm_node", __doc__, measure, engines.add_options)
