"""Pictures of what came back: grids like the paper's Figure 3, drawn from stored results."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from ..attacks import get_entry
from ..zoo import evaluation_set, get_network
from ..zoo.files import write_atomically
from .results import Result, ResultStore

#: Text chunk of the PNG that names the results it was drawn from.
DRAWN_FROM = "splitzoo-results-sha256"
_WIDTH, _LABEL = 0.86, 1.15


def figure_path(store: ResultStore, results: Sequence[Result]) -> Path:
    """Where the grid of one network, setting and attack stands."""
    first = results[0]
    name = f"{first.cell.setting}-{first.cell.network}-{first.attack}.png"
    return store.figures(first.profile) / name


def results_digest(results: Sequence[Result]) -> str:
    """sha256 over what a grid shows, so that an outdated picture can be told."""
    shown = [(r.cell.key, r.attack, r.recovered_sha256, r.per_image) for r in results]
    return hashlib.sha256(repr(shown).encode()).hexdigest()


def is_current(path: Path, results: Sequence[Result]) -> bool:
    """Whether the picture at `path` was drawn from exactly these results."""
    try:
        with Image.open(path) as picture:
            return picture.info.get(DRAWN_FROM) == results_digest(results)
    except (OSError, SyntaxError):
        return False


def draw_grid(store: ResultStore, results: Sequence[Result]) -> Path:
    """Draw the paper's ten images on top, and below a row for each split in `results`.

    PSNR in dB and SSIM stand under each recovered image. All results are of one network,
    setting, attack and profile. Returns the path of the PNG; one that is current is kept.
    """
    path = figure_path(store, results)
    if is_current(path, results):
        return path
    first = results[0]
    ten = evaluation_set(first.cell.dataset, "paper10")
    figure = Figure(figsize=(_LABEL + 10 * _WIDTH, 0.45 + 1.02 * (len(results) + 1)), dpi=110)
    axes = figure.subplots(len(results) + 1, 10, squeeze=False)
    _draw_row(axes[0], ten.images.pixels, "original")
    for row, result in zip(axes[1:], results, strict=True):
        columns = [result.per_image["indices"].index(index) for index in ten.indices.tolist()]
        _draw_row(row, store.recovered(result)[columns], result.cell.split)
        for axis, column in zip(row, columns, strict=True):
            scores = result.per_image["psnr"][column], result.per_image["ssim"][column]
            axis.set_xlabel("{:.1f} dB\n{:.3f}".format(*scores), fontsize=7.5, labelpad=2)
    network = get_network(first.cell.network)
    figure.suptitle(
        f"{network.title}, {first.cell.setting.replace('_', '-')}: "
        f"{get_entry(first.attack).title}, with PSNR and SSIM under each image",
        fontsize=9,
    )
    figure.subplots_adjust(
        left=_LABEL / (_LABEL + 10 * _WIDTH),
        right=0.995,
        bottom=0.42 / (1.02 * len(axes) + 0.45),
        top=1 - 0.34 / (1.02 * len(axes) + 0.45),
        wspace=0.06,
        hspace=0.42,
    )
    _save(figure, path, results)
    return path


def _draw_row(axes: np.ndarray, pixels: Tensor, label: str) -> None:
    for axis, image in zip(axes, pixels.permute(0, 2, 3, 1).numpy(), strict=True):
        if image.shape[2] == 1:
            axis.imshow(image[..., 0], cmap="gray", vmin=0, vmax=255)
        else:
            axis.imshow(image)
        axis.set(xticks=[], yticks=[])
        for side in axis.spines.values():
            side.set_visible(False)
    axes[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=10, labelpad=6)


def _save(figure: Figure, path: Path, results: Sequence[Result]) -> None:
    buffer = io.BytesIO()
    figure.savefig(
        buffer,
        format="png",
        facecolor="white",
        metadata={"Software": None, DRAWN_FROM: results_digest(results)},
    )
    write_atomically(path, buffer.getvalue())
