"""What hides an image at cifar_cnn/relu32: the features, or the effort of those who look?

    python -m splitzoo.bench.measured.effort_at_relu32 [--part told] [--share 1.0] [--store]

Nothing here is a row of the leaderboard. `trained`: decoders of more width, depth and steps than
any row's, for the seconds of `PLANS`, which are an H200's, and the refined descent from their
answers. Its α is given, as it was best before on training images, which is more than an adversary
knows. `told`: what is recovered by who is *told*, for each image, which units are active, and so
which piece of the piecewise affine edge it lies in. There the positive features are linear in the
image, and the best linear estimate has a closed form, given the mean and the covariance of training
images. It makes no use of what the other units say, that they are off, so it bounds nothing.

Scores are of `standard` and of training images that were kept aside; `told` takes the latter. With
`--part` the other part stays as it is stored.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ...attacks import Adversary, RefinedDescent, get_setting
from ...attacks.procedural import procedural_images
from ...attacks.residual_decoder import apart, scored
from ...zoo import Decoder, Images, Target, holding, load_split
from ...zoo.averaging import Averaged
from ...zoo.pixels import as_floats, to_8_bit
from ...zoo.precision import autocast, pick_precision
from ...zoo.recipe import cosine, shifted
from ..referee.deterministic import deterministic
from ..score.means import mean
from ..score.metrics.psnr import psnr
from ..score.metrics.ssim import ssim
from ..secrets.evaluation import evaluation_set
from .evidence import made_on, run, stored

#: By name: images, width, blocks, seconds on an H200.
PLANS = {
    "training images": ("train", 192, 8, 90),
    "images of the same distribution": ("dist", 128, 6, 45),
    "procedural images": ("drawn", 128, 6, 55),
}
PARTS = ("trained", "told")
DRAWN, LEARNED, ASIDE = 300_000, 39_000, 1_000
BATCH, RATE, SHIFT = 256, 1e-3, 3


def pictures(source: str) -> Images:
    """What a decoder learns from; labels mean nothing."""
    if source == "drawn":
        drawn = procedural_images(DRAWN, (3, 32, 32), torch.Generator().manual_seed(1000))
        return Images(to_8_bit(drawn), torch.zeros(len(drawn), dtype=torch.int64))
    if source == "train":
        return holding("cifar10", "training_set").load().subset(torch.arange(LEARNED))
    return holding("cifar10", "same_distribution").load()


class Judged:
    """Images that are recovered, and scored, by name: `standard`, and training images."""

    @torch.no_grad()
    def __init__(self, target: Target, device: torch.device) -> None:
        aside = torch.arange(LEARNED, LEARNED + ASIDE)
        self._images = {
            "standard": evaluation_set("cifar10").images.floats(),
            "aside": holding("cifar10", "training_set").load().subset(aside).floats(),
        }
        self._features = {
            name: [target.edge(part.to(device)) for part in images.split(100)]
            for name, images in self._images.items()
        }

    def by(self, recover: Callable[[Tensor], Tensor]) -> dict[str, list[float]]:
        """Mean PSNR in dB and SSIM of each, given what takes features to images."""
        found = {}
        for name, images in self._images.items():
            answers = [recover(part).float().clamp(0, 1).cpu() for part in self._features[name]]
            found[name] = list(quality(images, torch.cat(answers)))
        return found


def quality(images: Tensor, recovered: Tensor) -> tuple[float, float]:
    """Mean PSNR in dB and mean SSIM, rounded."""
    scores = mean(psnr(images, recovered)).value, mean(ssim(images, recovered)).value
    return round(scores[0], 2), round(scores[1], 3)


def learned(
    edge: nn.Module, pixels: Tensor, width: int, blocks: int, seconds: float
) -> tuple[nn.Module, int]:
    """A decoder after so many seconds of training, and how many images they were."""
    device, generator = next(edge.parameters()).device, torch.Generator().manual_seed(0)
    pixels = pixels[apart(len(pixels))[0]]

    def draw(count: int) -> Tensor:
        rows = torch.randint(len(pixels), (count,), generator=generator)
        return shifted(as_floats(pixels[rows]), SHIFT, True, generator).to(device)

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
            adversary, network=network
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


def told(target: Target, device: torch.device, count: int) -> dict[str, Any]:
    """Mean PSNR in dB and SSIM of the linear estimate with the right units, on the first of the
    training images that were kept aside."""
    pixels = holding("cifar10", "training_set").load().floats()
    known = pixels[:LEARNED].flatten(1)
    middle = known.mean(0).double().to(device)
    covariance = torch.cov(known.T, correction=0).double().to(device)
    images = pixels[LEARNED : LEARNED + max(1, count)].to(device)
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
    level, likeness = quality(images.cpu(), torch.cat(estimates).cpu())
    return {
        "images": len(images),
        "positive_features": round(sum(active) / len(images)),
        "psnr": level,
        "ssim": likeness,
    }


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """The parts that are asked for, each with what made it, and the other as it is stored."""
    target = load_split("cifar_cnn", "relu32").to(given.device)
    found: dict[str, Any] = {part: stored("effort_at_relu32", part) for part in PARTS}
    made = made_on(given.device)
    with deterministic():
        if given.part != "trained":
            found["told"] = {**told(target, given.device, given.images), "made": made}
        if given.part != "told":
            judged, share = Judged(target, given.device), max(given.share, 1e-3)
            found["trained"] = {**trained(target, judged, given.device, share), "made": made}
    return {
        "what": "mean PSNR in dB and SSIM at cifar_cnn/relu32 of decoders of more effort than any "
        "row, of the refined descent from them, and of who is told which units are active",
        **found,
    }


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--part", choices=PARTS, help="that is measured (default: both)")
    parser.add_argument("--share", type=float, default=1.0, help="of the seconds (default: 1)")
    parser.add_argument("--images", type=int, default=50, help="of who is told (default: 50)")


if __name__ == "__main__":
    run("effort_at_relu32", __doc__, measure, add_options)
