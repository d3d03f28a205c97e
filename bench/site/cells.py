"""What the first page shows of a network and a split: the strongest attack of each setting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...attacks import FAMILIES, SETTINGS, Capability, Setting
from ...zoo import DataSet, Network, get_dataset, get_network, networks, published
from ..paper import columns
from ..report.rows import Row
from ..report.tables import strongest
from ..report.wording import holdings
from .curve import ENDS, Curve, curve
from .shown import Shown, numbers


@dataclass(frozen=True)
class Found:
    """A setting at a split, what its adversary holds, and its strongest row; None for none."""

    setting: Setting
    best: Shown | None

    @property
    def holds(self) -> str:
        """What the adversary holds."""
        return holdings(self.setting)


@dataclass(frozen=True)
class Family:
    """The settings of a family at a split."""

    name: str
    title: str
    found: list[Found]

    @property
    def asks(self) -> str:
        """How its adversaries stand to the edge, from what all of them are granted."""
        settings = [each.setting for each in self.found]
        if all(each.allows(Capability.EDGE) for each in settings):
            return "the cloud knows the device's weights and needs no queries"
        if all(each.allows(Capability.QUERY) for each in settings):
            return "the cloud does not know the weights, but may query the device"
        if not any(each.allows(Capability.QUERY) for each in settings):
            return "the cloud neither knows the weights nor may query the device"
        return "see what each setting grants"

    @property
    def best(self) -> Shown | None:
        """The strongest of its settings' rows."""
        there = [each.best for each in self.found if each.best]
        chosen = max(there, key=lambda each: each.figures["psnr"].mean.value, default=None)
        return chosen


@dataclass(frozen=True)
class Cell:
    """A network cut behind a layer, without a defence."""

    network: Network
    split: str
    families: list[Family]

    @property
    def name(self) -> str:
        """ "network/split"."""
        return f"{self.network.name}/{self.split}"

    @property
    def sends(self) -> str:
        """The shape of what the device sends."""
        return numbers(published(self.name).feature_shape)

    @property
    def measured(self) -> int:
        """In how many settings it was attacked."""
        return sum(each.best is not None for family in self.families for each in family.found)

    @property
    def lacking(self) -> list[str]:
        """The settings in which it was not."""
        return [
            each.setting.title
            for family in self.families
            for each in family.found
            if each.best is None
        ]

    @property
    def example(self) -> Shown:
        """One of its rows; all show the same originals."""
        return next(family.best for family in self.families if family.best)

    @property
    def untried(self) -> list[str]:
        """The families none of whose settings was attacked."""
        return [family.title for family in self.families if family.best is None]

    @property
    def worst(self) -> float | None:
        """The highest mean SSIM of its settings' strongest rows."""
        values = [
            each.best.figures["ssim"].mean.value
            for family in self.families
            for each in family.found
            if each.best
        ]
        return max(values, default=None)


@dataclass(frozen=True)
class Chain:
    """A network as the first page draws it."""

    network: Network
    cells: list[Cell]
    curves: list[Curve]

    @property
    def dataset(self) -> DataSet:
        """The data set that it was trained on."""
        return get_dataset(self.network.dataset)

    @property
    def takes(self) -> str:
        """The shape of an image."""
        return numbers(self.network.input_shape)

    @property
    def first(self) -> Cell:
        """The cell to begin with: the deepest of those that were attacked in most settings."""
        most = max(cell.measured for cell in self.cells)
        return [cell for cell in self.cells if cell.measured == most][-1]


def chains(rows: Sequence[Row]) -> list[Chain]:
    """Every network that has undefended rows, the paper's first."""
    plain = [row for row in rows if row.scenario.defence is None]
    best = {key: Shown(row) for key, row in strongest(plain).items()}
    shown = [Shown(row) for row in plain]
    there = {column.split("/")[0] for _, column in best}
    order = dict.fromkeys([*(column.split("/")[0] for column in columns()), *networks()])
    found = []
    for name in order:
        if name in there:
            network = get_network(name)
            cells = [_cell(network, split, best) for split in network.splits]
            mine = [each for each in shown if each.network is network]
            curves = [curve(mine, network.splits, _split, metric) for metric in ENDS]
            found.append(Chain(network, cells, curves))
    return found


def _split(shown: Shown) -> str:
    return shown.where.target.split


def _cell(network: Network, split: str, best: dict[tuple[str, str], Shown]) -> Cell:
    column = f"{network.name}/{split}"
    families = [
        Family(
            name,
            title,
            [
                Found(setting, best.get((setting.name, column)))
                for setting in SETTINGS.values()
                if setting.family == name
            ],
        )
        for name, title in FAMILIES.items()
    ]
    return Cell(network, split, families)
