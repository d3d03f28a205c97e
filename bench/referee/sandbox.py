"""What a worker can see of this machine: its libraries and its attack, and no secret or network.

Bubblewrap or, where it is not installed, the user namespaces that util-linux' `unshare` opens give
a worker a root of its own, in which only the interpreter, the packages and the sources stand, read
only; what would give an answer away is empty there. Where the system allows neither, a worker is a
process of its own, and its results say so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ...zoo import cache_dir
from ...zoo.manifests import FOLDER as CHECKPOINTS
from ..secrets.evaluation import FOLDER as EVALUATION_IMAGES
from ..store import PUBLISHED
from ..store.result import Isolation

_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/etc/ld.so.cache")
_PACKAGE = Path(__file__).resolve().parents[2]
#: What `unshare` runs: builds a root out of the given folders, forgets the old one and every
#: privilege, and goes on. Arguments: an empty folder, N, then N folders to show, M, M to empty.
_NEW_ROOT = r"""
set -e
root=$1; shift
mount -t tmpfs tmpfs "$root"
mkdir "$root/tmp" "$root/proc" "$root/dev" "$root/old"
mount -t tmpfs tmpfs "$root/tmp"
count=$1; shift
while [ "$count" -gt 0 ]; do
  if [ -d "$1" ]; then mkdir -p "$root$1"; else mkdir -p "$root$(dirname "$1")"; : > "$root$1"; fi
  mount --rbind "$1" "$root$1"
  mount -o remount,bind,ro "$root$1" 2>/dev/null || true
  count=$((count - 1)); shift
done
count=$1; shift
while [ "$count" -gt 0 ]; do
  mount -t tmpfs -o ro tmpfs "$root$1"
  count=$((count - 1)); shift
done
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
if [ -d "$root/dev/shm" ]; then mount -t tmpfs tmpfs "$root/dev/shm"; fi
cd "$root"
pivot_root . old
umount -l /old
cd /
exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
"""


@dataclass(frozen=True)
class Sandbox:
    """A way to start a worker: by "bwrap", by "unshare", or as a plain process."""

    tool: str

    @property
    def isolation(self) -> Isolation:
        """What a result says of it."""
        return "sandbox" if self.tool else "process"

    @property
    def described(self) -> str:
        """The same in words."""
        if self.tool:
            return f"in a sandbox ({self.tool}): without network, secrets and checkpoints"
        return (
            "in processes that see this machine; install bubblewrap, or allow user namespaces, to "
            "keep secrets, checkpoints and the network from them"
        )

    def command(
        self, argv: Sequence[str], *, show: Sequence[Path], root: Path, gpu: bool = False
    ) -> list[str]:
        """The command that runs `argv` so that it sees the system, `show`, and no secret.

        `root` is an empty folder that a new root can be mounted on.
        """
        shown = [path for path in [*map(Path, _SYSTEM), *libraries(), *show] if path.exists()]
        if self.tool == "bwrap":
            return [*_bubblewrap(shown, secrets(), gpu), *argv]
        if self.tool == "unshare":
            unshare = "unshare --user --map-root-user --net --mount --pid --ipc --uts --fork"
            lists = [str(len(shown)), *map(str, shown)]
            hidden = [path for path in secrets() if any(map(path.is_relative_to, shown))]
            lists += [str(len(hidden)), *map(str, hidden)]
            script = ["--kill-child", "sh", "-c", _NEW_ROOT, "sh", str(root)]
            return [*unshare.split(), *script, *lists, *argv]
        return list(argv)


def _bubblewrap(shown: Sequence[Path], hidden: Sequence[Path], gpu: bool) -> list[str]:
    command = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    command += ["--tmpfs", "/tmp"]
    for path in shown:
        command += ["--ro-bind", str(path), str(path)]
    for path in hidden:
        if any(map(path.is_relative_to, shown)):
            command += ["--tmpfs", str(path), "--remount-ro", str(path)]
    devices = ["--dev", "/dev"]
    if gpu:  # what one worker left in shared memory is not for the next
        devices = ["--dev-bind", "/dev", "/dev", "--tmpfs", "/dev/shm"]
    return [*command, *devices, "--proc", "/proc", "--chdir", "/"]


def libraries() -> list[Path]:
    """The folders that Python needs to import what it can import here, and Splitzoo's own sources.

    A folder that holds more than packages, such as a checkout on `PYTHONPATH`, is not among them.
    """
    known = [sys.prefix, sys.base_prefix, *sysconfig.get_paths().values()]
    known += [path for path in sys.path if path and Path(path).name.endswith("-packages")]
    own = [_PACKAGE / name for name in ("splitzoo", "zoo", "attacks", "bench")]
    folders = {Path(path).absolute() for path in known} | {path for path in own if path.is_dir()}
    return sorted(path for path in folders if path.is_dir() and path != Path("/"))


def secrets() -> list[Path]:
    """The folders that a worker finds empty: whatever holds an answer or a secret image."""
    from huggingface_hub import constants  # where checkpoints of the Hub lie

    found = [CHECKPOINTS, EVALUATION_IMAGES, PUBLISHED, cache_dir(), _PACKAGE / ".git"]
    found.append(Path(constants.HF_HUB_CACHE))
    return [path.absolute() for path in found if path.is_dir()]


@cache
def sandbox() -> Sandbox:
    """The best that this system allows. `SPLITZOO_SANDBOX=bwrap|unshare|none` chooses."""
    chosen = os.environ.get("SPLITZOO_SANDBOX")
    for tool in ("bwrap", "unshare"):
        if chosen in (None, tool) and shutil.which(tool) and _works(Sandbox(tool)):
            return Sandbox(tool)
    return Sandbox("")


def _works(candidate: Sandbox) -> bool:
    import tempfile

    with tempfile.TemporaryDirectory() as root:
        command = candidate.command([sys.executable, "-c", "0"], show=(), root=Path(root))
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    return done.returncode == 0
