"""Pictures of what came back and what it took: Figures 3 to 12 of the paper, and one of ours."""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from ...attacks import SETTINGS, get_attack
from ...zoo import Network, get_network, networks
from ...zoo.files import write_atomically
from ..paper import SWEEP, columns, faithful_attack
from ..score.means import Mean, mean
from ..score.metrics.ssim import RECOGNISABLE_SSIM
from ..secrets.evaluation import evaluation_set
from ..store.folder import ResultStore
from .layers import Sweep, by_network, is_flat, layers_of, sweeps
from .quality import compared, quality_figure
from .rows import Row

#: Text chunk of the PNG that names the results it was drawn from.
DRAWN_FROM = "splitzoo-results-sha256"
_DPI = 110
#: Raised when the same results are to be drawn in another way.
_DRAWING = 2
#: Of a grid of images, in pixels: about an image's longer side; the label's width, the gap between
#: images, what stands above the rows and below each, and the least that the title needs.
_SIDE, _LABEL, _GAP, _TITLE, _SCORES, _LEAST = 90, 126, 6, 28, 34, 560
#: A line's colour and mark, in the order of the sweeps that are drawn together.
_LINES = (("#1f5f99", "o"), ("#b3541e", "s"), ("#3c7d3c", "D"), ("#7a4f9a", "^"), ("#555555", "v"))


@dataclass(frozen=True)
class Picture:
    """One PNG: where it stands, what it is called, and the results that it shows, in order.

    Of its kind: a "grid" of images, that of every one of the "layers" of a network, a "plot" of
    what these leak, or the "quality" that a time buys.
    """

    path: Path
    title: str
    kind: str
    results: tuple[Row, ...]


#: The paper's figure of each setting's recovered images.
NUMBERS = {
    "white_box": 3,
    "black_box_same_set": 4,
    "black_box_same_dist": 5,
    "black_box_rand_set": 6,
    "query_free_same_set_same_net": 7,
    "query_free_diff_set_same_net": 8,
    "query_free_same_set_diff_net": 9,
    "query_free_diff_set_diff_net": 10,
}


def pictures(store: ResultStore, results: Sequence[Row]) -> list[Picture]:
    """Every picture that these results of one profile give, figure by figure."""
    if not results:
        return []
    folder = store.figures(results[0].profile)
    found = []
    for (setting, label), by_target in _grouped(results).items():
        for network in _in_order():
            rows = _of_network(network.name, by_target)
            if rows and not get_attack(rows[0].attack).baseline:
                number = ""
                if faithful_attack(setting) == label and setting in NUMBERS:
                    number = f"Figure {NUMBERS[setting]}. "
                title = f"{number}{network.title}, {named(rows[0])}"
                path = folder / f"{setting}-{network.name}-{label}.png"
                found.append(Picture(path, title, "grid", rows))
    for name, group in by_network(sweeps(results)).items():
        title = f"Every layer of {group[0].network.title}"
        blind = [group[0].blind] if group[0].blind else []
        rows = tuple([row for each in group for row in each.rows] + blind)
        found.append(Picture(folder / f"layers-{name}.png", title, "plot", rows))
        for each in group:
            number = "Figure 11. " if each.key == SWEEP else ""
            path = folder / f"{'-'.join(each.key)}-layers.png"
            words = f"{number}{title}, {named(each.rows[0])}"
            found.append(Picture(path, words, "layers", each.rows))
    timed = compared(results)
    if timed:
        title = "What each attack reaches, and the time that an image takes it"
        found.append(Picture(folder / "quality-against-time.png", title, "quality", timed))
    return found


def is_current(picture: Picture) -> bool:
    """Whether the file was drawn from exactly these results."""
    try:
        with Image.open(picture.path) as image:
            return image.info.get(DRAWN_FROM) == _digest(picture)
    except (OSError, SyntaxError):
        return False


