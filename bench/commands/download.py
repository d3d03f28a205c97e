"""`splitzoo download`: fetch published checkpoints ahead of time."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from ...zoo.errors import MisuseError
from ...zoo.manifests import manifest
from ...zoo.resolving import read_verified


def add(parser: ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="checkpoints of `splitzoo list`")
    parser.add_argument("--all", action="store_true", help="every one of them")
    parser.epilog = (
        "What this checkout holds is verified; the rest comes from the Hub, at the commit that\n"
        "zoo/manifest.json names, into the cache of huggingface_hub (HF_HOME), where loading\n"
        "finds it without asking anybody. Every file must have the sha256 of the manifest.\n"
        "Interrupt it whenever you like: files that have arrived are kept.\n\n"
        "HF_ENDPOINT asks another server, HF_HUB_OFFLINE=1 none, HF_TOKEN says who you are."
    )


def run(options: Namespace) -> int:
    known = manifest()
    if bool(options.names) == options.all:
        raise MisuseError("name checkpoints of `splitzoo list`, or give --all")
    records = [known.get(name) for name in (known.records if options.all else options.names)]
    if known.hub is None:
        print("No Hub repository has been published; every checkpoint comes with the checkout.")
    for record in records:
        file, _ = read_verified(record)
        print(f"{record.name}: verified, {file}")
    return 0
