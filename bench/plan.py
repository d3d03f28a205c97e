"""Which attack runs on which cell: the paper's tables and figures, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..attacks import CATALOGUE, get_setting
from ..zoo import UnknownNameError, get_network
from .cells import Cell, columns, paper


@dataclass(frozen=True)
class Table:
    """One row block of a table of the paper: an attack in a setting, at all five targets.

    `path` leads to its numbers in `paper.json`.
    """

    number: int
    setting: str
    attack: str
    path: tuple[str, ...]


@dataclass(frozen=True)
class Assignment:
    """An attack on a cell."""

    cell: Cell
    attack: str

    @property
    def words(self) -> frozenset[str]:
        """What `--only` may call it by."""
        cell = self.cell
        family = get_setting(cell.setting).family
        return frozenset({family, cell.setting, cell.network, cell.split, self.attack})

    @property
    def key(self) -> str:
        """Its name: "setting/network/split/attack"."""
        return f"{self.cell.key}/{self.attack}"


@dataclass(frozen=True)
class PaperFigure:
    """The paper's mean over its ten images: PSNR in dB, and SSIM."""

    psnr: float
    ssim: float


TABLES = (
    Table(3, "white_box", "rmle", ("table3_white_box_rmle",)),
    *(
        Table(4, f"black_box_{x}", "inverse_network", ("table4_black_box_inverse_network", x))
        for x in ("same_set", "same_dist", "rand_set")
    ),
    *(
        Table(6, f"query_free_{x}", "shadow_model", ("table6_query_free_shadow_model", x))
        for x in (
            "same_set_same_net",
            "diff_set_same_net",
            "same_set_diff_net",
            "diff_set_diff_net",
        )
    ),
    Table(
        8,
        "black_box_same_set",
        "model_reconstruction",
        ("table8_black_box_two_ways", "model_reconstruction"),
    ),
)
#: Figures 11 and 12: one network attacked behind each of its layers.
SWEEP = ("query_free_same_set_same_net", "lenet", "shadow_model")


def paper_assignments() -> list[Assignment]:
    """Every cell of Tables 3, 4, 6 and 8, with the attack that the paper ran there."""
    return [
        Assignment(Cell(table.setting, *target.split("/")), table.attack)
        for table in TABLES
        for target in columns()
    ]


def sweep_assignments() -> list[Assignment]:
    """The eleven cells of Figures 11 and 12, in the order of the layers."""
    setting, network, attack = SWEEP
    return [
        Assignment(Cell(setting, network, split), attack) for split in get_network(network).splits
    ]


def assignments() -> list[Assignment]:
    """Everything that a full benchmark runs, each once."""
    return list(dict.fromkeys(paper_assignments() + sweep_assignments()))


def paper_figure(cell: Cell, attack: str) -> PaperFigure | None:
    """The paper's figure for an attack on a cell, None where it has none."""
    for table in TABLES:
        if (table.setting, table.attack) == (cell.setting, attack) and cell.target in columns():
            values = paper()
            for step in table.path:
                values = values[step]
            column = columns().index(cell.target)
            return PaperFigure(values["psnr"][column], values["ssim"][column])
    return None


def faithful_attack(cell: Cell) -> str:
    """The attack that the paper ran in a cell's setting (the first, where it ran two)."""
    return next(table.attack for table in TABLES if table.setting == cell.setting)


def select(only: Sequence[str], among: Sequence[Assignment] | None = None) -> list[Assignment]:
    """The assignments that match at least one pattern; all of them without a pattern.

    A pattern is one or more words joined by "/", each a setting or its family, a network, a
    split or an attack, and an assignment matches if it has them all: "lenet",
    "query_free/cifar_cnn", "relu22/rmle". UnknownNameError names a word that is none of these,
    or a combination that nothing has.
    """
    among = assignments() if among is None else among
    if not only:
        return list(among)
    words = dict.fromkeys(word for each in among for word in sorted(each.words))
    chosen: set[Assignment] = set()
    for pattern in only:
        wanted = [word for word in pattern.split("/") if word]
        for word in wanted:
            if word not in words:
                raise UnknownNameError("setting, network, split or attack", word, words)
        matching = [each for each in among if set(wanted) <= each.words]
        if not matching or not wanted:
            raise UnknownNameError("cell", pattern, [each.key for each in among])
        chosen.update(matching)
    return [each for each in among if each in chosen]


def with_attacks(names: Sequence[str], *, anywhere: bool = False) -> list[Assignment]:
    """Other attacks of the catalogue on every cell of the plan whose setting allows them.

    With `anywhere`, also on the others, for a caller who names the cells and wants the refusal.
    """
    cells = dict.fromkeys(each.cell for each in assignments())
    return [
        Assignment(cell, name)
        for name in names
        for cell in cells
        if anywhere or not get_setting(cell.setting).missing(CATALOGUE[name].attack.requires)
    ]
