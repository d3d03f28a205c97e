"""A row as pages show it: what it is called, where its files stand, its figures in words."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from ...attacks import get_attack
from ...zoo import Network, get_network
from ..paper import PaperFigure, paper_figure
from ..referee.tuning import chosen_with
from ..report.provenance import checks_of
from ..report.rows import Row
from ..report.tables import has_oracle, titled
from ..report.wording import with_interval
from ..scenarios import Scenario
from ..score.means import Mean, mean
from ..score.metric import Metric, metrics_of
from ..score.metrics.ssim import RECOGNISABLE_SSIM
from .pictures import places


@dataclass(frozen=True)
class Figure:
    """A metric's mean over a row's images."""

    metric: Metric
    mean: Mean

    @property
    def text(self) -> str:
        """The mean and half its 95 % interval."""
        return with_interval(self.mean, self.metric.shown)


@dataclass(frozen=True)
class Shown:
    """A row of the leaderboard, for a template."""

    row: Row

    @property
    def where(self) -> Scenario:
        """What was attacked."""
        return self.row.scenario

    @property
    def network(self) -> Network:
        """The network that was attacked."""
        return get_network(self.where.target.network)

    @property
    def title(self) -> str:
        """What the attack is called."""
        return titled(self.row)

    @property
    def name(self) -> str:
        """Of its files, without a suffix."""
        place = self.where.column.replace("/", "-")
        return f"{self.where.setting.name}.{place}.{self.row.label}"

    @property
    def place(self) -> str:
        """What sorts rows by network and then by depth."""
        depth = self.network.splits.index(self.where.target.split)
        return f"{self.network.name} {depth:03} {self.where.column}"

    @property
    def verdict(self) -> str:
        """Whether it was borne out by whoever ran it again: "yes", "no" or "not yet"."""
        if not self.row.verified:
            return "not yet"
        return "yes" if self.row.borne_out else "no"

    @property
    def oracle(self) -> bool:
        """Whether its fields were chosen with more than its setting grants."""
        return has_oracle(self.row)

    @property
    def chosen_with(self) -> str:
        """What its tuned fields rest on; empty where none was tuned."""
        return chosen_with(self.row.attack, self.where)

    @cached_property
    def figures(self) -> dict[str, Figure]:
        """The metrics that are numbers, by name."""
        return {
            name: Figure(metric, mean(self.row.per_image[name]))
            for name, metric in metrics_of(self.where.target.dataset.name).items()
            if metric.digits is not None
        }

    @property
    def recognisable(self) -> bool:
        """Whether its mean SSIM is above what counts as unrecognisable."""
        return self.figures["ssim"].mean.value > RECOGNISABLE_SSIM

    @property
    def pictured(self) -> int:
        """How many of its images stand side by side."""
        return len(places(self.row))

    @property
    def citation(self) -> str:
        """Where the attack comes from."""
        return get_attack(self.row.attack).citation

    @property
    def paper(self) -> PaperFigure | None:
        """The paper's figure of the same attack there."""
        return paper_figure(self.where.setting.name, self.where.column, self.row.label)

    @property
    def checks(self) -> list[tuple[str, bool]]:
        """What those found who ran it again, and whether it agrees."""
        return [check for result in self.row.results for check in checks_of(result)]

    @property
    def queries_per_image(self) -> float:
        """Images that were sent to the victim's edge for each image attacked."""
        return self.row.cost("queries") / self.row.n


def numbers(shape: Iterable[int]) -> str:
    """A shape, and how many numbers it holds, in words."""
    sizes = list(shape)
    return (
        f"{'×'.join(map(str, sizes))} = {math.prod(sizes):,}" if len(sizes) > 1 else f"{sizes[0]:,}"
    )
