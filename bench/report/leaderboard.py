"""`leaderboard.md`: a pure function of the stored results."""

from __future__ import annotations

import html
import math
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import MISSING
from dataclasses import fields as dataclass_fields
from itertools import groupby
from pathlib import Path
from statistics import fmean
from typing import TypeVar

from tabulate import tabulate

from ...attacks import SETTINGS, catalogue, get_attack, get_setting
from ...zoo import get_network
from ...zoo.files import write_text
from ..paper import columns, paper_figure
from ..referee.tuning import chosen_with
from ..score.means import Mean, mean
from ..score.metric import metrics_of
from ..score.metrics.psnr import PSNR_CAP
from ..score.metrics.ssim import RECOGNISABLE_SSIM
from ..secrets.evaluation import evaluation_set
from ..secrets.judging import has_judge, labels_recovered
from ..store import PUBLISHED
from ..store.folder import ResultStore
from ..store.result import BENCHMARK_VERSION, Result
from .comparison import (
    SIMILAR_DB,
    TECHNIQUES,
    applicability,
    differences,
    findings,
    sweep,
    sweep_sentence,
)
from .figures import Picture, draw, pictures
from .rows import Row, failures, rows
from .standing import standing

HEADER = """# Leaderboard

What a split leaks, measured: mean PSNR (dB) and SSIM of the images that each attack recovers
from the features at each split, beside the figure that He, Zhang and Lee published (ACSAC 2019).
Higher means that more of the secret came back.

[Ours against the paper](#ours-against-the-paper) ·
[Takeaways](#takeaways) ·
[Every layer of LeNet](#every-layer-of-lenet) ·
{notes}[Where the numbers come from](#where-the-numbers-come-from)

Rendered by `splitzoo leaderboard` from the results in `{results}`; do not edit by hand.
Benchmark version {version}, profile `{profile}`: {what}.
Ranges are 95 % confidence intervals of the mean over images. What an attack recovers is rounded to
8 bits and stored, and the stored image is what is scored, so that anyone can score it again
(`splitzoo score`). PSNR and SSIM are taken per image on [0, 1] with peak 1.0. PSNR is capped at
{cap:.0f} dB. SSIM is scikit-image's, with the Gaussian window of Wang et al. (2004); it leaves out
a border of 5 pixels, where the window does not fit. *Recognisable* is the share of images with
SSIM > {threshold}; *exact* the share recovered bit for bit; *label* the share whose label an
independent classifier reads off what was recovered (off the originals: {judged}). *λ chosen with*
says what an attack's tuned fields rest on: *oracle λ* marks a row whose fields were chosen with
more than its setting grants, the true features of training images. Such a row shows what the
attack can reach, not what its adversary would know to choose. *Offline* is the training that an
attack does once; *queries* are images sent to the victim's edge then, over the n images attacked;
attacking an image takes none. Cells with a mean SSIM of at most {threshold} are in *italics*, as
the paper shades them. The paper's figures are means over its ten images, measured on its own
targets.
"""
WHAT = {
    "standard": "the first ten test images of each class, 100 a data set",
    "paper10": "the paper's ten images, one of each class",
}


def leaderboard_path(store: ResultStore, profile: str) -> Path:
    """The repository's `leaderboard.md` for the published results, else a file beside them."""
    if store.is_published and profile == "standard":
        return PUBLISHED.parent.parent / "leaderboard.md"
    return store.folder / f"leaderboard-{profile}.md"


def write_leaderboard(store: ResultStore, profile: str) -> Path:
    """Render, draw what pictures are missing or out of date, and write both."""
    path = leaderboard_path(store, profile)
    text = render(store, profile, path)
    for picture in pictures(store, rows(standing(store, profile).results)):
        draw(store, picture)
    write_text(path, text)
    return path


def render(store: ResultStore, profile: str, path: Path) -> str:
    """The Markdown page, with pictures linked relative to `path`."""
    stored = standing(store, profile).results
    results = rows(stored)
    if not stored:
        raise store.nothing("current results", profile)
    notes = store.folder / "notes.md"
    parts = [
        HEADER.format(
            results=_relative(store.folder / profile, path),
            version=BENCHMARK_VERSION,
            profile=profile,
            what=WHAT[profile],
            cap=PSNR_CAP,
            threshold=RECOGNISABLE_SSIM,
            judged=_judged(results),
            notes="[Notes](#notes) ·\n" if notes.is_file() else "",
        ),
    ]
    if differences(results):
        parts.append(_agreement(results, explained=notes.is_file()))
    if failed := failures(stored):
        parts.append(_failures(failed))
    drawn = pictures(store, results)
    for setting, group in groupby(_ordered(results), lambda result: result.scenario.setting.name):
        parts.append(_section(setting, list(group), drawn, path))
    if len(sweep(results)) > 1:
        parts.append(_layers(results, drawn, path))
    parts.append(_takeaways(results))
    if notes.is_file():
        parts.append(notes.read_text("utf-8"))
    parts.append(_provenance(stored))
    return "\n".join(parts)


