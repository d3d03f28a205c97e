"""Tables of what attacks reach: a setting's in full, and the best attack of each cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from tabulate import tabulate

from ...attacks import get_attack, get_setting
from ..paper import columns, paper_figure
from ..referee.tuning import chosen_with
from ..score.means import mean
from ..score.metric import Metric, metrics_of
from .rows import Row
from .wording import anchor, escaped, heading, plain, shaded, with_interval

Shade = Callable[[str, float], str]

#: What the mark behind a score says.
ORACLE = (
    "° marks hyperparameters tuned with more knowledge than the setting grants (oracle λ): what "
    "the attack can reach, not what its adversary would know to choose"
)


def summary(results: Sequence[Row], *, markdown: bool = True) -> str:
    """One setting's table: targets as columns, a block of lines for the paper and each attack."""
    if not results:
        return ""
    shade = shaded if markdown else plain
    setting = results[0].scenario.setting.name
    targets = _columns(results)
    lines = []
    for label, group in groupby(results, lambda result: result.label):
        by_target = {result.scenario.column: result for result in group}
        found = [by_target.get(target) for target in targets]
        published = [paper_figure(setting, target, label) for target in targets]
        block = attack_lines(found, shade)
        if any(published):
            cells = [shade(f"{p.psnr:.2f} / {p.ssim:.4f}", p.ssim) if p else "" for p in published]
            block.insert(0, ["the paper's", *cells])
        title = titled(next(row for row in found if row))
        titles = [escaped(title) if markdown else title, *[""] * (len(block) - 1)]
        lines += [[title, *line] for title, line in zip(titles, block, strict=True)]
    return _table(lines, ["attack", "", *targets], markdown=markdown)


def best(results: Sequence[Row]) -> str:
    """The attack of highest mean PSNR in each cell, settings as rows and targets as columns.

    What looks at no feature has a row of its own, the last.
    """
    cells = strongest(results)
    if not cells:
        return ""
    targets = _columns(list(cells.values()))
    lines = []
    for setting in dict.fromkeys(setting for setting, _ in cells):
        named = [_named(cells.get((setting, target))) for target in targets]
        described = get_setting(setting)
        lines.append([f"[{described.title}](#{anchor(heading(described))})", *named])
    without = [blind([r for r in results if r.scenario.column == target]) for target in targets]
    if any(without):
        lines.append(["Without a feature", *[_named(row) for row in without]])
    return _table(lines, ["PSNR, dB / SSIM", *targets])


def strongest(results: Sequence[Row]) -> dict[tuple[str, str], Row]:
    """By setting and column, the row of highest mean PSNR that looks at features."""
    cells: dict[tuple[str, str], Row] = {}
    for row in results:
        key = row.scenario.setting.name, row.scenario.column
        if not get_attack(row.attack).baseline and (
            key not in cells or _rank(row) > _rank(cells[key])
        ):
            cells[key] = row
    return cells


def blind(results: Sequence[Row]) -> Row | None:
    """The best of the rows that look at no feature, where there are any."""
    return max((r for r in results if get_attack(r.attack).baseline), key=_rank, default=None)


def attack_lines(found: Sequence[Row | None], shade: Shade) -> list[list[str]]:
    """What an attack reaches, shares of images and costs: a line each, a column for each row.

    What looks at no feature has the first line alone; a score that `ORACLE` speaks of, its mark.
    """
    there = [row for row in found if row]
    metrics = metrics_of(there[0].scenario.target.dataset.name).values()
    numbers = [metric for metric in metrics if metric.digits is not None]

    def line(name: str, show: Callable[[Row], str]) -> list[str]:
        return [name, *[show(row) if row else "" for row in found]]

    def score(row: Row) -> str:
        values = " / ".join(_number(row, metric) for metric in numbers)
        return shade(values, mean(row.per_image["ssim"]).value) + marked(row)

    def shares(row: Row) -> str:
        return ", ".join(f"{100 * share:.0f} %" for share in row.shares.values())

    def cost(row: Row) -> str:
        offline, queries = row.cost("offline_seconds"), row.cost("queries") / row.n
        return f"{row.seconds_per_image:.2g}, {offline:.0f}, {queries:.0f}"

    def trust(row: Row) -> str:
        verdict = "" if row.borne_out else ", **not borne out**"
        return f"{row.ran}; {row.verified or 'not yet'}{verdict}"

    reached = line(" / ".join(metric.title for metric in numbers), score)
    if get_attack(there[0].attack).baseline:
        return [reached]
    lines = [
        reached,
        line(", ".join(there[0].shares), shares),
        line("s / image, s offline, queries / image", cost),
        line("ran, verified", trust),
    ]
    if any(len(row.seeds) > 1 for row in there):
        lines.append(line("n", lambda row: f"{row.n} × {len(row.seeds)} seeds"))
    return [*lines, *_each_seed(found)]


def _each_seed(found: Sequence[Row | None]) -> list[list[str]]:
    """Where some row has several seeds, what each of them reached."""
    seeds = sorted({seed for each in found if each and len(each.seeds) > 1 for seed in each.seeds})

    def of_seed(row: Row | None, seed: int) -> str:
        if row is None or seed not in row.seeds:
            return ""
        reported = row.results[row.seeds.index(seed)].reported
        return f"{mean(reported['psnr']).value:.2f} / {mean(reported['ssim']).value:.4f}"

    return [[f"seed {seed}", *[of_seed(row, seed) for row in found]] for seed in seeds]


def _columns(results: Sequence[Row]) -> list[str]:
    """The paper's targets among those of the rows, and then the others."""
    there = dict.fromkeys(row.scenario.column for row in results)
    paper = [each for each in columns() if each in there]
    return [*paper, *[each for each in there if each not in paper]]


def _number(row: Row, metric: Metric) -> str:
    return with_interval(mean(row.per_image[metric.name]), metric.shown)


def _quality(row: Row) -> tuple[float, float]:
    psnr, ssim = (mean(row.per_image[name]).value for name in ("psnr", "ssim"))
    return psnr, ssim


def _rank(row: Row) -> tuple[float, float, bool]:
    """By PSNR and then SSIM, as far as they are shown; of equals, what no oracle has helped."""
    psnr, ssim = _quality(row)
    return round(psnr, 2), round(ssim, 3), not has_oracle(row)


def has_oracle(row: Row) -> bool:
    """Whether its fields were chosen with more than its setting grants."""
    return "oracle" in (chosen_with(row.attack, row.scenario) or "")


def scores(row: Row) -> str:
    """Mean PSNR in dB and SSIM, as the short tables have them."""
    return "{:.2f} / {:.3f}".format(*_quality(row))


def marked(row: Row) -> str:
    """The mark of a row that an oracle has helped."""
    return "°" if has_oracle(row) else ""


def _named(row: Row | None) -> str:
    """A cell of the best: both scores and whose they are."""
    if row is None:
        return ""
    title = escaped(get_attack(row.attack).title)
    return shaded(scores(row), _quality(row)[1]) + f" {title}{marked(row)}"


def titled(row: Row) -> str:
    """What a page calls a row's attack: its title, and a mark of fields that were chosen."""
    title, label = get_attack(row.attack).title, row.label
    mark = label[len(row.attack) + 1 :]
    return f"{title}, other fields ({mark})" if mark else title


def _table(lines: list[list[str]], header: list[str], *, markdown: bool = True) -> str:
    left = 2 if header[1] == "" else 1
    align = ("left",) * left + ("right",) * (len(header) - left)
    style = "pipe" if markdown else "simple"
    return tabulate(lines, header, tablefmt=style, colalign=align, disable_numparse=True)
