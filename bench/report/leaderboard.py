"""`leaderboard.md`: a pure function of the stored results."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from statistics import fmean

from tabulate import tabulate

from ...attacks import Attack, get_attack, get_setting
from ...zoo.files import write_text
from ..paper import columns
from ..score.metrics.psnr import PSNR_CAP
from ..score.metrics.ssim import RECOGNISABLE_SSIM
from ..secrets.evaluation import evaluation_set
from ..secrets.judging import has_judge, labels_recovered
from ..store import PUBLISHED
from ..store.folder import ResultStore
from ..store.result import BENCHMARK_VERSION
from .comparison import (
    SIMILAR_DB,
    TECHNIQUES,
    applicability,
    differences,
    findings,
)
from .figures import Picture, draw, named, pictures
from .layers import by_network, only_of_layers, section, sweeps
from .pace import pace
from .provenance import provenance
from .rows import Row, failures, rows
from .standing import standing
from .tables import ORACLE, best, marked, summary
from .wording import anchor, escaped, flowed, heading, holdings, ordered, relative, with_interval

HEADER = """# Leaderboard

What a split leaks, measured: mean PSNR (dB) and SSIM of the images that each attack recovers from
the features at each split, over {what}, beside the figure that [He, Zhang and Lee]({paper})
published (ACSAC 2019). A device runs the first layers of a network, the edge, up to the split, and
sends the features that they answer; the cloud runs the rest, and is the adversary. Higher means
that more of the image came back: at {cap:.0f} dB, where PSNR is capped, all of it bit for bit.
*Italics* mark a mean SSIM of at most {threshold}, the paper's threshold of what can be recognised.

