"""What every measurement ends with: its figures, what they were made with, and where they go."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

import torch

from ...zoo import describe_device, pick_device
from ...zoo.files import write_text
from ..store import PUBLISHED
from ..store.provenance import today, versions

FOLDER = PUBLISHED / "evidence"


def run(
    name: str,
    what: str | None,
    measure: Callable[[argparse.Namespace], dict[str, Any]],
    options: Callable[[argparse.ArgumentParser], object] = lambda parser: None,
) -> None:
    """A script's main: measure, print as JSON, and with --store put it among the evidence.

    Args:
        name: of the file, without its suffix.
        what: the script's docstring, whose first line its --help begins with.
        measure: the figures, given the parsed options; `options.device` is a device.
        options: adds what the script takes beside --device and --store.
    """
    parser = argparse.ArgumentParser(description=(what or "").splitlines()[0])
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    parser.add_argument("--store", action="store_true", help=f"write {name}.json")
    options(parser)
    given = parser.parse_args()
    given.device = pick_device(given.device)
    found = {**measure(given), **made_on(given.device)}
    text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    print(text, end="")
    if given.store:
        write_text(FOLDER / f"{name}.json", text)


def made_on(device: torch.device) -> dict[str, Any]:
    """What figures are made with, on this device and today."""
    return {
        "device": describe_device(device),
        "threads": torch.get_num_threads(),
        "versions": versions(),
        "date": today(),
    }


def stored(name: str, under: str) -> dict[str, Any]:
    """What stands among a script's evidence `under` a name, to be kept where only a part of it is
    measured anew."""
    path = FOLDER / f"{name}.json"
    before: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return dict(before.get(under, {}))
