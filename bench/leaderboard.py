"""`leaderboard.md`: a pure function of the stored results."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

from tabulate import tabulate

from ..attacks import CATALOGUE, get_entry, get_setting
from ..zoo import ResultError, get_network
from ..zoo.files import write_text
from .cells import Cell, columns, paper_figure
from .figures import draw_grid, figure_path, is_current
from .metrics import PSNR_CAP, RECOGNISABLE_SSIM, Mean, mean
from .results import BENCHMARK_VERSION, PUBLISHED, Result, ResultStore
from .runner import Run

HEADER = """# Leaderboard

What a split leaks, measured: mean PSNR (dB) and SSIM of the images that each attack recovers
from the features at each split, beside the figure that He, Zhang and Lee published (ACSAC 2019).
Higher means that more of the secret came back.

Rendered by `splitzoo leaderboard` from the results in `{results}`; do not edit by hand.
Benchmark version {version}, profile `{profile}`: {what}.
Ranges are 95 % confidence intervals of the mean over images. PSNR and SSIM are taken per image
on [0, 1] with peak 1.0; PSNR is capped at {cap:.0f} dB. *Recognisable* is the share of images
with SSIM > {threshold}; *exact* the share recovered bit for bit after rounding to 8 bits. Cells
with a mean SSIM of at most {threshold} are in *italics*, as the paper shades them. The paper's
figures are means over its ten images, measured on its own targets.
"""
WHAT = {
    "standard": "the first ten test images of each class, 100 a data set",
    "paper10": "the paper's ten images, one of each class",
}


def leaderboard_path(store: ResultStore, profile: str) -> Path:
    """The repository's `leaderboard.md` for the published results, else a file beside them."""
    if store.folder.resolve() == PUBLISHED.resolve() and profile == "standard":
        return PUBLISHED.parent.parent / "leaderboard.md"
    return store.folder / f"leaderboard-{profile}.md"


def write_leaderboard(store: ResultStore, profile: str) -> Path:
    """Render, draw what pictures are missing or out of date, and write both."""
    path = leaderboard_path(store, profile)
    text = render(store, profile, path)
    for results in _grids(store.all(profile)):
        draw_grid(store, results)
    write_text(path, text)
    return path


def outdated(store: ResultStore, profile: str) -> list[str]:
    """What `--check` complains about; empty where page, pictures and results all agree."""
    path = leaderboard_path(store, profile)
    results = store.all(profile)
    problems = stale(store, profile)
    for result in results:
        store.recovered(result)
    for grid in _grids(results):
        if not is_current(figure_path(store, grid), grid):
            problems.append(f"{figure_path(store, grid)} was not drawn from the stored results")
    if not path.is_file() or path.read_text("utf-8") != render(store, profile, path):
        problems.append(f"{path} is not what the stored results render to")
    return problems


def stale(store: ResultStore, profile: str) -> list[str]:
    """Which stored results no longer belong to this benchmark, and why."""
    found = []
    for result in store.all(profile):
        run = Run(result.cell, result.attack, profile, result.seed)
        if changed := result.stale_because(run.key()):
            found.append(f"{result.cell.key} {result.attack} is stale: {changed} changed")
    return found


def render(store: ResultStore, profile: str, path: Path) -> str:
    """The Markdown page, with pictures linked relative to `path`."""
    results = store.all(profile)
    if not results:
        raise ResultError(
            f"{store.folder} holds no results of profile {profile}; run "
            f"`splitzoo bench --profile {profile}` first"
        )
    parts = [
        HEADER.format(
            results=_relative(store.folder / profile, path),
            version=BENCHMARK_VERSION,
            profile=profile,
            what=WHAT[profile],
            cap=PSNR_CAP,
            threshold=RECOGNISABLE_SSIM,
        )
    ]
    for setting, group in groupby(_ordered(results), lambda result: result.cell.setting):
        parts.append(_section(store, setting, list(group), path))
    notes = store.folder / "notes.md"
    if notes.is_file():
        parts.append(notes.read_text("utf-8"))
    parts.append(_provenance(results))
    return "\n".join(parts)


def _section(store: ResultStore, setting: str, results: list[Result], path: Path) -> str:
    described = get_setting(setting)
    grants = ", ".join(sorted(capability.value for capability in described.grants))
    lines = [
        f"## {described.title} ({described.section})",
        "",
        f"The adversary holds the cloud half, the features, and: {grants}.",
        "",
        summary(results),
        "",
    ]
    for grid in _grids(results):
        network, entry = get_network(grid[0].cell.network), get_entry(grid[0].attack)
        link = _relative(figure_path(store, grid), path)
        lines += [f"![{entry.title} on {network.title}, {described.title}]({link})", ""]
    return "\n".join(lines)