def _section(setting: str, results: list[Row], drawn: Sequence[Picture], path: Path) -> str:
    described = get_setting(setting)
    grants = ", ".join(sorted(capability.value for capability in described.grants))
    images = {
        "training_set": " The images are the target's own training images.",
        "same_distribution": " The images are test images that the target was not trained on, "
        "without the evaluation images.",
    }
    in_columns = [r for r in results if r.scenario.column in columns()]
    shown_as_layers = sweep(results)
    others = [r for r in results if r not in in_columns and r not in shown_as_layers]
    lines = [
        f"## {described.title} ({described.section})",
        "",
        f"The adversary holds the cloud half, the features, and: {grants}."
        + images.get(described.images or "", ""),
        "",
        summary(in_columns),
        "",
    ]
    if others:
        lines += ["Beyond the paper's targets:", "", summary(others), ""]
    for picture in drawn:
        if picture.results[0].scenario.setting.name == setting and not picture.of_sweep:
            lines += [f"![{picture.title}]({_relative(picture.path, path)})", ""]
    return "\n".join(lines)


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


def _agreement(results: Sequence[Row], *, explained: bool) -> str:
    """The paper's cells, ours minus the paper's."""
    found = differences(_ordered(results))
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
            row.append(text if each is None or each.reached else f"**{text}**")
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
        "here, reaches its PSNR (dB) and its SSIM; the others are in **bold**"
        + (", and each is explained in the [notes](#notes)" if explained else "")
        + ".\n\n"
        + table
        + "\n"
    )


def _layers(results: Sequence[Row], drawn: Sequence[Picture], path: Path) -> str:
    layers = sweep(results)
    table = []
    for result in layers:
        shares = _attack_rows(result.attack, [result], _shade)
        table.append([result.scenario.target.split, *[cell[2] for cell in shares[:6]]])
    header = ["layer", *[cell[1] for cell in _attack_rows("rmle", [layers[0]], _shade)[:6]]]
    lines = [
        "## Every layer of LeNet",
        "",
        f"Figures 11 and 12: {layers[0].scenario.setting.title.lower()}, behind each "
        "layer. The paper prints no numbers for them.",
        "",
        tabulate(table, header, tablefmt="pipe", disable_numparse=True),
        "",
        sweep_sentence(results),
        "",
    ]
    for picture in drawn:
        if picture.of_sweep:
            lines += [f"![{picture.title}]({_relative(picture.path, path)})", ""]
    return "\n".join(lines)


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
            text = _with_interval(difference, 1, signed=True)
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
        "**bold**.\n\n" + claims + "\n\n" + sweep_sentence(results) + "\n"
    )


def summary(results: Sequence[Row], *, markdown: bool = True) -> str:
    """One setting's table: targets as columns, a block of rows for the paper and each attack."""
    if not results:
        return ""
    shade = _shade if markdown else _plain
    setting = results[0].scenario.setting.name
    targets = [t for t in columns() if any(r.scenario.column == t for r in results)]
    targets += [t for t in dict.fromkeys(r.scenario.column for r in results) if t not in targets]
    rows = []
    for label, group in groupby(results, lambda result: result.label):
        by_target = {result.scenario.column: result for result in group}
        found = [by_target.get(target) for target in targets]
        attack = next(result.attack for result in found if result)
        published = [paper_figure(setting, target, label) for target in targets]
        ours = _attack_rows(label, found, shade)
        if any(published):
            paper = [shade(f"{p.psnr:.2f}", p.ssim) if p else "" for p in published]
            rows.append([_titled(attack, label), "PSNR, dB: paper", *paper])
            rows.append(["", "PSNR, dB: ours", *ours[0][2:]])
            paper = [shade(f"{p.ssim:.4f}", p.ssim) if p else "" for p in published]
            rows.append(["", "SSIM: paper", *paper])
            rows.append(["", "SSIM: ours", *ours[1][2:]])
            rows += ours[2:]
        else:
            rows += ours
    header = ["attack", "", *targets]
    align = ("left", "left", *["right"] * len(targets))
    style = "pipe" if markdown else "simple"
    return tabulate(rows, header, tablefmt=style, colalign=align, disable_numparse=True)


def _titled(attack: str, label: str) -> str:
    title = get_attack(attack).title
    return title if label == attack else f"{title}, other fields ({label[len(attack) + 1 :]})"


