"""`splitzoo list`: what there is, by name."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from tabulate import tabulate

from ...attacks.described import Described, described_attacks
from ...attacks.installed import installed
from ...attacks.settings import SETTINGS
from ...zoo import targets
from ...zoo.errors import SplitzooError
from ...zoo.manifests import manifest
from ...zoo.words import size
from ..paper import SWEEP, TABLES, columns
from .options import warn

#: How what is listed is loaded.
LOADING = """\
a target, behind a split:     torch.hub.load(REPO, "lenet_split_relu2")
a checkpoint ENTRY-WEIGHTS:   torch.hub.load(REPO, "lenet_inverse_relu2", weights="same_set")
a judge:                      torch.hub.load(REPO, "mnist_judge")
REPO is "OWNER/splitzoo", or the path of a checkout, with source="local"."""


def add(parser: ArgumentParser) -> None:
    parser.epilog = LOADING


def run(options: Namespace) -> int:
    networks = [[name, dataset, " ".join(splits)] for name, dataset, splits in known_networks()]
    attacks = [
        [each.name, each.title, ", ".join(sorted(c.value for c in each.requires))]
        for each in [*described_attacks(), *described_of_packages()]
    ]
    settings = [
        [setting.name, setting.section, ", ".join(sorted(c.value for c in setting.grants))]
        for setting in SETTINGS.values()
    ]
    checkpoints = [
        [record.name, record.kind, size(record.bytes), record.sha256[:12]]
        for _, record in sorted(manifest().records.items())
    ]
    for rows, header in (
        (networks, ["network", "data set", "splits"]),
        (checkpoints, ["checkpoint", "kind", "size", "sha256"]),
        (settings, ["setting", "paper", "grants, besides cloud half and features"]),
        (attacks, ["attack", "title", "requires"]),
        ([[key] for key in plan()], ["setting/network/split/attack"]),
    ):
        print(tabulate(rows, header) + "\n")
    print(LOADING)
    return 0


def described_of_packages() -> list[Described]:
    """The attacks of installed packages, loaded, and torch with them; a broken one is a warning."""
    found = []
    for point in installed().values():
        from ...attacks.by_name import load_of_package

        try:
            attack = load_of_package(point)
        except SplitzooError as error:
            warn([str(error)])
        else:
            found.append(Described(attack.name, attack.title, attack.requires))
    return found


def known_networks() -> list[tuple[str, str, list[str]]]:
    """Name, data set and splits of each network; torch is loaded only for an unpublished one."""
    found = []
    for path in sorted(Path(next(iter(targets.__path__))).glob("[!_]*.py")):
        record = manifest().records.get(path.stem)
        if record is not None:
            found.append((record.name, record.dataset, list(record.reached["active_units"])))
            continue
        from ...zoo.network import get_network

        network = get_network(path.stem)
        found.append((network.name, network.dataset, list(network.splits)))
    return found


def plan() -> list[str]:
    """What a full benchmark runs, each once: the paper's tables, and every layer of one network."""
    setting, network, attack = SWEEP
    splits = next(splits for name, _, splits in known_networks() if name == network)
    tables = [f"{each.setting}/{column}/{each.attack}" for each in TABLES for column in columns()]
    sweep = [f"{setting}/{network}/{split}/{attack}" for split in splits]
    return list(dict.fromkeys(tables + sweep))
