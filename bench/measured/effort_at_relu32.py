"""What hides an image at cifar_cnn/relu32: the features, or the effort of those who look?

    python -m splitzoo.bench.measured.effort_at_relu32 [--share 1.0] [--told 50] [--store]

Nothing here is a row of the leaderboard. First, decoders of more width, depth and images than any
row's, for the seconds of `PLANS`, which are a GPU's, trained on what a setting grants; and the
refined descent from their answers, with α as it was best before on training images, so that all
who descend are told more than they may know. Second, what one may expect who is *told*, for each
image, which piece of the piecewise affine edge it lies in: there the positive features are linear
in the image, and the best linear estimate (Gauss and Markov, with the mean and the covariance of
the training images) is written down in closed form. Scores are of `standard`, and of training
images that were kept aside. `--share` is the share of each plan's seconds, `--told` how many images
are estimated by who is told, `--kept FILE` a file of an earlier run whose decoders are not trained
again.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...attacks import Adversary, RefinedDescent, get_setting
from ...attacks.learned import as_floats
from ...attacks.procedural import procedural_images
from ...attacks.residual_decoder import apart, scored
from ...zoo import Decoder, Images, Target, holding, load_split
from ...zoo.averaging import Averaged
from ...zoo.precision import autocast, pick_precision
from ...zoo.recipe import cosine, shifted
from ..score.means import mean
from ..score.metrics.psnr import psnr
from ..score.metrics.ssim import ssim
from ..secrets.evaluation import evaluation_set
from .evidence import run

#: By name: images, width, blocks, seconds on an H200.
PLANS = {
    "training images": ("train", 192, 8, 90),
    "images of the same distribution": ("dist", 128, 6, 45),
    "procedural images": ("drawn", 128, 6, 55),
}
DRAWN, LEARNED, ASIDE = 300_000, 39_000, 1_000
BATCH, RATE, SHIFT = 256, 1e-3, 3
Scores = dict[str, list[float]]


def pictures(source: str) -> Images:
    """What a decoder learns from; labels mean nothing."""
    if source == "drawn":
        drawn = procedural_images(DRAWN, (3, 32, 32), torch.Generator().manual_seed(1000))
        pixels = (255 * drawn).round().to(torch.uint8)
        return Images(pixels, torch.zeros(len(pixels), dtype=torch.int64))
    if source == "train":
        return holding("cifar10", "training_set").load().subset(torch.arange(LEARNED))
    return holding("cifar10", "same_distribution").load()


class Judged:
    """Images that are recovered, and scored, by name: `standard`, and training images."""

    def __init__(self, target: Target, device: torch.device) -> None:
        aside = torch.arange(LEARNED, LEARNED + ASIDE)
        self.images = {
            "standard": evaluation_set("cifar10").images.floats(),
            "aside": holding("cifar10", "training_set").load().subset(aside).floats(),
        }
        self._edge, self._device = target.edge, device

    def by(self, recover: Callable[[Tensor], Tensor]) -> Scores:
        """Mean PSNR in dB and SSIM of each, given what takes features to images."""
        found: Scores = {}
        for name, images in self.images.items():
            with torch.no_grad():
                parts = [self._edge(part.to(self._device)) for part in images.split(100)]
            answer = torch.cat([recover(part).float().clamp(0, 1).cpu() for part in parts])
            scores = mean(psnr(images, answer)).value, mean(ssim(images, answer)).value
            found[name] = [round(scores[0], 2), round(scores[1], 3)]
        return found


def learned(
    edge: nn.Module, pixels: Tensor, width: int, blocks: int, seconds: float
) -> tuple[nn.Module, int]:
    """A decoder after so many seconds of training, and how many images they were."""
    device, generator = next(edge.parameters()).device, torch.Generator().manual_seed(0)
    pixels = pixels[apart(len(pixels))[0]]

    def draw(count: int) -> Tensor:
        rows = torch.randint(len(pixels), (count,), generator=generator)
        return as_floats(shifted(pixels[rows].float(), SHIFT, True, generator).to(device) / 255)

    with torch.no_grad():
        some = edge(draw(1024))
    network = Decoder(tuple(some.shape[1:]), (3, 32, 32), width=width, blocks=blocks)
    network.standardize.fit(some.cpu())
    network = network.to(device).to(memory_format=torch.channels_last)
    average = Averaged(network, 0.998)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=1e-4)
    precision, began, steps, done = pick_precision("auto", device), time.perf_counter(), 0, 0.0
    while done < 1:
        for group in optimizer.param_groups:
            group["lr"] = RATE * cosine(done) * min(1, (steps + 1) / 200)
        images = draw(BATCH)
        with torch.no_grad():
            features = edge(images)
        with autocast(device, precision):
            answer = network(features)
        optimizer.zero_grad()
        scored(answer.float(), images).mean().backward()
        optimizer.step()
        average.update()
        steps, done = steps + 1, (time.perf_counter() - began) / seconds
    average.hand_over()
    return network.eval().requires_grad_(False), steps * BATCH


def trained(target: Target, judged: Judged, device: torch.device, share: float) -> dict[str, Any]:
    """Each plan's decoder, and the descent from its answers."""
    found = {}
    for name, (source, width, blocks, seconds) in PLANS.items():
        images = pictures(source)
        network, seen = learned(target.edge, images.pixels, width, blocks, share * seconds)
        adversary = Adversary(
            get_setting("white_box_same_dist"), target, device=device, data=images
        )
        descent = RefinedDescent(prior_weight=0.64, tv_weight=0.03, iterations=200).prepare(
            adversary, network=copy.deepcopy(network)
        )
        found[name] = {
            "width": width,
            "blocks": blocks,
            "parameters": sum(each.numel() for each in network.parameters()),
            "seconds": share * seconds,
            "images": seen,
            "decoder": judged.by(network),
            "descent": judged.by(descent.reconstruct),
        }
        print(json.dumps({name: found[name]}), flush=True)
    return found


