"""`splitzoo list`: what there is, by name."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from tabulate import tabulate

from ...attacks import CATALOGUE, SETTINGS
from ...zoo import NETWORKS, manifest
from ..cells import paper_cells


def add(parser: ArgumentParser) -> None:
    parser.epilog = "Load a split in Python with torch.hub.load(REPO, 'NETWORK_split_SPLIT')."


def run(options: Namespace) -> int:
    networks = [
        [network.name, network.dataset, " ".join(network.splits)] for network in NETWORKS.values()
    ]
    attacks = [
        [entry.name, entry.title, ", ".join(c.value for c in entry.attack.requires)]
        for entry in CATALOGUE.values()
    ]
    settings = [
        [setting.name, setting.section, ", ".join(sorted(c.value for c in setting.grants))]
        for setting in SETTINGS.values()
    ]
    checkpoints = [
        [record.name, record.kind, f"{record.bytes / 1e6:.1f} MB", record.sha256[:12]]
        for record in manifest().records.values()
    ]
    for rows, header in (
        (networks, ["network", "data set", "splits"]),
        (checkpoints, ["checkpoint", "kind", "size", "sha256"]),
        (settings, ["setting", "paper", "grants, besides cloud half and features"]),
        (attacks, ["attack", "title", "requires"]),
        ([[cell.key] for cell in paper_cells()], ["cell"]),
    ):
        print(tabulate(rows, header) + "\n")
    return 0
