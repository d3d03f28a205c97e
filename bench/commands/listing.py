"""`splitzoo list`: what there is, by name."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from tabulate import tabulate

from ...attacks import CATALOGUE, SETTINGS
from ...zoo import NETWORKS, manifest
from ..plan import assignments


def add(parser: ArgumentParser) -> None:
    parser.epilog = (
        "Load in Python with torch.hub.load(REPO, ENTRY): NETWORK_split_SPLIT for a split target,\n"
        "NETWORK_inverse_SPLIT and NETWORK_shadow_SPLIT with weights=WEIGHTS for a checkpoint\n"
        "called ENTRY-WEIGHTS, and DATASET_judge for a judge."
    )


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
        ([[each.key] for each in assignments()], ["setting/network/split/attack"]),
    ):
        print(tabulate(rows, header) + "\n")
    return 0
