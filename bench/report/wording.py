"""How numbers, paths and text from files are written in Markdown."""

from __future__ import annotations

import html
import math
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from ...attacks import SETTINGS, Setting, catalogue
from ...zoo import get_network
from ..paper import columns
from ..score.means import Mean
from ..score.metrics.ssim import RECOGNISABLE_SSIM
from ..store.result import Result
from .rows import Row

Shown = TypeVar("Shown", Row, Result)


def escaped(text: str) -> str:
    """Text from a file as plain words in a table: no markup, no cell or line of its own."""
    plain = " ".join(html.escape(text, quote=False).split())
    return re.sub(r"[\\`*|\[\]~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\\g<0>", plain)


def flowed(text: str) -> str:
    """Each paragraph and each item of a list on a line of its own, however it was wrapped."""
    return re.sub(r"(?<!\n)\n *(?=[^\n -])", " ", text)


def heading(setting: Setting) -> str:
    """What a page calls the section of a setting."""
    return f"{setting.title} ({setting.section})"


def anchor(title: str) -> str:
    """Where a heading is found, as Markdown's renderers name it."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def holdings(setting: Setting) -> str:
    """What the adversary of a setting holds."""
    grants = ", ".join(sorted(capability.value for capability in setting.grants))
    images = {
        "training_set": " The images are the target's own training images.",
        "same_distribution": " The images are test images that the target was not trained on, "
        "without the evaluation images.",
    }
    return f"The adversary holds the cloud half, the features, and: {grants}." + images.get(
        setting.images or "", ""
    )


def with_interval(value: Mean, digits: int, *, signed: bool = False) -> str:
    """A mean and half its 95 % interval."""
    interval = "" if math.isinf(value.half_width) else f" ± {value.half_width:.{digits}f}"
    sign = "+" if signed else ""
    return f"{value.value:{sign}.{digits}f}{interval}"


def shaded(text: str, ssim: float) -> str:
    """In italics where nothing can be recognised."""
    return f"*{text}*" if ssim <= RECOGNISABLE_SSIM else text


def plain(text: str, ssim: float) -> str:
    """As it is, for a console."""
    return text


def relative(target: Path, page: Path) -> str:
    """The link from a page to a file."""
    return Path(os.path.relpath(target.resolve(), page.resolve().parent)).as_posix()


def ordered(results: Sequence[Shown]) -> list[Shown]:
    """By setting, attack and column, as the tables have them."""
    settings, attacks, targets = list(SETTINGS), list(catalogue()), list(columns())

    def place(result: Row | Result) -> tuple[int, int, str, int, str, int]:
        where = result.scenario if isinstance(result, Row) else result.where
        name = result.attack if isinstance(result, Row) else result.attack.name
        column = targets.index(where.column) if where.column in targets else len(targets)
        layer = get_network(where.target.network).splits.index(where.target.split)
        setting, attack = settings.index(where.setting.name), attacks.index(name)
        return setting, attack, result.label, column, where.target.network, layer

    return sorted(results, key=place)
