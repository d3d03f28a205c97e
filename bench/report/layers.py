"""Leakage against depth: attacks behind every layer of a network, side by side, and §7.1."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from tabulate import tabulate

from ...attacks import get_attack
from ...zoo import Network, get_network
from ..paper import SWEEP, columns
from ..referee.plan import SWEEPS, sweep_runs
from ..scenarios import Scenario
from ..score.means import mean
from ..score.metrics.ssim import RECOGNISABLE_SSIM
from .rows import Row
from .tables import blind, marked, scores
from .wording import escaped, shaded

#: What `verdicts` answers.
SECTION_7_1 = (
    "Do fully connected layers hide the input, as §7.1 of the paper has it? Setting by setting; "
    f"they do not where the mean SSIM is above {RECOGNISABLE_SSIM} with all of its 95 % interval. "
    "That one attack fails proves nothing. By chance a tenth of the labels would be right:"
)


#: To it, of the layers named: the input shows, the interval of its mean SSIM holds the threshold,
#: it does not show, and the attack says nothing.
ANSWERS = (
    "not hidden behind {}",
    "undecided behind {}",
    "hidden from this attack behind {}",
    "no answer behind {}, where the attack does worse than what looks at no feature",
)


@dataclass(frozen=True)
class Sweep:
    """An attack's rows in a setting behind the layers of a network, in their order.

    `blind` is the best row on the same images of what looks at no feature, where there is one.
    """

    rows: tuple[Row, ...]
    blind: Row | None

    @property
    def key(self) -> tuple[str, str, str]:
        """Setting, network and attack, as the plan has them."""
        row = self.rows[0]
        return row.scenario.setting.name, row.scenario.target.network, row.label

    @property
    def network(self) -> Network:
        """What was attacked."""
        return get_network(self.rows[0].scenario.target.network)

    @property
    def setting(self) -> str:
        """The title of its setting."""
        return self.rows[0].scenario.setting.title

    @property
    def attack(self) -> str:
        """The title of its attack."""
        return get_attack(self.rows[0].attack).title

    @property
    def title(self) -> str:
        """Setting and attack."""
        return f"{self.setting}: {self.attack}"

    @property
    def by_split(self) -> dict[str, Row]:
        """Its rows by the layer that the network is split behind."""
        return {row.scenario.target.split: row for row in self.rows}


def sweeps(results: Sequence[Row]) -> list[Sweep]:
    """What the results of one profile hold of each sweep of the plan; of some layers, perhaps.

    One that has a single row, or none beside the paper's columns, shows no depth and is left out.
    """
    there = {(row.scenario, row.label): row for row in results}
    profile = results[0].profile if results else ""
    found = []
    for sweep in SWEEPS:
        keys = [(run.scenario.on(profile), run.label) for run in sweep_runs(sweep) if profile]
        rows = tuple(there[key] for key in keys if key in there)
        if len(rows) > 1 and any(_beside_the_columns(row) for row in rows):
            here = [row for row in results if row.scenario.target.network == sweep[1]]
            found.append(Sweep(rows, blind(here)))
    return found


def by_network(found: Sequence[Sweep]) -> dict[str, list[Sweep]]:
    """Sweeps by the name of their network."""
    names = dict.fromkeys(sweep.network.name for sweep in found)
    return {name: [each for each in found if each.network.name == name] for name in names}


def only_of_layers(results: Sequence[Row]) -> list[Row]:
    """What the tables of every layer show and no other does."""
    return [row for each in sweeps(results) for row in each.rows if _beside_the_columns(row)]


def layers_of(found: Sequence[Sweep]) -> list[str]:
    """The layers of a network that any of its sweeps has a row behind, in their order."""
    there = {split for each in found for split in each.by_split}
    return [split for split in found[0].network.splits if split in there]


def is_flat(where: Scenario) -> bool:
    """Whether the edge sends a vector, as a fully connected layer does, and no feature maps."""
    return len(where.target.feature_shape) == 1


def section(found: Sequence[Sweep]) -> str:
    """A network's sweeps side by side, and the verdicts, in Markdown."""
    every = len(found[0].network.splits)
    complete, without = len(layers_of(found)) == every, found[0].blind
    paper = " The paper's Figures 11 and 12 are the shadow model's column; it prints no numbers."
    text = (
        "What a cut behind each layer leaks, and how many numbers cross it: PSNR in dB / SSIM, and "
        "the share of images whose label the judge reads off what was recovered. A column is one "
        "attack, so that its layers compare, but for the longer training or descent that "
        "`attacks/recipes.py` gives some of the paper's splits; behind the splits of [Best "
        "known](#best-known) a stronger one may be known. Where a cell is empty, the attack was "
        "not run: behind an affine edge exact inversion takes its place."
        + ("" if complete else f" {len(layers_of(found))} of {every} layers were measured.")
        + (f" What looks at no feature has {scores(without)}." if without else "")
        + (paper if any(each.key == SWEEP for each in found) else "")
        + f"\n\n{_table(found)}\n\n"
    )
    said = [line for each in found if (line := _verdict(each))]
    return text + (SECTION_7_1 + "\n\n" + "".join(f"- {each}\n" for each in said) if said else "")


