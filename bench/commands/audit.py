"""`splitzoo audit`: what each cut of a network of one's own leaks, costs, and where to cut."""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

from .options import add_device, duration, finite_numbers, folder, whole_number


def add(parser: ArgumentParser) -> None:
    parser.add_argument(
        "network", metavar="NET.py:BUILD", help="a file, and what in it returns a torch.nn.Module"
    )
    parser.add_argument(
        "--images",
        required=True,
        metavar="FOLDER",
        help="images, sub-folders as labels; or a .npy or .safetensors file of N×C×H×W; or a data "
        "set, as data.py:photos or \"CIFAR10(root='data', train=False)\" of torchvision",
    )
    parser.add_argument(
        "--weights", type=Path, metavar="FILE.safetensors", help="the network's state_dict"
    )
    parser.add_argument(
        "--at",
        metavar="LAYERS|all",
        help="where to cut, joined by commas (default: up to six modules, evenly spaced)",
    )
    parser.add_argument(
        "--budget",
        type=duration,
        default=600.0,
        metavar="TIME",
        help="what the audit may take, e.g. 90s, 10m, 1h; it does what fits and says what it left "
        "out (default: 10m)",
    )
    for name, what in (("mean", "means"), ("std", "standard deviations")):
        parser.add_argument(
            f"--{name}",
            type=finite_numbers,
            metavar="A,B,C",
            help=f"{what} per channel that the network's input is normalised with, for pixels in "
            "[0, 1]",
        )
    parser.add_argument(
        "--size",
        type=image_size,
        metavar="N|HxW",
        help="resize and crop the images to what the network takes (default: as they are)",
    )
    parser.add_argument(
        "--side",
        type=whole_number(16, 1024),
        default=64,
        metavar="N",
        help="images with a longer side are halved until it is no longer, and attacked and scored "
        "so (default: 64)",
    )
    parser.add_argument(
        "--scored",
        type=whole_number(2, 1000),
        default=20,
        metavar="N",
        help="images that are scored, a quarter of all at most (default: 20)",
    )
    parser.add_argument(
        "--seed",
        type=whole_number(0, 2**31 - 1),
        default=0,
        metavar="N",
        help="draws which images are scored (default: 0)",
    )
    parser.add_argument(
        "--max-ssim",
        type=fraction,
        metavar="X",
        help="the mean SSIM that a recommended cut may leak (default: 0.3, not recognisable)",
    )
    parser.add_argument(
        "--max-edge-macs",
        type=amount,
        metavar="N",
        help="multiply-adds that the edge can afford, e.g. 50M",
    )
    parser.add_argument(
        "--max-bytes", type=amount, metavar="N", help="bytes an image on the wire, e.g. 16k"
    )
    parser.add_argument(
        "--out",
        type=folder,
        default=Path("splitzoo-audit"),
        metavar="DIR",
        help="folder of the report (default: %(default)s)",
    )
    parser.add_argument(
        "--judge",
        metavar="NAME|FILE.py:BUILD",
        help="what reads labels off reconstructions: cifar10 or mnist, the judges of the zoo, or a "
        "classifier of your own for pixels in [0, 1]",
    )
    add_device(parser)
    parser.epilog = (
        "A part of the images is scored, and the adversaries hold the rest. White-box: the edge's\n"
        "weights. Black-box: answers to queries. Query-free, where sub-folders give labels: the\n"
        "cloud half alone. Interrupt it whenever you like: the same command goes on.\n\n"
        "  splitzoo audit net.py:build --images photos --mean 0.5,0.5,0.5 --std 0.25,0.25,0.25\n"
        "  splitzoo audit net.py:build --weights net.safetensors --images photos --at relu1,fc\n"
        "  splitzoo audit net.py:build --images photos --max-ssim 0.3 --max-edge-macs 50M"
    )


def image_size(text: str) -> tuple[int, int]:
    """An option's type: 32, or 224x160 for H×W."""
    found = re.fullmatch(r"([0-9]{1,5})(?:[x×]([0-9]{1,5}))?", text)
    if not found or not 11 <= int(found[1]) <= 4096 or not 11 <= int(found[2] or 11) <= 4096:
        raise ArgumentTypeError(f"{text!r} is no size from 11 to 4096, e.g. 32 or 224x160")
    return int(found[1]), int(found[2] or found[1])


def amount(text: str) -> int:
    """An option's type: a number above nought, with k, M or G for thousands, millions, billions."""
    found = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)([kKmMgG]?)", text)
    scale = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
    if found and (value := round(float(found[1]) * scale[found[2].lower()])):
        return value
    raise ArgumentTypeError(f"{text!r} is no number above nought, e.g. 4096, 16k, 50M")


def fraction(text: str) -> float:
    """An option's type: a number from 0 to 1."""
    if re.fullmatch(r"[0-9]*\.?[0-9]{1,9}", text) and float(text) <= 1:
        return float(text)
    raise ArgumentTypeError(f"{text!r} is no number from 0 to 1, e.g. 0.3")


def run(options: Namespace) -> int:
    from ..audit.judging import judge_of
    from ..audit.markdown import advice_of
    from ..audit.network import module_of, name_of
    from ..audit.reading import read_images
    from ..audit.record import Limits
    from ..audit.run import audit_module

    module = module_of(options.network, options.weights)
    images = read_images(options.images, size=options.size, side=options.side, seed=options.seed)
    audit = audit_module(
        module,
        images,
        options.out,
        at="all" if options.at == "all" else options.at and options.at.split(","),
        budget=options.budget,
        mean=options.mean,
        std=options.std,
        scored=options.scored,
        seed=options.seed,
        device=options.device,
        name=name_of(options.network, module),
        judge=judge_of(options.judge, images) if options.judge else None,
        limits=Limits(options.max_ssim, options.max_edge_macs, options.max_bytes),
    )
    print("\n".join(advice_of(audit)))
    print(f"\nreport: {options.out / 'report.html'}")
    return 0