def draw(store: ResultStore, picture: Picture) -> Path:
    """Draw a picture, unless its file is current, and return the path."""
    if not is_current(picture):
        raw, png, note = io.BytesIO(), io.BytesIO(), PngInfo()
        with style.context("default", after_reset=True):  # whatever the user's own is
            figure = _figure(store, picture)
            figure.savefig(raw, format="rgba", facecolor="white")
        drawn = Image.frombytes("RGBA", figure.canvas.get_width_height(), raw.getvalue())
        note.add_text(DRAWN_FROM, _digest(picture))
        drawn.convert("RGB").save(png, "PNG", optimize=True, pnginfo=note)
        write_atomically(picture.path, png.getvalue())
    return picture.path


def _figure(store: ResultStore, picture: Picture) -> Figure:
    if picture.kind == "quality":
        return quality_figure(picture.title, picture.results)
    return _plot(picture) if picture.kind == "plot" else _grid(store, picture)


def _in_order() -> list[Network]:
    """The networks, those of the paper's columns first."""
    names = dict.fromkeys([*(column.split("/")[0] for column in columns()), *networks()])
    return [get_network(name) for name in names]


def _of_network(network: str, by_target: dict[str, Row]) -> tuple[Row, ...]:
    """One attack's rows of a network: the paper's columns, or all that there are where it has
    none of them, and the defended ones."""
    mine = {k: row for k, row in by_target.items() if row.scenario.target.network == network}
    chosen = [k for k in columns() if k in mine]
    others = [k for k in mine if k not in chosen]
    return tuple(mine[k] for k in (chosen or others))


def _grouped(results: Sequence[Row]) -> dict[tuple[str, str], dict[str, Row]]:
    groups: dict[tuple[str, str], dict[str, Row]] = {}
    order = sorted(results, key=lambda r: (list(SETTINGS).index(r.scenario.setting.name), r.label))
    for result in order:
        key = (result.scenario.setting.name, result.label)
        groups.setdefault(key, {})[result.scenario.column] = result
    return groups


def named(row: Row) -> str:
    """A row's setting and attack, within a title."""
    title = row.scenario.setting.title
    return f"{title[0].lower()}{title[1:]}: {get_attack(row.attack).title}"


def _digest(picture: Picture) -> str:
    shown: list[object] = [
        (row.scenario.key, row.label, row.results[0].recovered_sha256, row.per_image)
        for row in picture.results
    ]
    if picture.kind == "quality":
        shown += [row.seconds_per_image for row in picture.results]
    return hashlib.sha256(repr((_DRAWING, picture.title, shown)).encode()).hexdigest()


def _grid(store: ResultStore, picture: Picture) -> Figure:
    """One image of each class on top, and below a row for each result.

    PSNR in dB and SSIM stand under each recovered image.
    """
    ten = evaluation_set(picture.results[0].scenario.target.dataset.name, "paper10")
    originals = as_drawn(ten.images.pixels)
    count, (across, tall, broad, _) = len(picture.results), originals.shape
    wide = _LABEL + max(_LEAST, across * (broad + _GAP))
    high = _TITLE + tall + _GAP + count * (tall + _SCORES)
    figure = Figure(figsize=(wide / _DPI, high / _DPI), dpi=_DPI)

    def write(x: float, y: float, words: str, size: float, ha: str, va: str = "top") -> None:
        figure.text(x / wide, 1 - y / high, words, size=size, ha=ha, va=va, parse_math=False)

    def draw_row(top: int, images: np.ndarray, label: str) -> list[float]:
        """Images side by side, and how far from the left the middle of each is."""
        lefts = [_LABEL + place * (broad + _GAP) for place in range(across)]
        for left, image in zip(lefts, images, strict=True):
            figure.figimage(image, left, high - top - tall)
        write(_LABEL - 10, top + tall / 2, label, 10, "right", "center")
        return [left + broad / 2 for left in lefts]

    write(wide / 2, 8, f"{picture.title}; PSNR and SSIM under each image", 9, "center")
    draw_row(_TITLE, originals, "original")
    for place, shown in enumerate(picture.results):
        result = shown.results[0]  # of several seeds the first is drawn
        chosen = [result.reported["indices"].index(index) for index in ten.indices.tolist()]
        top = _TITLE + tall + _GAP + place * (tall + _SCORES)
        images = as_drawn(store.recovered(result)[chosen])
        middles = draw_row(top, images, shown.scenario.target.split)
        for middle, index in zip(middles, chosen, strict=True):
            scores = result.reported["psnr"][index], result.reported["ssim"][index]
            write(middle, top + tall + 4, "{:.1f} dB\n{:.3f}".format(*scores), 7.5, "center")
    return figure


