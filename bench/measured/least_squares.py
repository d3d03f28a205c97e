"""What limits the Inverse-Network at an affine edge: the exact minimiser of Eq. 4.

    python -m splitzoo.bench.measured.least_squares [--store]

At lenet/conv1 the Inverse-Network is one convolution, so its best weights are a least-squares
solution, whatever the training. This finds them for queries with noise and with images, scores
them on `standard` with and without the border that the edge's convolution does not pad, and
writes the figures that the leaderboard's notes cite.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...attacks import SETTINGS, Adversary
from ...attacks.learned import query_pixels
from ...zoo import holding, load_split, manifest
from ...zoo.pixels import as_floats
from ..score.means import mean
from ..score.metrics.psnr import psnr
from ..score.metrics.ssim import ssim
from ..secrets.evaluation import evaluation_set
from .evidence import run

#: Queries, and pixels of border that are left out in the second score.
IMAGES, BORDER = 4000, 4


def best_convolution(edge: nn.Module, pixels: Tensor) -> nn.Conv2d:
    """The 5×5 convolution (padding 4) from conv1's features to pixels with the least squared
    error over `pixels` N×1×28×28, from the normal equations in double precision."""
    size = 8 * 25 + 1
    gram, moment = torch.zeros(size, size).double(), torch.zeros(size).double()
    for batch in pixels.split(200):
        with torch.no_grad():
            patches = F.unfold(edge(batch), 5, padding=4).transpose(1, 2).flatten(0, 1).double()
        patches = F.pad(patches, (0, 1), value=1.0)
        gram += patches.T @ patches
        moment += patches.T @ batch.flatten().double()
    solution = torch.linalg.solve(gram, moment).float()
    layer = nn.Conv2d(8, 1, 5, padding=4)
    with torch.no_grad():
        layer.weight.copy_(solution[:-1].view(1, 8, 5, 5))
        layer.bias.copy_(solution[-1:])  # type: ignore[union-attr]
    return layer.requires_grad_(False)


def measure() -> dict[str, Any]:
    """PSNR and SSIM on `standard` of the best convolution for each kind of query."""
    target = load_split("lenet", "conv1")
    adversary = Adversary(SETTINGS["black_box_rand_set"], target, device=torch.device("cpu"))
    noise = query_pixels(adversary, IMAGES, torch.Generator().manual_seed(0))
    images = holding("mnist", "same_distribution").load().pixels[:IMAGES]
    secret = evaluation_set("mnist", "standard").images.floats()
    inner = (..., slice(BORDER, -BORDER), slice(BORDER, -BORDER))
    found: dict[str, Any] = {}
    for name, pixels in (("rand_set", noise), ("same_dist", as_floats(images))):
        layer = best_convolution(target.edge, pixels)
        with torch.no_grad():
            recovered = layer(target.edge(secret)).clamp(0, 1)
        found[name] = {
            "psnr": round(mean(psnr(secret, recovered)).value, 2),
            "ssim": round(mean(ssim(secret, recovered)).value, 4),
            "psnr_without_border": round(mean(psnr(secret[inner], recovered[inner])).value, 2),
        }
    return {
        "what": "least-squares 5x5 convolution from lenet/conv1 features, on standard",
        "queries": IMAGES,
        "border": BORDER,
        "found": found,
        "target_sha256": manifest().get("lenet").content_sha256,
    }


if __name__ == "__main__":
    run("least_squares_at_conv1", __doc__, lambda options: measure())
