"""An audit of one cut against the leaderboard: does it find what the best attack finds there?

    python -m splitzoo.bench.measured.audited_splits [--only lenet/relu2] [--budget 3600] [--store]

The adversary holds the 9,000 images of the same distribution, and twenty of the leaderboard's
hundred are scored, two of each class. Beside what each family of the audit's attacks reaches stands
the best row that the same adversary has on the leaderboard, over the same images. `--store`
keeps the evidence of other splits.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import OrderedDict
from collections.abc import Sequence
from statistics import fmean
from typing import Any

import torch
from torch import nn

from ...attacks import FAMILIES
from ...zoo import get_network, load_split
from ...zoo.holdings import holding
from ..audit.attacking import audit_cut
from ..audit.cuts import Cut, Subject
from ..audit.division import Division
from ..audit.strength import worst
from ..report.beside import published_rows
from ..report.rows import Row
from ..secrets.evaluation import evaluation_set
from .evidence import run, stored

SPLITS = ("lenet/relu2", "cifar_cnn/relu22")
#: The settings of the leaderboard that grant no more than the audit's adversary has.
SETTINGS = {
    "white_box": ("white_box", "white_box_same_dist", "black_box_same_dist", "black_box_rand_set"),
    "black_box": ("black_box_same_dist", "black_box_rand_set"),
    "query_free": ("query_free_diff_set_same_net", "query_free_diff_set_diff_net"),
}
#: Of the hundred images, which are in the order of their classes.
SCORED = torch.arange(0, 100, 5)


def subject_of(name: str, device: torch.device) -> Subject:
    """A network of the zoo as if it were a user's own."""
    target = load_split(*name.split("/"))
    layers = OrderedDict(each for each in target.named_layers() if each[0] != "normalize")
    dataset = get_network(target.network).dataset
    _, height, width = target.input_shape
    scored = evaluation_set(dataset).images.subset(SCORED)
    return Subject(
        nn.Sequential(layers).to(device),
        target.network,
        (height, width),
        Division(holding(dataset, "same_distribution").load(), scored, 0),
        target.normalisation,
        True,
        device,
    )


def best(published: Sequence[Row], name: str, family: str) -> tuple[float, Row]:
    """The best PSNR that the same adversary has on the leaderboard, over the scored images."""
    mine = [
        (fmean(row.per_image["psnr"][place] for place in SCORED.tolist()), row)
        for row in published
        if row.scenario.key in {f"{setting}/{name}" for setting in SETTINGS[family]}
    ]
    return max(mine, key=lambda each: each[0])


def measure(given: argparse.Namespace) -> dict[str, Any]:
    found, published = {}, published_rows()
    for name in given.only or SPLITS:
        subject = subject_of(name, given.device)
        cut = Cut(subject, subject.target(name.split("/")[1]), 0)
        began = time.process_time()
        audited, _ = audit_cut(cut, "", given.budget, lambda what: print(what, file=sys.stderr))
        found[name] = {
            "budget": given.budget,
            "seconds": round(audited.seconds),
            "processor_seconds": round(time.process_time() - began),
            "left_out": audited.left_out,
        }
        for family in FAMILIES:
            attacked, (psnr, row) = worst(audited, family), best(published, name, family)
            if attacked is not None:
                found[name][family] = {
                    "psnr": round(fmean(attacked.psnr), 2),
                    "attack": attacked.attack,
                    "fields": attacked.fields,
                    "best_psnr": round(psnr, 2),
                    "best_row": f"{row.scenario.key}/{row.label}",
                }
        print(found[name], file=sys.stderr, flush=True)
    return {
        "what": "an audit of one cut, and the leaderboard's best there",
        "splits": {**stored("audited_splits", "splits"), **found},
    }


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", action="append", choices=SPLITS, help="may be given again")
    parser.add_argument("--budget", type=float, default=3600.0, help="seconds (default: 3600)")


if __name__ == "__main__":
    run("audited_splits", __doc__, measure, add_options)