def summary(results: Sequence[Result], *, markdown: bool = True) -> str:
    """One setting's table: targets as columns, a block of rows for the paper and each attack."""
    shade = _shade if markdown else _plain
    setting = results[0].cell.setting
    targets = [t for t in columns() if any(r.cell.target == t for r in results)]
    targets += sorted({r.cell.target for r in results} - set(targets))
    published = [paper_figure(Cell(setting, *target.split("/"))) for target in targets]
    rows = [
        ["paper", "PSNR / SSIM"]
        + [shade(f"{p.psnr:.2f} / {p.ssim:.4f}", p.ssim) if p else "" for p in published]
    ]
    for attack, group in groupby(results, lambda result: result.attack):
        by_target = {result.cell.target: result for result in group}
        found = [by_target.get(target) for target in targets]
        rows += _attack_rows(attack, found, shade)
        if attack == "rmle":
            rows.append(
                ["", "ours − paper"]
                + [
                    f"{mean(r.per_image['psnr']).value - p.psnr:+.2f} / "
                    f"{mean(r.per_image['ssim']).value - p.ssim:+.4f}"
                    if r and p
                    else ""
                    for r, p in zip(found, published, strict=True)
                ]
            )
    header = ["attack", "", *targets]
    align = ("left", "left", *["right"] * len(targets))
    style = "pipe" if markdown else "simple"
    return tabulate(rows, header, tablefmt=style, colalign=align, disable_numparse=True)


def _attack_rows(
    attack: str, found: Sequence[Result | None], shade: Callable[[str, float], str]
) -> list[list[str]]:
    def row(label: str, show: Callable[[Result], str], title: str = "") -> list[str]:
        return [title, label] + [show(result) if result else "" for result in found]

    def quality(metric: str, digits: int) -> Callable[[Result], str]:
        def show(result: Result) -> str:
            value = mean(result.per_image[metric])
            return shade(_with_interval(value, digits), mean(result.per_image["ssim"]).value)

        return show

    def share(hits: Sequence[bool]) -> str:
        return f"{100 * sum(hits) / len(hits):.0f} %"

    return [
        row("PSNR, dB", quality("psnr", 2), get_entry(attack).title),
        row("SSIM", quality("ssim", 4)),
        row(
            "recognisable",
            lambda r: share([value > RECOGNISABLE_SSIM for value in r.per_image["ssim"]]),
        ),
        row("exact", lambda r: share(r.per_image["exact"])),
        row("n", lambda r: str(len(r.per_image["psnr"]))),
        row("s / image", lambda r: f"{r.cost['online_seconds'] / len(r.per_image['psnr']):.2f}"),
    ]


def _provenance(results: Sequence[Result]) -> str:
    rows = []
    for result in results:
        entry = get_entry(result.attack)
        default = entry.attack()
        fields = {
            name: value
            for name, value in result.key["attack_fields"].items()
            if value != getattr(default, name, None)
        }
        made = result.made
        rows.append(
            [
                f"`{result.cell.key}`",
                f"`{result.attack}`",
                ", ".join(f"{name} {value}" for name, value in fields.items()) or "defaults",
                f"`{result.key['checkpoint_sha256'][:12]}`",
                f"{made['device']}, torch {made['versions'].get('torch', '?')}, {made['date']}",
            ]
        )
    header = ["cell", "attack", "fields other than the defaults", "checkpoint", "made with"]
    return "## Where the numbers come from\n\n" + tabulate(rows, header, tablefmt="pipe") + "\n"


def _ordered(results: Sequence[Result]) -> list[Result]:
    attacks, targets = list(CATALOGUE), list(columns())

    def place(result: Result) -> tuple[str, int, int, str]:
        target = result.cell.target
        column = targets.index(target) if target in targets else len(targets)
        return result.cell.setting, attacks.index(result.attack), column, target

    return sorted(results, key=place)


def _grids(results: Sequence[Result]) -> list[list[Result]]:
    def which(result: Result) -> tuple[str, str, str]:
        return result.cell.setting, result.attack, result.cell.network

    return [list(group) for _, group in groupby(_ordered(results), which)]


def _with_interval(value: Mean, digits: int) -> str:
    interval = "" if math.isinf(value.half_width) else f" ± {value.half_width:.{digits}f}"
    return f"{value.value:.{digits}f}{interval}"


def _shade(text: str, ssim: float) -> str:
    return f"*{text}*" if ssim <= RECOGNISABLE_SSIM else text


def _plain(text: str, ssim: float) -> str:
    return text


def _relative(target: Path, page: Path) -> str:
    return Path(os.path.relpath(target.resolve(), page.resolve().parent)).as_posix()
