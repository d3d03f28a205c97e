"""The judge of each data set: an independent classifier that says what an image still shows.

A reconstruction carries its secret's label where the judge, which shares neither architecture
nor weights with the attacked network, reads that label off it. The architecture is a small
residual-free network of the kind that trains fast: a fixed whitening convolution over 2×2
patches (Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024, §3), then blocks of
two 3×3 convolutions with batch normalisation, and logits averaged over the image and its mirror
where the data set's classes have no handedness.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .checks import check_images
from .data import load_dataset
from .dataset import get_dataset
from .errors import UnknownNameError
from .fitting import fit_classifier
from .portable import Portable
from .recipe import OneCycleRecipe
from .resume import Conditions
from .target import Normalize


@dataclass(frozen=True)
class JudgeDesign:
    """What a judge looks at, and how wide its blocks are."""

    dataset: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    widths: tuple[int, ...]

    @property
    def title(self) -> str:
        """What a page calls it."""
        return f"{get_dataset(self.dataset).title} judge"


JUDGES = {
    "mnist": JudgeDesign(
        dataset="mnist",
        mean=(0.1307,),
        std=(0.3081,),
        widths=(32, 64, 64),
    ),
    "cifar10": JudgeDesign(
        dataset="cifar10",
        mean=(0.4914, 0.4822, 0.4465),
        std=(0.2470, 0.2435, 0.2616),
        widths=(64, 256, 256),
    ),
}


class Judge(Portable, nn.Module):
    """Images N×C×H×W, float32 in [0, 1] -> logits N×classes. Raises InputError on anything else."""

    def __init__(self, design: JudgeDesign) -> None:
        super().__init__()
        dataset = get_dataset(design.dataset)
        self.input_shape = dataset.shape
        self.mirrored = dataset.mirrored
        channels = dataset.shape[0]
        self.normalize = Normalize(design.mean, design.std)
        self.whiten = nn.Conv2d(channels, 8 * channels, 2)
        self.whiten.weight.requires_grad_(False)
        blocks: list[nn.Module] = []
        width = 8 * channels
        for wider in design.widths:
            blocks += [
                nn.Conv2d(width, wider, 3, padding=1, bias=False),
                nn.MaxPool2d(2),
                nn.BatchNorm2d(wider),
                nn.ReLU(),
                nn.Conv2d(wider, wider, 3, padding=1, bias=False),
                nn.BatchNorm2d(wider),
                nn.ReLU(),
            ]
            width = wider
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(width, dataset.classes)

    def forward(self, images: Tensor) -> Tensor:
        check_images(images, self.input_shape)
        if self.mirrored and not self.training:
            return self.logits(images) + self.logits(images.flip(-1))
        return self.logits(images)

    def logits(self, images: Tensor) -> Tensor:
        """One look at the images, as they are, unchecked."""
        values = self.blocks(F.relu(self.whiten(self.normalize(images))))
        pooled: Tensor = self.head(values.amax((2, 3))) / 8
        return pooled

    @torch.no_grad()
    def fit_whitening(self, images: Tensor) -> None:
        """Set the first convolution to the principal directions of 2×2 patches, each at unit
        variance, and to their negatives."""
        normalized = self.normalize(images)
        patches = F.unfold(normalized, 2).transpose(1, 2).flatten(0, 1).double()
        values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
        filters = (vectors / (values + 5e-4).sqrt()).T.reshape(-1, images.shape[1], 2, 2)
        self.whiten.weight.copy_(torch.cat([filters, -filters]))


def get_judge_design(dataset: str) -> JudgeDesign:
    """The judge's design for that data set; UnknownNameError lists the known ones."""
    try:
        return JUDGES[dataset]
    except KeyError:
        raise UnknownNameError("data set", dataset, JUDGES) from None


@dataclass(frozen=True)
class JudgeRecipe(OneCycleRecipe):
    """How a judge is trained; the whitening is fitted to the first images of the training part."""

    whitening_images: int = 5000


JUDGE_RECIPES = {
    "mnist": JudgeRecipe(epochs=8),
    "cifar10": JudgeRecipe(epochs=12, flip=True),
}


def train_judge(
    dataset: str,
    *,
    device: torch.device,
    conditions: Conditions,
    recipe: JudgeRecipe | None = None,
) -> tuple[Judge, float]:
    """Train the judge of a data set on its training part; return it in eval mode, and seconds.

    Resumable like `train_target`. The seed differs from the targets'.
    """
    design = get_judge_design(dataset)
    recipe = recipe or JUDGE_RECIPES[dataset]
    data = load_dataset(dataset, "train")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(recipe.seed)
        judge = Judge(design)
    judge.fit_whitening(data.subset(torch.arange(recipe.whitening_images)).floats())
    seconds = fit_classifier(
        f"training {design.title}",
        judge,
        judge.logits,
        data,
        recipe,
        identity={"judge": dataset},
        conditions=conditions,
        device=device,
    )
    return judge, seconds
