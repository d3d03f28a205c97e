"""Model cards: what a user of a checkpoint should know, generated from its manifest record."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .files import write_text
from .records import Record

FOLDER = Path(__file__).with_name("cards")
_PURPOSE = {
    "target": (
        "A network to be split and attacked: the edge half sends features, the cloud half "
        "classifies them."
    ),
    "judge": (
        "An independent classifier, of another architecture and seed than the target. The "
        "leaderboard asks it whether a reconstruction still carries its secret's label."
    ),
    "inverse": (
        "An Inverse-Network: maps the features of its target to images. What a black-box "
        "adversary trains (He, Zhang and Lee, ACSAC 2019, §5)."
    ),
    "decoder": (
        "A decoder: maps the features of its target to images. What a black-box adversary trains "
        "today, and where a white-box one begins its descent. Beside it some hold a copy of the "
        "edge, fitted to the same answers, for a black-box adversary's own descent."
    ),
    "shadow": (
        "A shadow edge: imitates the edge of its target, so that rMLE can be run over it. What "
        "an adversary trains who does not hold the edge (He, Zhang and Lee, ACSAC 2019, §6, §7.3)."
    ),
}


def card(record: Record) -> str:
    """The Markdown model card of a checkpoint, with the Hub's metadata block."""
    training = record.training
    images = training["images"]
    if isinstance(images, Mapping):
        images = (
            f"{images['count']:,} of the {images['part']} part (sha256 of their positions "
            f"`{images['indices_sha256'][:12]}`); none is in the reserve"
        )
    rows = {
        "architecture": _pairs(record.architecture),
        "data set": record.dataset,
        "normalisation, inside the network where it eats images": _pairs(record.normalisation),
        "trained on": images,
        "recipe": _pairs(training["recipe"]),
        "precision": training["precision"],
        "seed": record.seed,
        **({"target": f"content sha256 `{record.target_sha256}`"} if record.target_sha256 else {}),
        "made with": f"{training['device']}, {_pairs(record.versions)}, {record.date}",
        "queries to the victim": training.get("queries", "none"),
        "file": f"`{record.file}`, {record.bytes:,} bytes, sha256 `{record.sha256}`",
        "content sha256": f"`{record.content_sha256}`",
    }
    reached = "\n".join(f"- {_words(name)}: {_value(v)}" for name, v in record.reached.items())
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    return f"""---
license: {record.licence.lower()}
library_name: splitzoo
tags: [split-inference, model-inversion, {record.kind}]
datasets: [{record.dataset}]
---

# {record.name}

{_PURPOSE[record.kind]}

## What it reaches, on images that it was not trained on

{reached}

## How it was made

`{training["command"]}`

| | |
|---|---|
{table}

## Use

For research on the privacy of split inference, on public data sets. It is a measuring instrument
of the Splitzoo benchmark and serves no other purpose.
"""


def card_path(name: str) -> Path:
    """Where the card of a published checkpoint stands."""
    return FOLDER / f"{name}.md"


def write_card(record: Record) -> Path:
    """Write the card of a published checkpoint."""
    path = card_path(record.name)
    write_text(path, card(record))
    return path


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{_words(name)} {_value(value)}" for name, value in values.items())


def _words(name: str) -> str:
    return name.replace("_", " ")


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return _pairs(value)
    if isinstance(value, (list, tuple)):
        return "(" + ", ".join(map(str, value)) + ")"
    return str(value)
