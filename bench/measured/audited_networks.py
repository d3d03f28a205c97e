"""Audits of three networks that nobody tuned anything for, with torchvision's code.

    python -m splitzoo.bench.measured.audited_networks [--only resnet18] [--out DIR] [--store]

ResNet-18, MobileNetV3-Small and a small vision transformer, each trained here on CIFAR-10 for a
few minutes with a head of ten classes, and audited at six modules within the default budget. The
images are 1,000 of the test part: the network has not seen them, and the audit divides them. The
reports and the trained networks lie in --out, where a later run finds them; `--store` puts the
means among the evidence, in place of those that stand there of the same network.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
import torchvision
from safetensors import safe_open
from torch import Tensor, nn
from torchvision.models.vision_transformer import ConvStemConfig, VisionTransformer

from ...zoo import Images, get_network, load_dataset
from ...zoo.fitting import fit_classifier
from ...zoo.recipe import OneCycleRecipe
from ...zoo.resume import Conditions
from ...zoo.target import Normalize
from ...zoo.tensor_files import write_tensors
from ..audit.images import Pictures
from ..audit.judging import judge_of
from ..audit.record import Audit
from ..audit.run import BUDGET, audit_module
from .evidence import run, stored


def resnet18() -> nn.Module:
    network: nn.Module = torchvision.models.resnet18(num_classes=10)
    return network


def mobilenet_v3_small() -> nn.Module:
    """Its first convolution without a stride: 32×32 pixels would leave a last map of one."""
    network: nn.Module = torchvision.models.mobilenet_v3_small(num_classes=10)
    stem = network.get_submodule("features.0.0")
    assert isinstance(stem, nn.Conv2d)
    stem.stride = (1, 1)
    return network


def vision_transformer() -> nn.Module:
    """Sixteen tokens of an image, from a stem of convolutions."""
    stem = [ConvStemConfig(out_channels=wide, kernel_size=3, stride=2) for wide in (32, 64, 128)]
    network: nn.Module = VisionTransformer(
        image_size=32,
        patch_size=8,
        num_layers=4,
        num_heads=4,
        hidden_dim=128,
        mlp_dim=256,
        num_classes=10,
        conv_stem_configs=stem,
    )
    return network


@dataclass(frozen=True)
class AdamCycleRecipe(OneCycleRecipe):
    """The same cycle with AdamW."""

    batch_size: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    flip: bool = True

    def optimizer(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.AdamW(parameters, lr=self.learning_rate, weight_decay=self.weight_decay)


#: Each with as many epochs of CIFAR-10 as a few minutes of two cores suffice for.
NETWORKS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "resnet18": (resnet18, 1),
    "mobilenet_v3_small": (mobilenet_v3_small, 4),
    "vision_transformer": (vision_transformer, 5),
}
#: Its normalisation is CIFAR-10's.
CIFAR10 = get_network("resnet20")


def trained(name: str, device: torch.device, path: Path) -> tuple[nn.Module, float]:
    """A network trained on CIFAR-10, now or earlier, to `path`; and the seconds that it took."""
    build, epochs = NETWORKS[name]
    torch.manual_seed(0)
    network = build().to(device)
    if path.is_file():
        with safe_open(path, framework="pt") as file:
            network.load_state_dict({key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118
            return network.eval(), float(file.metadata()["seconds"])
    normalize = Normalize(CIFAR10.mean, CIFAR10.std).to(device)
    seconds = fit_classifier(
        f"training {name}",
        network,
        lambda images: network(normalize(images)),
        load_dataset("cifar10", "train"),
        AdamCycleRecipe(epochs=epochs),
        identity={"network": name},
        conditions=Conditions(progress_file=path.with_suffix(".progress")),
        device=device,
    )
    write_tensors(path, network.state_dict(), {"seconds": f"{seconds:.0f}"})
    return network, seconds


@torch.no_grad()
def accuracy_of(network: nn.Module, device: torch.device) -> float:
    """Of the test images that the audit does not use."""
    test = load_dataset("cifar10", "test").subset(torch.arange(2000, 10_000))
    normalize = Normalize(CIFAR10.mean, CIFAR10.std).to(device)
    logits = torch.cat([network(normalize(part.to(device))) for part in test.floats().split(200)])
    return float((logits.argmax(1).cpu() == test.labels).float().mean())


def pictures() -> Pictures:
    """A thousand test images with their labels."""
    chosen: Images = load_dataset("cifar10", "test").subset(torch.arange(1000, 2000))
    pixels: Tensor = chosen.pixels
    names = tuple(f"test image {number}" for number in range(1000, 2000))
    classes = tuple(map(str, range(CIFAR10.num_classes)))
    return Pictures(pixels, chosen.labels, classes, (32, 32), names)


def summary(audit: Audit) -> list[dict[str, Any]]:
    """Of each cut the figures by attack, its cost, and the seconds."""
    return [
        {
            "at": cut.at,
            "attacks": {
                each.key: {
                    "ssim": round(fmean(each.ssim), 3),
                    "psnr": round(fmean(each.psnr), 2),
                    "picks its own": sum(each.own),
                    "label read": sum(each.label or []),
                }
                for each in cut.attacked
            },
            "bytes": cut.cost.bytes,
            "multiply_adds": cut.cost.multiply_adds,
            "seconds": round(cut.seconds),
        }
        for cut in audit.cuts
    ]


def measure(given: argparse.Namespace) -> dict[str, Any]:
    found = {}
    for name in given.only or NETWORKS:
        network, seconds = trained(name, given.device, given.out / f"{name}.safetensors")
        accuracy = accuracy_of(network, given.device)
        print(f"{name}: accuracy {accuracy:.3f} after {seconds:.0f} s", file=sys.stderr)
        if given.train_only:
            continue
        began = time.process_time()
        audit = audit_module(
            network,
            pictures(),
            given.out / name,
            budget=given.budget,
            mean=CIFAR10.mean,
            std=CIFAR10.std,
            device=given.device,
            name=name,
            judge=judge_of("cifar10", pictures()),
        )
        found[name] = {
            "accuracy": round(accuracy, 3),
            "trained_for": round(seconds),
            "budget": given.budget,
            "audited_for": round(sum(cut.seconds for cut in audit.cuts)),
            "processor_seconds": round(time.process_time() - began),
            "floor": round(fmean(audit.floor.ssim), 3),
            "cuts": summary(audit),
            "left_out": audit.left_out,
        }
    return {
        "what": "seconds that training and audit of each network took on two cores beside other "
        "work, those of the processor that the audit had, and what its attacks recovered",
        "networks": {**stored("audited_networks", "networks"), **found},
    }


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", action="append", choices=NETWORKS, help="may be given again")
    parser.add_argument("--train-only", action="store_true", help="train, and audit another time")
    parser.add_argument("--budget", type=float, default=BUDGET, help="seconds (default: 600)")
    parser.add_argument("--out", type=Path, default=Path("splitzoo-audits"), help="reports")


if __name__ == "__main__":
    run("audited_networks", __doc__, measure, add_options)
