"""The Hub repository: what it holds, built in a folder, and the way there."""

from __future__ import annotations

import json
from pathlib import Path

from .auto import CONFIG
from .cards import card
from .errors import MisuseError
from .files import write_atomically, write_text
from .hub import hub_errors
from .manifests import HubLocation, Manifest, fields_of, manifest
from .resolving import read_verified

_LICENCE = Path(__file__).parent.parent / "LICENSE"


def build_repository(folder: Path, repo_id: str) -> None:
    """Write every published checkpoint, its card, the config, a top card and the licence.

    Raises CheckpointError where a checkpoint is not what its record says, StorageError, and
    MisuseError for a folder that holds something.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise MisuseError(f"{folder} is not empty; choose a new folder")
    if not _LICENCE.is_file():
        raise MisuseError(f"{_LICENCE} is missing; publish from a checkout, which has the licence")
    known = manifest()
    for record in known.records.values():
        write_atomically(folder / record.file, read_verified(record)[1])
        write_text(folder / "cards" / f"{record.name}.md", card(record))
    checkpoints = {name: fields_of(record) for name, record in known.records.items()}
    config = {"library_name": "splitzoo", "checkpoints": checkpoints}
    write_text(folder / CONFIG, json.dumps(config, indent=2, ensure_ascii=False) + "\n")
    write_text(folder / "README.md", repository_card(known, repo_id))
    write_text(folder / "LICENSE", _LICENCE.read_text("utf-8"))


def upload(folder: Path, repo_id: str) -> HubLocation:
    """Send a folder to the Hub as one commit, and say which. CheckpointError where that fails."""
    from huggingface_hub import HfApi

    api = HfApi()
    with hub_errors(f"{repo_id} could not be published"):
        api.create_repo(repo_id, exist_ok=True)
        message = "Publish the checkpoints of Splitzoo"
        commit = api.upload_folder(repo_id=repo_id, folder_path=folder, commit_message=message)
    return HubLocation(repo_id, commit.oid)


def repository_card(known: Manifest, repo_id: str) -> str:
    """The Markdown card at the top of the repository, with the Hub's metadata block."""
    records = known.records.values()
    licences = sorted({record.licence.lower() for record in records})
    datasets = sorted({record.dataset for record in records})
    table = "\n".join(
        f"| [{record.name}](cards/{record.name}.md) | {record.kind} | {record.dataset} "
        f"| {record.bytes / 1e3:,.0f} kB |"
        for record in records
    )
    return f"""---
license: {licences[0] if len(licences) == 1 else "other"}
library_name: splitzoo
tags: [split-inference, model-inversion, privacy]
datasets: [{", ".join(datasets)}]
---

# Split networks, and what attackers train against them

The checkpoints of Splitzoo, a zoo of split networks and a benchmark of the attacks that recover
images from what an edge device sends (He, Zhang and Lee, ACSAC 2019). All are safetensors, made
from public data sets. `{CONFIG}` has the record of each, with its sha256.

```python
from splitzoo.zoo import AutoNetwork

model = AutoNetwork.from_pretrained("{repo_id}", name="NAME")  # and a revision=, to pin it
```

NAME is one of the table, or for a target NETWORK_split_LAYER, which gives it cut behind that layer.

| name | kind | data set | size |
|---|---|---|---|
{table}

## Use

For research on the privacy of split inference, on public data sets. These are measuring
instruments of the Splitzoo benchmark and serve no other purpose.
"""
