"""The judge of each data set: an independent classifier that says what an image still shows.

A reconstruction carries its secret's label where the judge, which shares neither architecture
nor weights with the attacked network, reads that label off it. The architecture is a small
residual-free network of the kind that trains fast: a fixed whitening convolution over 2×2
patches (Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024, §3), then blocks of
two 3×3 convolutions with batch normalisation, and logits averaged over the image and its mirror
where the data set's classes have no handedness.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .data import load_dataset
from .errors import UnknownNameError
from .precision import autocast
from .resume import Conditions, epoch_generator, run_epochs
from .split import Normalize, check_images


@dataclass(frozen=True)
class JudgeDesign:
    """What a judge looks at, and how wide its blocks are."""

    dataset: str
    title: str
    input_shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    widths: tuple[int, ...]
    mirrored: bool


JUDGES = {
    "mnist": JudgeDesign(
        dataset="mnist",
        title="MNIST judge",
        input_shape=(1, 28, 28),
        mean=(0.1307,),
        std=(0.3081,),
        widths=(32, 64, 64),
        mirrored=False,
    ),
    "cifar10": JudgeDesign(
        dataset="cifar10",
        title="CIFAR-10 judge",
        input_shape=(3, 32, 32),
        mean=(0.4914, 0.4822, 0.4465),
        std=(0.2470, 0.2435, 0.2616),
        widths=(64, 256, 256),
        mirrored=True,
    ),
}


class Judge(nn.Module):
    """Images N×C×H×W, float32 in [0, 1] -> logits N×10. Raises InputError on anything else."""

    def __init__(self, design: JudgeDesign) -> None:
        super().__init__()
        self.input_shape = design.input_shape
        self.mirrored = design.mirrored
        channels = design.input_shape[0]
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
        self.head = nn.Linear(width, 10)

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
class JudgeRecipe:
    """How a judge is trained: SGD with Nesterov momentum, one warm-up and one linear decay."""

    epochs: int
    batch_size: int = 256
    learning_rate: float = 0.2
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    warm_up: float = 0.2
    shift: int = 2
    flip: bool = False
    whitening_images: int = 5000
    seed: int = 1


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
        torch.manual_seed(recipe.seed)
        judge = Judge(design)
    judge.fit_whitening(data.subset(torch.arange(recipe.whitening_images)).floats())
    judge.to(device).to(memory_format=torch.channels_last).train()
    trained = [parameter for parameter in judge.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(
        trained,
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=True,
    )
    steps = math.ceil(len(data) / recipe.batch_size)

    def train_epoch(epoch: int, step_done: Callable[[], object]) -> float:
        generator = epoch_generator(recipe.seed, epoch)
        total = torch.zeros((), device=device)
        order = torch.randperm(len(data), generator=generator)
        for step, indices in enumerate(order.split(recipe.batch_size), start=epoch * steps):
            optimizer.param_groups[0]["lr"] = recipe.learning_rate * _triangle(
                step / (recipe.epochs * steps), recipe.warm_up
            )
            batch = data.subset(indices)
            images = _shifted(batch.floats(), recipe.shift, recipe.flip, generator)
            with autocast(device, conditions.precision):
                logits = judge.logits(images.to(device, memory_format=torch.channels_last))
            loss = F.cross_entropy(
                logits.float(), batch.labels.to(device), label_smoothing=recipe.label_smoothing
            )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total += loss.detach()
            step_done()
        return total.item() / steps

    seconds = run_epochs(
        f"training {design.title}",
        judge,
        optimizer,
        train_epoch,
        epochs=recipe.epochs,
        steps=steps,
        identity={"judge": dataset, **asdict(recipe)},
        conditions=conditions,
    )
    return judge.eval(), seconds


def _triangle(done: float, warm_up: float) -> float:
    """Share of the peak step size: from 0 up to 1 at `warm_up`, and down to 0 at the end."""
    return done / warm_up if done < warm_up else (1 - done) / (1 - warm_up)


def _shifted(images: Tensor, most: int, flip: bool, generator: torch.Generator) -> Tensor:
    """Each image moved by up to `most` whole pixels a side, edges mirrored in; half flipped."""
    count, _, height, width = images.shape
    padded = F.pad(images, (most, most, most, most), mode="reflect")
    down, right = torch.randint(2 * most + 1, (2, count, 1), generator=generator)
    rows, columns = down + torch.arange(height), right + torch.arange(width)
    if flip:
        mirrored = torch.rand(count, 1, generator=generator) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    each = torch.arange(count).view(-1, 1, 1)
    moved = padded.permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2)