def told(target: Target, count: int) -> dict[str, Any]:
    """Mean PSNR in dB and SSIM of the linear estimate in the right piece, on the first of the
    training images that were kept aside."""
    pixels = holding("cifar10", "training_set").load().floats()
    known = pixels[:LEARNED].flatten(1)
    middle = known.mean(0).double()
    covariance = torch.cov(known.T, correction=0).double()
    images = pixels[LEARNED : LEARNED + count]
    estimates, active = [], []
    for image in images.split(1):
        at = image.clone().requires_grad_()
        features = target.edge(at).flatten()
        slopes = []
        for row in (features > 0).nonzero()[:, 0]:
            (slope,) = torch.autograd.grad(features[row], at, retain_graph=True)
            slopes.append(slope.flatten().double())
        seen = torch.stack(slopes)
        inner = seen @ covariance @ seen.T
        inner.diagonal().add_(1e-9 * inner.diagonal().mean())
        # Where the piece is known, the features say seen @ (image - middle).
        deviation = seen @ (image.flatten().double() - middle)
        estimate = middle + covariance @ seen.T @ torch.linalg.solve(inner, deviation)
        estimates.append(estimate.float().clamp(0, 1).view_as(image))
        active.append(len(slopes))
    answer = torch.cat(estimates)
    return {
        "images": count,
        "positive_features": round(sum(active) / count),
        "psnr": round(mean(psnr(images, answer)).value, 2),
        "ssim": round(mean(ssim(images, answer)).value, 3),
    }


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Both parts."""
    target = load_split("cifar_cnn", "relu32")
    kept = json.loads(given.kept.read_text("utf-8")) if given.kept else None
    linear = told(target, given.told)
    if kept is None:
        on_device = copy.deepcopy(target).to(given.device)
        judged = Judged(on_device, given.device)
        kept = {"trained": trained(on_device, judged, given.device, given.share)}
    return {
        "what": "mean PSNR in dB and SSIM at cifar_cnn/relu32 of decoders of more effort than any "
        "row, of the refined descent from them, and of who is told the affine piece",
        **kept,
        "told_the_piece": linear,
    }


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--share", type=float, default=1.0, help="of the seconds (default: 1)")
    parser.add_argument("--told", type=int, default=50, help="images (default: 50)")
    parser.add_argument("--kept", type=Path, metavar="FILE", help="decoders of an earlier run")


if __name__ == "__main__":
    run("effort_at_relu32", __doc__, measure, add_options)
