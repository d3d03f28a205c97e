"""`splitzoo publish`: put every checkpoint on the Hub."""

from __future__ import annotations

import json
import tempfile
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path

from ...zoo.errors import MisuseError
from ...zoo.records import matches
from .options import folder


def add(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--repo-id", required=True, metavar="OWNER/NAME", help="the repository, made if need be"
    )
    parser.add_argument(
        "--dry-run",
        type=folder,
        metavar="OUT",
        help="write the repository into a new folder and send nothing",
    )
    parser.add_argument(
        "--pin",
        action="store_true",
        help="write the commit into zoo/manifest.json, so that downloads ask for it",
    )
    parser.epilog = (
        "The repository holds each checkpoint, verified, its model card, a config.json with all\n"
        "records, a card of the whole and the licence. A folder of --dry-run loads with\n"
        "AutoNetwork.from_pretrained(OUT, name=…) as the repository will.\n\n"
        "Log in before with `hf auth login`, or set HF_TOKEN to a token that may write."
    )


def run(options: Namespace) -> int:
    if not matches(r"[\w-][\w.-]*/[\w-][\w.-]*", options.repo_id):
        raise MisuseError(f"{options.repo_id!r} is no OWNER/NAME")
    if options.pin and options.dry_run:
        raise MisuseError("--dry-run publishes nothing that --pin could name; leave one out")
    from ...zoo import manifests
    from ...zoo.publishing import build_repository, upload

    if options.dry_run:
        build_repository(options.dry_run, options.repo_id)
        files = [path for path in options.dry_run.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files) / 1e6
        print(f"{options.dry_run}: {len(files)} files, {size:.1f} MB; nothing was sent")
        return 0
    with tempfile.TemporaryDirectory(prefix="splitzoo-") as temporary:
        built = Path(temporary, "repository")
        build_repository(built, options.repo_id)
        location = upload(built, options.repo_id)
    print(f"published: {location.repo_id} at commit {location.revision}")
    if options.pin:
        manifests.pin(location, manifests.PATH)
        print("zoo/manifest.json names it; commit that file")
    else:
        print(f'write into zoo/manifest.json: "hub": {json.dumps(asdict(location))}')
    return 0
