"""The command `splitzoo`."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from types import FrameType

#: Subcommand -> module of `bench.commands`, imported only when it is asked for.
COMMANDS = {
    "list": ("listing", "list networks, splits, attacks, settings and checkpoints"),
    "info": ("info", "show everything that is known of one checkpoint"),
    "bench": ("bench", "run attacks, score what they recover, render a leaderboard"),
    "check": ("check", "try an attack of yours on tiny targets, in seconds"),
    "submit": ("submit", "run an attack of yours, isolated, beside the best known"),
    "audit": ("audit", "what each cut of your own network leaks and costs, and where to cut it"),
    "verify": ("verify", "run stored rows again, or on fresh images, and compare"),
    "score": ("score", "take every metric anew from the stored images"),
    "leaderboard": ("leaderboard", "render leaderboard.md from stored results, or check it"),
    "site": ("site", "write the stored results as a web site that opens from disk"),
    "figures": ("figures", "draw the paper's figures from stored results"),
    "tune": ("tune", "choose an attack's hyperparameter on training images"),
    "train": ("train", "train targets, judges, Inverse-Networks and shadow models"),
    "download": ("download", "fetch published checkpoints, verified by sha256"),
    "publish": ("publish", "put every checkpoint on the Hub"),
    "data": ("data", "fetch, verify and locate the data sets"),
}
DESCRIPTION = """\
Pretrained split networks, and a benchmark of the attacks that recover an edge device's
images from what it sends to the cloud (He, Zhang and Lee, ACSAC 2019)."""
EPILOG = """\
examples:
  splitzoo bench --profile paper10         attack the paper's ten images at every split
  splitzoo bench --only lenet/relu2        one split only
  splitzoo leaderboard --check             is leaderboard.md up to date?

exit status: 0 done, 1 failed, 2 misused (an unknown name, a bad option or bad input), 130
interrupted"""


def _version() -> str:
    try:
        return f"splitzoo {version('splitzoo')}"
    except PackageNotFoundError:
        return "splitzoo, not installed"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status 0, 1 or 2 (130 when interrupted)."""
    _print_what_the_terminal_can()
    arguments = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(
        prog="splitzoo",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=_version())
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    asked = next((word for word in arguments if word in COMMANDS), None)
    for name, (module_name, summary) in COMMANDS.items():
        subparser = subparsers.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name == asked:  # only this one's imports are paid for
            module = importlib.import_module(f".commands.{module_name}", __package__)
            module.add(subparser)
            subparser.set_defaults(run=module.run, parser=subparser)
    if not arguments:
        parser.print_help(sys.stderr)
        return 2
    if arguments[0] not in COMMANDS and not arguments[0].startswith("-"):
        from ..zoo.errors import UnknownNameError

        error = UnknownNameError("command", arguments[0], COMMANDS)
        return _fail(str(error), error.exit_status)
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        options.parser.error(f"unrecognized arguments: {' '.join(unknown)}; --help lists them all")

    from ..zoo import SplitzooError

    try:
        with _terminated_is_interrupted():
            return int(options.run(options))
    except SplitzooError as error:
        return _fail(str(error), error.exit_status)
    except KeyboardInterrupt:
        print(
            "splitzoo: interrupted; what bench, train and audit had finished is kept",
            file=sys.stderr,
        )
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except (OSError, UnicodeError) as error:
        return _fail(f"{error}; check the paths that were given")
    except ValueError as error:
        if "embedded null" not in str(error):
            raise
        return _fail(f"a path holds a NUL character ({error}); give one without")


@contextlib.contextmanager
def _terminated_is_interrupted() -> Iterator[None]:
    """Let SIGTERM, as `kill` and clusters send it, end a command as Ctrl-C does: what was finished
    is drawn, and workers end too."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # it may set no handler
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


def _print_what_the_terminal_can() -> None:
    """Let ± and § become ? in an ASCII terminal: no run shall end in UnicodeEncodeError."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _fail(message: str, status: int = 1) -> int:
    print(f"splitzoo: error: {' '.join(message.splitlines())}", file=sys.stderr)
    return status
