"""What a label alone gives away: the mean training image of the right class, on `standard`.

    python -m splitzoo.bench.measured.class_means [--store]

An attack that reaches no more than this has told the class of an image, and not the image.
"""

from __future__ import annotations

import torch

from ...zoo import holding
from ..score.means import mean
from ..score.metrics.psnr import psnr
from ..score.metrics.ssim import ssim
from ..secrets.evaluation import evaluation_set
from .evidence import run


def measure(dataset: str) -> dict[str, float]:
    """Mean PSNR and SSIM of the class means, in 8 bits, against the images of their class."""
    own = holding(dataset, "training_set").load()
    secret = evaluation_set(dataset, "standard").images
    means = torch.stack(
        [own.pixels[own.labels == label].float().mean(0) for label in own.labels.unique()]
    )
    answer, truth = means.round()[secret.labels] / 255, secret.floats()
    return {
        "psnr": round(mean(psnr(truth, answer)).value, 2),
        "ssim": round(mean(ssim(truth, answer)).value, 4),
    }


if __name__ == "__main__":
    run(
        "class_means",
        __doc__,
        lambda options: {"found": {name: measure(name) for name in ("mnist", "cifar10")}},
    )
