"""Where every row comes from: fields, hashes, what it was made with, and who ran it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING
from dataclasses import fields as dataclass_fields
from pathlib import Path

from tabulate import tabulate

from ...attacks import get_attack
from ..score.means import mean
from ..store.folder import ResultStore
from ..store.result import Result
from .wording import escaped, ordered, relative


def provenance(store: ResultStore, results: Sequence[Result], profile: str, path: Path) -> str:
    """A Markdown page with a line for each stored result, whose images it links relative to
    `path`."""
    table = []
    for result in ordered(results):
        made = result.made
        table.append(
            [
                f"`{result.where.key}`",
                _images(store, result, path),
                escaped(fields_of(result)),
                f"`{result.scenario.target_sha256[:12]}`",
                f"`{result.network.sha256[:12]}`" if result.network else "",
                escaped(f"{made.device}, torch {made.versions.get('torch', '?')}, {made.date}"),
                result.isolation.replace("_", " "),
                _verified(result),
            ]
        )
    header = [
        "scenario",
        "attack",
        "fields other than the defaults",
        "target",
        "network learned",
        "made with",
        "ran in",
        "verified: reported → found",
    ]
    return (
        f"# Where the numbers of profile `{profile}` come from\n\n"
        "A line for each stored result; its JSON beside this page has all of it. The name of\n"
        "the attack leads to every image that it recovered, class by class, pixel by pixel.\n"
        "Hashes are of the content of the network that was attacked, and of the one that the\n"
        "attack learned. *Ran in* says how the attack was kept from the secrets, *verified* who\n"
        "ran the row again and how: mean PSNR in dB as reported and as found, over the same\n"
        "images where they are not fresh ones.\n\n"
        + tabulate(table, header, tablefmt="pipe")
        + "\n"
    )


def _images(store: ResultStore, result: Result, path: Path) -> str:
    """The attack, and the link to what it recovered."""
    named = f"`{result.label}`" + (f", seed {result.seed}" if result.seed else "")
    return named if result.failure else f"[{named}]({relative(store.sheet(result), path)})"


def fields_of(result: Result) -> str:
    """What the attack's fields were, other than its defaults."""
    defaults = {f.name: f.default for f in dataclass_fields(get_attack(result.attack.name))}
    fields = {
        name: value
        for name, value in result.attack.fields.items()
        if value != defaults.get(name, MISSING)
    }
    fields.update(
        (name, f"{value} (calibrated)") for name, value in result.attack.calibrated.items()
    )
    return ", ".join(f"{name} {value}" for name, value in fields.items()) or "defaults"


def checks_of(result: Result) -> list[tuple[str, bool]]:
    """Each check that was made of a result: both figures in dB, and whether they agree."""
    said = []
    for each in result.verified:
        places = [
            result.reported["indices"].index(index)
            for index in each.per_image["indices"]
            if index in result.reported["indices"]
        ]
        same = [result.reported["psnr"][place] for place in places]
        was = mean(same or result.reported["psnr"]).value
        found = (
            f"{mean(each.per_image['psnr']).value:.2f}" if "psnr" in each.per_image else "failed"
        )
        how = f"{each.how.replace('_', ' ')} of {len(each.per_image['indices'])}"
        said.append((f"{how}: {was:.2f} → {found}", each.agrees))
    return said


def _verified(result: Result) -> str:
    said = [text + ("" if agrees else ", **not borne out**") for text, agrees in checks_of(result)]
    return "; ".join(said) or "not yet"
