"""Audits of three networks that nobody tuned anything for, with torchvision's code.

    python -m splitzoo.bench.measured.audited_networks [--only resnet18] [--out DIR] [--store]

ResNet-18, MobileNetV3-Small and a small vision transformer, each trained here on CIFAR-10 for a
few minutes with a head of ten classes, and audited at six modules within the default budget. The
images are 1,000 of the test part: the network has not seen them, and the audit divides them. The
reports and the trained networks lie in --out; `--store` puts the means among the evidence.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
import torchvision
from safetensors.torch import load_file
from torch import Tensor, nn

from ...zoo import Images, get_network, load_dataset, pick_precision
from ...zoo.fitting import fit_classifier
from ...zoo.recipe import AdamRecipe
from ...zoo.resume import Conditions
from ...zoo.target import Normalize
from ...zoo.tensor_files import write_tensors
from ..audit.images import Pictures
from ..audit.record import Audit
from ..audit.run import BUDGET, audit_module
from .evidence import run

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "resnet18": partial(torchvision.models.resnet18, num_classes=10),
    "mobilenet_v3_small": partial(torchvision.models.mobilenet_v3_small, num_classes=10),
    "vision_transformer": partial(
        torchvision.models.VisionTransformer,
        image_size=32,
        patch_size=4,
        num_layers=4,
        num_heads=4,
        hidden_dim=128,
        mlp_dim=256,
        num_classes=10,
    ),
}
#: Its normalisation is CIFAR-10's.
CIFAR10 = get_network("resnet20")
#: Training images that are used: enough for a network that has learned something.
LEARNED = 15_000


def trained(name: str, epochs: int, device: torch.device, path: Path) -> tuple[nn.Module, float]:
    """A network trained on CIFAR-10, or earlier, to `path`; and its accuracy on 1,000 test
    images."""
    torch.manual_seed(0)
    network = NETWORKS[name]().to(device)
    normalize = Normalize(CIFAR10.mean, CIFAR10.std).to(device)
    if path.is_file():
        network.load_state_dict(load_file(path))
    else:
        train(name, network, normalize, epochs, device)
        write_tensors(path, network.state_dict())
    test = load_dataset("cifar10", "test").subset(torch.arange(1000))
    network.eval()
    with torch.no_grad():
        logits = torch.cat(
            [network(normalize(part.to(device))) for part in test.floats().split(100)]
        )
    return network, float((logits.argmax(1).cpu() == test.labels).float().mean())


def train(
    name: str, network: nn.Module, normalize: nn.Module, epochs: int, device: torch.device
) -> None:
    fit_classifier(
        f"training {name}",
        network,
        lambda images: network(normalize(images)),
        load_dataset("cifar10", "train").subset(torch.arange(LEARNED)),
        AdamRecipe(epochs=epochs, batch_size=128, adam_eps=1e-8, halve_every=2),
        identity={},
        conditions=Conditions(pick_precision("auto", device)),
        device=device,
    )


def pictures() -> Pictures:
    """A thousand test images with their labels."""
    chosen: Images = load_dataset("cifar10", "test").subset(torch.arange(1000, 2000))
    pixels: Tensor = chosen.pixels
    names = tuple(f"test image {number}" for number in range(1000, 2000))
    classes = tuple(map(str, range(CIFAR10.num_classes)))
    return Pictures(pixels, chosen.labels, classes, (32, 32), names)


def summary(audit: Audit) -> list[dict[str, Any]]:
    """Of each cut the means by family, its cost, and the seconds."""
    return [
        {
            "at": cut.at,
            "ssim": {each.family: round(fmean(each.ssim), 3) for each in cut.attacked},
            "psnr": {each.family: round(fmean(each.psnr), 2) for each in cut.attacked},
            "bytes": cut.cost.bytes,
            "multiply_adds": cut.cost.multiply_adds,
            "seconds": round(cut.seconds),
        }
        for cut in audit.cuts
    ]


def measure(given: argparse.Namespace) -> dict[str, Any]:
    found = {}
    for name in given.only or NETWORKS:
        network, accuracy = trained(
            name, given.epochs, given.device, given.out / f"{name}.safetensors"
        )
        audit = audit_module(
            network,
            pictures(),
            given.out / name,
            budget=given.budget,
            mean=CIFAR10.mean,
            std=CIFAR10.std,
            device=given.device,
            name=name,
        )
        found[name] = {
            "accuracy": round(accuracy, 3),
            "seconds": round(sum(cut.seconds for cut in audit.cuts)),
            "floor": round(fmean(audit.floor.ssim), 3),
            "cuts": summary(audit),
            "left_out": audit.left_out,
        }
    return {"what": f"audits within {given.budget:.0f} s each", "networks": found}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", action="append", choices=NETWORKS, help="may be given again")
    parser.add_argument("--epochs", type=int, default=4, help="of training (default: 4)")
    parser.add_argument("--budget", type=float, default=BUDGET, help="seconds (default: 600)")
    parser.add_argument("--out", type=Path, default=Path("splitzoo-audits"), help="reports")


if __name__ == "__main__":
    run("audited_networks", __doc__, measure, add_options)