def _attack_rows(
    label: str, found: Sequence[Row | None], shade: Callable[[str, float], str]
) -> list[list[str]]:
    """A line for each metric and cost of an attack, a column for each row that is there."""
    there = next(row for row in found if row)

    def row(name: str, show: Callable[[Row], str], title: str = "") -> list[str]:
        return [title, name] + [show(result) if result else "" for result in found]

    def number(metric: str, digits: int) -> Callable[[Row], str]:
        def show(result: Row) -> str:
            value = mean(result.per_image[metric])
            return shade(_with_interval(value, digits), mean(result.per_image["ssim"]).value)

        return show

    def share(hits: Sequence[float]) -> str:
        return f"{100 * sum(hits) / len(hits):.0f} %"

    def truth(metric: str) -> Callable[[Row], str]:
        return lambda result: share(result.per_image[metric])

    lines: list[list[str]] = []
    for metric in metrics_of(there.scenario.target.dataset.name).values():
        of = truth(metric.name) if metric.digits is None else number(metric.name, metric.shown)
        lines.append(row(metric.title, of, "" if lines else _titled(there.attack, label)))
        if metric.name == "ssim":
            lines.append(row("recognisable", lambda r: share(r.recognisable)))
    return [
        *lines,
        row("λ chosen with", lambda r: chosen_with(r.attack, r.scenario) or "–"),
        row("n", lambda r: f"{r.n}" + (f" × {len(r.seeds)} seeds" if len(r.seeds) > 1 else "")),
        row("s / image", lambda r: f"{r.cost('online_seconds') / r.n:.2g}"),
        row("offline, s", lambda r: f"{r.cost('offline_seconds'):.0f}"),
        row("queries / image", lambda r: f"{r.cost('queries') / r.n:.0f}"),
        *_each_seed(found, row),
    ]


def _each_seed(
    found: Sequence[Row | None], row: Callable[[str, Callable[[Row], str]], list[str]]
) -> list[list[str]]:
    """Where some row has several seeds, what each of them reached."""
    seeds = sorted({seed for each in found if each and len(each.seeds) > 1 for seed in each.seeds})

    def of_seed(seed: int) -> Callable[[Row], str]:
        def show(shown: Row) -> str:
            if seed not in shown.seeds:
                return ""
            reported = shown.results[shown.seeds.index(seed)].reported
            return f"{mean(reported['psnr']).value:.2f} / {mean(reported['ssim']).value:.4f}"

        return show

    return [row(f"seed {seed}", of_seed(seed)) for seed in seeds]


def _failures(failed: Sequence[str]) -> str:
    lines = "\n".join(f"- {escaped(line)}" for line in failed)
    return (
        "## Runs that failed\n\nTheir rows are not in the tables: a mean over the seeds or images "
        f"that went well would flatter them.\n\n{lines}\n"
    )


def escaped(text: str) -> str:
    """Text from a file as plain words in a table: no markup, no cell or line of its own."""
    plain = " ".join(html.escape(text, quote=False).split())
    return re.sub(r"[\\`*|\[\]~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\\g<0>", plain)


def _provenance(results: Sequence[Result]) -> str:
    table = []
    for result in _ordered(results):
        attack = get_attack(result.attack.name)
        defaults = {f.name: f.default for f in dataclass_fields(attack)}
        fields = {
            name: value
            for name, value in result.attack.fields.items()
            if value != defaults.get(name, MISSING)
        }
        fields.update(
            (name, f"{value} (calibrated)") for name, value in result.attack.calibrated.items()
        )
        made = result.made
        table.append(
            [
                f"`{result.where.key}`",
                f"`{result.label}`" + (f", seed {result.seed}" if result.seed else ""),
                escaped(", ".join(f"{name} {value}" for name, value in fields.items()))
                or "defaults",
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
    return "## Where the numbers come from\n\n" + tabulate(table, header, tablefmt="pipe") + "\n"


def _verified(result: Result) -> str:
    """Each check that was made of a row, with both figures in dB."""
    if not result.verified:
        return "not yet"
    before = mean(result.reported["psnr"]).value
    said = []
    for each in result.verified:
        places = [
            result.reported["indices"].index(index)
            for index in each.per_image["indices"]
            if index in result.reported["indices"]
        ]
        same = [result.reported["psnr"][place] for place in places]
        was = mean(same).value if same else before
        found = (
            f"{mean(each.per_image['psnr']).value:.2f}" if "psnr" in each.per_image else "failed"
        )
        verdict = "" if each.agrees else ", **not borne out**"
        how = f"{each.how.replace('_', ' ')} of {len(each.per_image['indices'])}"
        said.append(f"{how}: {was:.2f} → {found}{verdict}")
    return "; ".join(said)


Shown = TypeVar("Shown", Row, Result)


def _ordered(results: Sequence[Shown]) -> list[Shown]:
    settings, attacks, targets = list(SETTINGS), list(catalogue()), list(columns())

    def place(result: Row | Result) -> tuple[int, int, str, int, str, int]:
        where = result.scenario if isinstance(result, Row) else result.where
        name = result.attack if isinstance(result, Row) else result.attack.name
        column = targets.index(where.column) if where.column in targets else len(targets)
        layer = get_network(where.target.network).splits.index(where.target.split)
        setting, attack = settings.index(where.setting.name), attacks.index(name)
        return setting, attack, result.label, column, where.target.network, layer

    return sorted(results, key=place)


def _with_interval(value: Mean, digits: int, *, signed: bool = False) -> str:
    interval = "" if math.isinf(value.half_width) else f" ± {value.half_width:.{digits}f}"
    sign = "+" if signed else ""
    return f"{value.value:{sign}.{digits}f}{interval}"


def _shade(text: str, ssim: float) -> str:
    return f"*{text}*" if ssim <= RECOGNISABLE_SSIM else text


def _plain(text: str, ssim: float) -> str:
    return text


def _relative(target: Path, page: Path) -> str:
    return Path(os.path.relpath(target.resolve(), page.resolve().parent)).as_posix()