[Best known](#best-known) · {layers}[Ours against the paper](#ours-against-the-paper) ·
[Quality against time](#quality-against-time) ·
[How to read the tables](#how-to-read-the-tables) · [Takeaways](#takeaways) ·
{notes}[Every image, and where the numbers come from]({provenance})

"""
BEST = """## Best known

The strongest attack of each setting at each split of the tables below, of those that were run: a
blank was not run, or its attack does not apply. {oracle}. A setting with images, black-box ones
among them, can come closer than white-box, which holds none.

"""
PAPER = "https://doi.org/10.1145/3359789.3359824"
READING = """## How to read the tables

Rendered by `splitzoo leaderboard` from the results in `{results}`; do not edit by hand. Benchmark
version {version}, profile `{profile}`: {what}.

What an attack recovers is rounded to 8 bits and stored, and the stored image is what is scored, so
that anyone can score it again (`splitzoo score`). PSNR and SSIM are taken per image on [0, 1] with
peak 1.0; ranges are 95 % confidence intervals of the mean over images. PSNR is capped at
{cap:.0f} dB. SSIM is scikit-image's, with the Gaussian window of Wang et al. (2004); it leaves out
a border of 5 pixels, where the window does not fit. Cells with a mean SSIM of at most {threshold}
are in *italics*, as the paper shades them.

- *recognisable* is the share of images with SSIM > {threshold}; *exact* the share recovered bit for
  bit; *label* the share whose label an independent classifier reads off what was recovered (off the
  originals: {judged}).
- *s offline* is the training that an attack does once; *queries* are all images that it sends to
  the victim's edge, then or later, over the n images attacked.
- *ran* says how the attack was kept from the secret images: in the process that holds them, in a
  process of its own, or there in a sandbox; *verified* how somebody ran the row again: on a sample
  of its images, on all, on fresh ones, on a fresh target. [Both figures]({provenance}) are kept.
- {oracle}.
- {attacks}
- *the paper's* figures are means over its ten images, measured on its own targets.
"""
WHAT = {
    "standard": "the first ten test images of each class, 100 a data set",
    "paper10": "the paper's ten images, one of each class",
    "full": "the reserve, the first hundred test images of each class, 1,000 a data set",
}


def leaderboard_path(store: ResultStore, profile: str) -> Path:
    """The repository's `leaderboard.md` for the published results, else a file beside them."""
    if store.is_published and profile == "standard":
        return PUBLISHED.parent.parent / "leaderboard.md"
    return store.folder / f"leaderboard-{profile}.md"


def provenance_path(store: ResultStore, profile: str) -> Path:
    """The page that says where each number comes from, beside the results."""
    return store.folder / profile / "provenance.md"


def write_leaderboard(store: ResultStore, profile: str) -> Path:
    """Render, draw what pictures are missing or out of date, and write all of it."""
    path = leaderboard_path(store, profile)
    pages = render_all(store, profile)
    for picture in pictures(store, rows(standing(store, profile).results)):
        draw(store, picture)
    for page, text in pages.items():
        write_text(page, text)
    return path


def render_all(store: ResultStore, profile: str) -> dict[Path, str]:
    """The text of each page, by where it belongs."""
    path = leaderboard_path(store, profile)
    origins = provenance_path(store, profile)
    results = standing(store, profile).results
    return {
        path: render(store, profile, path),
        origins: provenance(store, results, profile, origins),
    }


def render(store: ResultStore, profile: str, path: Path) -> str:
    """The leaderboard in Markdown, with pictures and pages linked relative to `path`."""
    stored = standing(store, profile).results
    results = ordered(rows(stored))
    if not stored:
        raise store.nothing("current results", profile)
    notes = store.folder / "notes.md"
    linked = relative(notes, path) if notes.is_file() else ""
    drawn = pictures(store, results)
    sections = _layers(results, drawn, path)
    parts = [
        flowed(HEADER).format(
            layers="".join(f"[{title}](#{anchor(title)}) · " for title in sections),
            notes=f"[Notes]({linked}) · " if linked else "",
            provenance=relative(provenance_path(store, profile), path),
            what=WHAT[profile],
            cap=PSNR_CAP,
            threshold=RECOGNISABLE_SSIM,
            paper=PAPER,
        )
        + _best(results, drawn, path)
    ]
    parts += [f"## {title}\n\n{text}" for title, text in sections.items()]
    if differences(results):
        parts.append(_agreement(results, notes=linked))
    parts += [_quality(picture, path) for picture in drawn if picture.kind == "quality"]
    parts.append(
        flowed(READING).format(
            results=relative(store.folder / profile, path),
            version=BENCHMARK_VERSION,
            profile=profile,
            what=WHAT[profile],
            provenance=relative(provenance_path(store, profile), path),
            cap=PSNR_CAP,
            threshold=RECOGNISABLE_SSIM,
            judged=_judged(results),
            oracle=ORACLE,
            attacks=_attacks(results),
        )
    )
    if failed := failures(stored):
        parts.append(_failures(failed))
    for setting, group in groupby(results, lambda result: result.scenario.setting.name):
        parts.append(_section(setting, list(group), drawn, path))
    parts.append(_takeaways(results))
    if profile == "standard":
        parts.append(pace(stored, path))
    return "\n".join(parts)


def _best(results: Sequence[Row], drawn: Sequence[Picture], path: Path) -> str:
    """What a reader came for first: the strongest attack of each cell, and what it brings back."""
    layers = only_of_layers(results)
    cells = [row for row in results if row not in layers]
    if not (table := best(cells)):
        return ""
    shown = next((each for each in drawn if len(each.results) > 1 and each.kind == "grid"), None)
    picture = f"![{escaped(shown.title)}]({relative(shown.path, path)})\n\n" if shown else ""
    return flowed(BEST).format(oracle=ORACLE) + f"{table}\n\n{picture}"


def _section(setting: str, results: list[Row], drawn: Sequence[Picture], path: Path) -> str:
    described = get_setting(setting)
    in_columns = [r for r in results if r.scenario.column in columns()]
    layers = only_of_layers(results)
    others = [r for r in results if r not in in_columns and r not in layers]
    lines = [
        f"## {heading(described)}",
        "",
        holdings(described),
        "",
        summary(in_columns),
        "",
    ]
    if others:
        lines += ["Beyond the paper's targets:", "", summary(others), ""]
    mine = [
        (picture.results[0].label, f"![{escaped(picture.title)}]({relative(picture.path, path)})")
        for picture in drawn
        if picture.kind == "grid" and picture.results[0].scenario.setting.name == setting
    ]
    for _, of_attack in groupby(mine, lambda each: each[0]):
        lines.append(" ".join(link for _, link in of_attack))
    return "\n".join([*lines, ""] if mine else lines)


def _attacks(results: Sequence[Row]) -> str:
    """What each attack of the tables is, in its own words."""
    there = [get_attack(name) for name in dict.fromkeys(row.attack for row in results)]
    said = [f"*{escaped(each.title)}*: {escaped(_first_line(each))}" for each in there]
    return " ".join(["The attacks, whose files in `attacks` name their sources.", *said])


def _first_line(attack: type[Attack]) -> str:
    return (attack.__doc__ or "").strip().partition("\n\n")[0]


def _judged(results: Sequence[Row]) -> str:
    """How often each judge reads the right label off the evaluation images themselves."""
    shares = []
    for dataset in dict.fromkeys(result.scenario.target.dataset.name for result in results):
        if not has_judge(dataset):
            continue
        secrets = evaluation_set(dataset, results[0].profile).images
        hits = labels_recovered(secrets, dataset, secrets.pixels)
        shares.append(f"{100 * fmean(hits):.0f} % of {dataset}'s")
    return ", ".join(shares) or "there is none here"


def _agreement(results: Sequence[Row], *, notes: str) -> str:
    """The paper's cells, ours minus the paper's; `notes` is a link to what explains them."""
    found = differences(results)
    reached = sum(difference.reached for difference in found)
    rows = []
    for (setting, attack), group in groupby(
        found, lambda d: (d.result.scenario.setting.name, d.result.attack)
    ):
        by_target = {each.result.scenario.column: each for each in group}
        row = [f"{get_setting(setting).title}: {get_attack(attack).title}"]
        for target in columns():
            each = by_target.get(target)
            text = f"{each.psnr:+.2f} / {each.ssim:+.4f}" if each else ""
            strong = text if each is None or each.reached else f"**{text}**"
            row.append(strong + (marked(each.result) if each else ""))
        rows.append(row)
    table = tabulate(
        rows,
        ["ours − paper", *columns()],
        tablefmt="pipe",
        colalign=("left", *["right"] * len(columns())),
        disable_numparse=True,
    )
    return (
        "## Ours against the paper\n\n"
        f"In {reached} of {len(found)} cells of Tables 3, 4, 6 and 8 the paper's own attack, run "
        "here, reaches its PSNR (dB) and its SSIM"
        + ("; the others are in **bold**" if reached < len(found) else "")
        + (f", and each is explained in the [notes]({notes})" if notes else "")
        + ("; ° as above" if any(marked(each.result) for each in found) else "")
        + ".\n\n"
        + table
        + "\n"
    )


def _layers(results: Sequence[Row], drawn: Sequence[Picture], path: Path) -> dict[str, str]:
    """By title, a section for each network that was attacked behind every layer."""
    sections = {}
    for name, found in by_network(sweeps(results)).items():
        mine = [each for each in drawn if each.results[0].scenario.target.network == name]
        plots = [
            f"![{escaped(each.title)}]({relative(each.path, path)})\n"
            for each in mine
            if each.kind == "plot"
        ]
        images = " · ".join(
            f"[{escaped(named(each.results[0]))}]({relative(each.path, path)})"
            for each in mine
            if each.kind == "layers"
        )
        title = f"Every layer of {found[0].network.title}"
        sections[title] = "\n".join([section(found), *plots, f"What came back: {images}.\n"])
    return sections


def _quality(picture: Picture, path: Path) -> str:
    return (
        "## Quality against time\n\n"
        "Seconds once the offline work is done, on the machine that each row was run on, where "
        "others were sometimes at work.\n\n"
        f"![{escaped(picture.title)}]({relative(picture.path, path)})\n"
    )


def _takeaways(results: Sequence[Row]) -> str:
    """Table 7, and the claims of §7 with what our numbers say of each."""
    rows = []
    for finding in findings(results):
        cells = []
        for target in columns():
            difference = finding.differences.get(target)
            if difference is None:
                cells.append("")
                continue
            text = with_interval(difference, 1, signed=True)
            cells.append(text if target in finding.holds else f"**{text}**")
        rows.append([finding.claim.section, finding.claim.sentence, finding.verdict, *cells])
    table7 = tabulate(applicability(), ["", *TECHNIQUES], tablefmt="pipe")
    claims = tabulate(
        rows, ["", "claim", "verdict", *columns()], tablefmt="pipe", disable_numparse=True
    )
    return (
        "## Takeaways\n\n"
        "What each technique needs and each setting grants (the paper's Table 7, derived from the "
        "code that enforces it):\n\n" + table7 + "\n\n"
        "The claims of §7, each as a paired difference of PSNR in dB over the same images, first "
        "minus second. *Better* holds where the 95 % interval lies above zero, *as good* where the "
        f"mean differs by at most {SIMILAR_DB:.0f} dB; targets where a claim fails are in "
        "**bold**.\n\n" + claims + "\n"
    )


def _failures(failed: Sequence[str]) -> str:
    lines = "\n".join(f"- {escaped(line)}" for line in failed)
    return (
        "## Runs that failed\n\nTheir rows are not in the tables: a mean over the seeds or images "
        f"that went well would flatter them.\n\n{lines}\n"
    )
