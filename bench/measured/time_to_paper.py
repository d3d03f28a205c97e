"""How soon the paper's PSNR is reached in white-box: by its own loop, and by ours.

    python -m splitzoo.bench.measured.time_to_paper [--images 3] [--store]

The loop is rMLE as Algorithm 1 has it, one image after the other, with the iterations, the step
and the λ of its row on the leaderboard. Ours begins with the published decoder of procedural
images, and goes on with refined descent for the fewest iterations of `TRIED` whose mean PSNR
reaches the figure of the paper, over images that no row is scored on. Then both are scored on
`standard` and timed, in turns, an image of the loop and all images of ours. Seconds are the
processor's, so that others at work do not count; run it with `OMP_NUM_THREADS=1`, or those of
threads that wait do. `faster` is the loop's seconds per image over ours; what ours took offline
stands beside it, and from how many images on it has made up for that. `--store` puts the figures
beside the published results.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...attacks import (
    Adversary,
    PreparedAttack,
    RefinedDescent,
    ResidualDecoder,
    configured,
    get_setting,
)
from ...zoo import Target, get_network, holding, load_network, load_split, manifest
from ...zoo.pixels import to_8_bit
from ..paper import paper_figure
from ..score.means import mean
from ..score.metrics.psnr import psnr
from ..secrets.evaluation import evaluation_set
from .evidence import run

COLUMNS = ("cifar_cnn/relu22", "cifar_cnn/relu32")
#: Iterations of ours, in the order in which they are tried; 0 is the decoder's answer as it is.
TRIED = (0, 10, 25, 50, 100)
#: Images that the number of iterations is chosen on.
HELD_OUT = 100


@dataclass(frozen=True)
class Shown:
    """Images N×C×H×W in [0, 1], and what a target's edge answers to them."""

    images: Tensor
    features: Tensor

    @classmethod
    @torch.no_grad()
    def by(cls, target: Target, images: Tensor, device: torch.device) -> Shown:
        return cls(images, target.edge(images.to(device)))

    def __getitem__(self, rows: slice) -> Shown:
        return Shown(self.images[rows], self.features[rows])

    def score(self, prepared: PreparedAttack, batch: int | None = None) -> tuple[float, float]:
        """Mean PSNR in dB of what an attack recovers, in 8 bits, and its seconds per image."""
        began = time.process_time()
        found = prepared.reconstruct(self.features, batch=batch).cpu()  # waits for the device
        seconds = time.process_time() - began
        values = psnr(self.images, to_8_bit(found).float() / 255)
        return mean(values).value, seconds / len(self.images)


def soonest(
    adversary: Adversary, decoder: str, shown: Shown, wanted: float
) -> tuple[PreparedAttack, dict[int, float], float]:
    """Ours with the fewest iterations that reach `wanted` dB, or the most that are tried; what each
    number of them reached; and the seconds that preparing it took."""
    reached: dict[int, float] = {}
    for iterations in TRIED:
        began = time.process_time()
        attack = RefinedDescent(iterations=iterations) if iterations else ResidualDecoder()
        prepared = attack.prepare(adversary, network=load_network(decoder))
        seconds = time.process_time() - began
        reached[iterations] = round(shown.score(prepared)[0], 2)
        if reached[iterations] >= wanted:
            break
    return prepared, reached, seconds


def measure_at(column: str, device: torch.device, count: int) -> dict[str, Any]:
    """Both at "network/split", the loop on `count` images of `standard`, ours on all of them."""
    network, split = column.split("/")
    dataset = get_network(network).dataset
    target = load_split(network, split).to(device)
    adversary = Adversary(get_setting("white_box"), target, device=device)
    figure = paper_figure("white_box", column, "rmle")
    assert figure is not None
    held_out = holding(dataset, "same_distribution").load().subset(torch.arange(HELD_OUT))
    standard = Shown.by(target, evaluation_set(dataset).images.floats(), device)
    decoder = f"{network}_decoder_{split}-rand_set"
    ours, reached, preparing = soonest(
        adversary, decoder, Shown.by(target, held_out.floats(), device), figure.psnr
    )
    loop = configured("rmle", column, "white_box").prepare(adversary)
    loops, batches, singles = [], [], []
    step = len(standard.images) // count  # the images are in the order of their classes
    rows = [slice(place * step, place * step + 1) for place in range(count)]
    for row in rows:
        loops.append(standard[row].score(loop, batch=1))
        batches.append(standard.score(ours))
        singles.append(standard[:20].score(ours, batch=1))
        print(f"{column}: {loops[-1]}, {batches[-1]}, {singles[-1]}", file=sys.stderr, flush=True)
    slow, fast, single = (
        statistics.median(seconds for _, seconds in each) for each in (loops, batches, singles)
    )
    training = manifest().get(decoder).training
    return {
        "paper_psnr": figure.psnr,
        "loop": {
            "images": count,
            "iterations": vars(loop.attack)["iterations"],
            "psnr": round(statistics.fmean(each for each, _ in loops), 2),
            "seconds_per_image": round(slow, 2),
        },
        "ours": {
            "attack": ours.attack.name,
            "iterations": max(reached),
            "psnr_held_out": reached,
            "images": len(standard.images),
            "batch": ours.batch,
            "psnr": round(batches[0][0], 2),
            "psnr_on_the_loops": round(
                statistics.fmean(standard[row].score(ours)[0] for row in rows), 2
            ),
            "seconds_per_image": float(f"{fast:.3g}"),
            "seconds_per_image_one_by_one": float(f"{single:.3g}"),
            "decoder": decoder,
            "decoder_seconds": training["seconds"],
            "decoder_trained_with": f"{training['precision']}, {training['device']}",
            "preparing_seconds": round(preparing, 2),
        },
        "faster": round(slow / fast),
        "faster_one_by_one": round(slow / single),
        "made_up_for_after_images": math.ceil((training["seconds"] + preparing) / (slow - fast)),
    }


def measure(device: torch.device, count: int) -> dict[str, Any]:
    """Each column, and what is compared."""
    return {
        "what": "processor seconds per image, online, to the paper's PSNR in white-box: medians",
        "columns": {column: measure_at(column, device, count) for column in COLUMNS},
    }


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=int, default=3, help="of the loop (default: 3)")


if __name__ == "__main__":
    run(
        "time_to_paper",
        __doc__,
        lambda given: measure(given.device, max(1, given.images)),
        add_options,
    )