def _table(found: Sequence[Sweep]) -> str:
    """A line for each layer, a column for each setting and attack."""
    lines = []
    for split in layers_of(found):
        rows = [each.by_split.get(split) for each in found]
        shape = next(row for row in rows if row).scenario.target.feature_shape
        lines.append([split, f"{math.prod(shape):,}", *[_cell(row) for row in rows]])
    header = ["layer", "numbers", *[escaped(each.title) for each in found]]
    align = ("left", *["right"] * (len(header) - 1))
    return tabulate(lines, header, tablefmt="pipe", colalign=align, disable_numparse=True)


def verdicts(results: Sequence[Row]) -> list[str]:
    """A line for each sweep: does §7.1 hold, that fully connected layers hide the input?"""
    return [line for each in sweeps(results) if (line := _verdict(each))]


def _verdict(sweep: Sweep) -> str:
    fully = [row for row in sweep.rows if is_flat(row.scenario)]
    others = [row for row in sweep.rows if not is_flat(row.scenario)]
    if not fully or not others:
        return ""
    splits: dict[str, list[str]] = {said: [] for said in ANSWERS}
    for row in fully:
        splits[_answer(row, sweep.blind)].append(row.scenario.target.split)
    answer = "; ".join(said.format(", ".join(of)) for said, of in splits.items() if of)
    before, behind = (
        (_span(rows, _ssim, "{:.2f}"), _span(rows, _labels, "{:.0%}")) for rows in (others, fully)
    )
    return (
        f"**{sweep.setting}** ({sweep.attack}): {answer}. Mean SSIM is {before[0]} behind the "
        f"{_some(others)} measured before the first fully connected layer, and {behind[0]} behind "
        f"the {_some(fully)} from it on; the label is read off {before[1]} of the images before, "
        f"and off {behind[1]} behind."
    )


def _answer(row: Row, without: Row | None) -> str:
    """Which of `ANSWERS` a fully connected layer's row gives; `without` looks at no feature."""
    shown, open_, hidden, worse = ANSWERS
    found = mean(row.per_image["ssim"])
    if without and found.value < _ssim(without):
        return worse
    if abs(found.value - RECOGNISABLE_SSIM) < found.half_width:
        return open_
    return shown if found.value > RECOGNISABLE_SSIM else hidden


def _some(rows: Sequence[Row]) -> str:
    return str(len(rows)) if len(rows) > 1 else "one"


def _span(rows: Sequence[Row], value: Callable[[Row], float], form: str) -> str:
    values = [value(row) for row in rows]
    low, high = (form.format(each).replace("%", " %") for each in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def _cell(row: Row | None) -> str:
    if row is None:
        return ""
    return f"{shaded(scores(row), _ssim(row))}{marked(row)}, {100 * _labels(row):.0f} %"


def _ssim(row: Row) -> float:
    return mean(row.per_image["ssim"]).value


def _labels(row: Row) -> float:
    return fmean(row.per_image["label"])


def _beside_the_columns(row: Row) -> bool:
    return row.scenario.column not in columns()