def as_drawn(pixels: Tensor) -> np.ndarray:
    """Images in RGB, N×H×W×3: each pixel as a whole number of them a side, as near as can be to
    what a grid has room for, so that it is seen as it is; large ones made smaller."""
    images = pixels.permute(0, 2, 3, 1).expand(-1, -1, -1, 3).numpy()
    high, wide = images.shape[1:3]
    times = _SIDE / max(high, wide)
    if times >= 1:
        return images.repeat(round(times), axis=1).repeat(round(times), axis=2)
    size = max(1, round(times * wide)), max(1, round(times * high))
    return np.stack([np.asarray(Image.fromarray(image).resize(size)) for image in images])


def _plot(picture: Picture) -> Figure:
    """PSNR and SSIM against the layer, with 95 % intervals, a line for each sweep."""
    found = sweeps(picture.results)
    names = layers_of(found)
    figure = Figure(figsize=(9.6, 4.0), dpi=_DPI)
    panels = figure.subplots(1, 2)
    for axis, metric, label in zip(panels, ("psnr", "ssim"), ("PSNR, dB", "SSIM"), strict=True):
        for each, (colour, mark) in zip(found, cycle(_LINES), strict=False):
            _draw_line(axis, each, names, metric, colour, mark)
        if found[0].blind:
            level = mean(found[0].blind.per_image[metric]).value
            axis.axhline(level, color="#999999", linewidth=1, label="looks at no feature")
        flat = {row.scenario.target.split for row in picture.results if is_flat(row.scenario)}
        first = next((place for place, name in enumerate(names) if name in flat), len(names))
        if first < len(names):
            axis.axvspan(first - 0.5, len(names) - 0.5, color="#dddddd", zorder=0)
            end, top = len(names) - 0.6, axis.get_ylim()[1]
            axis.text(end, top, "fully connected", fontsize=8, ha="right", va="top")
        if metric == "ssim":
            axis.axhline(RECOGNISABLE_SSIM, color="#aa3333", linestyle="--", linewidth=1)
            axis.text(0, RECOGNISABLE_SSIM, "recognisable above", fontsize=8, va="bottom")
        axis.set_xticks(range(len(names)), names, rotation=45, ha="right")
        axis.set_xlabel("layer that the network is split behind")
        axis.set_ylabel(f"mean {label}")
        axis.grid(axis="y", linewidth=0.4)
    count = picture.results[0].n
    title = f"{picture.title}; 95 % intervals over {count} images"
    figure.suptitle(title, fontsize=9, parse_math=False)
    drawn, called = panels[0].get_legend_handles_labels()
    figure.legend(drawn, called, loc="lower center", ncols=2, fontsize=8, frameon=False)
    figure.tight_layout(rect=(0, 0.02 + 0.05 * math.ceil(len(found) / 2), 1, 1))
    return figure


def _draw_line(
    axis: Axes, sweep: Sweep, names: list[str], metric: str, colour: str, mark: str
) -> None:
    """A sweep's line, with a gap where a layer was not measured."""
    rows = [sweep.by_split.get(name) for name in names]
    means = [mean(row.per_image[metric]) if row else Mean(math.nan, 0, 2) for row in rows]
    axis.errorbar(
        range(len(names)),
        [each.value for each in means],
        yerr=[each.half_width if each.n > 1 else 0 for each in means],
        marker=mark,
        capsize=3,
        color=colour,
        label=sweep.title,
    )
