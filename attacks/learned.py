"""Attacks whose offline work is to train a network: one loop, resumable, for all of them."""

from __future__ import annotations

import hashlib
import math
import time
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, final

import torch
from torch import Tensor, nn

from ..zoo import Images, InputError
from ..zoo.averaging import Averaged
from ..zoo.content import tensors_digest
from ..zoo.fitting import fit
from ..zoo.pixels import as_floats
from ..zoo.precision import pick_precision
from ..zoo.recipe import cosine
from ..zoo.resume import Conditions
from .adversary import Adversary
from .base import Attack
from .settings import Setting


@dataclass(frozen=True)
class Examples:
    """What a network learns from: equally long tensors on the CPU.

    `pixels` is N×C×H×W, uint8 or float; `values` is what belongs to each image: its features
    divided by `scale` (half precision, to halve the memory) or its label.
    """

    pixels: Tensor
    values: Tensor
    scale: float = 1.0

    def __len__(self) -> int:
        return len(self.pixels)


@dataclass(frozen=True, kw_only=True)
class LearnedAttack(Attack):
    """An attack that trains a network offline, with what the setting grants.

    A subclass writes `build` (the untrained network), `examples` (what it learns from), `loss`
    and `adopt`. A network trained earlier, such as a published checkpoint, takes the place of
    the training through `prepare(adversary, network=...)`.

    Args:
        steps: optimiser steps, rounded up to whole epochs.
        batch_size: images a step.
        learning_rate: peak of Adam's step size, which falls to zero along a cosine.
        weight_decay: decoupled, as in AdamW; of weights, not of biases.
    """

    #: The fields that decide which network comes out; the others belong to the online work.
    TRAINING: ClassVar[tuple[str, ...]] = (
        "steps",
        "batch_size",
        "learning_rate",
        "weight_decay",
    )
    #: Template of the manifest name of its published networks, over {network}, {split} and the
    #: setting's {variant}; None where none are published.
    checkpoint: ClassVar[str | None] = None
    #: What its networks are: they map features to images ("inverse" where the paper's, "decoder"
    #: where others), or images to features ("shadow").
    kind: ClassVar[Literal["inverse", "decoder", "shadow"]] = "shadow"
    #: What it queries with where a setting grants no images.
    drawn: ClassVar[str] = "Gaussian noise"
    #: Decay of the running average of the weights that comes out of the training; 0 for the
    #: weights themselves.
    averaging: ClassVar[float] = 0.0
    #: How its weights are stored, and so rounded once it is trained.
    stored_as: ClassVar[torch.dtype] = torch.float32
    #: What makes its steps.
    optimizer: ClassVar[type[torch.optim.AdamW]] = torch.optim.AdamW
    #: Raised where the code changes which network comes out of the same fields.
    training_version: ClassVar[int] = 1
    brief: ClassVar[Mapping[str, Any]] = {"steps": 6, "batch_size": 8}

    steps: int = 6000
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.0

    def architecture(self, adversary: Adversary) -> dict[str, str]:
        """What the network is, as a record keeps it: the class that builds it, unless overridden.

        An attack that publishes networks says it as `zoo.loading.build` takes it.
        """
        return {"learned_by": type(self).__name__}

    @abstractmethod
    def build(self, adversary: Adversary) -> nn.Module:
        """The untrained network, drawn from torch's global generator."""

    @abstractmethod
    def examples(self, adversary: Adversary, generator: torch.Generator) -> Examples:
        """What the network learns from, gathered once."""

    def gather(
        self, adversary: Adversary, generator: torch.Generator, conditions: Conditions
    ) -> Examples:
        """`examples`, for an attack that trains other networks to have them: under `conditions`."""
        return self.examples(adversary, generator)

    @abstractmethod
    def loss(self, network: nn.Module, pixels: Tensor, values: Tensor, cloud: nn.Module) -> Tensor:
        """The objective on a batch on the adversary's device, pixels as floats in [0, 1]."""

    @abstractmethod
    def adopt(self, adversary: Adversary, network: nn.Module) -> Any:
        """The state of `online` from the trained network."""

    def begin(self, network: nn.Module, examples: Examples) -> None:
        """What to do to the network before it is trained; nothing, unless overridden."""

    def finish(self, network: nn.Module, examples: Examples) -> None:
        """What to do to the network once it is trained; nothing, unless overridden."""

    @classmethod
    def learner(cls) -> type[LearnedAttack]:
        """The attack whose network this one runs with; itself, unless overridden."""
        return cls

    @classmethod
    def trained_in(cls, setting: Setting) -> Setting:
        """The setting whose network serves in this one too; itself, unless overridden."""
        return setting

    def recipe(self) -> dict[str, Any]:
        """The values of the fields that decide which network comes out, and of the code's
        `training_version`."""
        fields = asdict(self)
        return {
            "training_version": self.training_version,
            **{name: fields[name] for name in self.TRAINING},
        }

    def offline(self, adversary: Adversary, generator: torch.Generator) -> Any:
        return self.adopt(adversary, self.train(adversary, seed=generator.initial_seed())[0])

    @final
    def train(
        self, adversary: Adversary, *, seed: int = 0, conditions: Conditions | None = None
    ) -> tuple[nn.Module, float]:
        """Train the network; return it frozen, on the adversary's device, and the seconds taken,
        those of drawing and asking what it learns from included.

        Without `conditions` it trains in what the device computes best and keeps no progress.

        Raises CapabilityError before any work where the setting grants less than is required.
        """
        self.check(adversary.setting)
        seed = self._own_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            network = self.build(adversary)
        network = network.to(adversary.device).to(memory_format=torch.channels_last).train()
        conditions = conditions or Conditions(pick_precision("auto", adversary.device))
        seconds = self._fit(network, adversary, seed, conditions)
        with torch.no_grad():
            for weight in network.parameters():
                weight.copy_(weight.to(self.stored_as))
        return network.eval().requires_grad_(False), seconds

    def _own_seed(self, seed: int) -> int:
        """A seed that no target was trained with.

        A shadow of the target's structure that drew the target's initial weights would know
        what no setting grants, and recover far more for it.
        """
        digest = hashlib.sha256(f"{self.learner().__name__} {seed}".encode()).digest()
        return int.from_bytes(digest[:4], "big")

    def _fit(
        self, network: nn.Module, adversary: Adversary, seed: int, conditions: Conditions
    ) -> float:
        began = time.perf_counter()
        examples = self.gather(adversary, torch.Generator().manual_seed(seed), conditions)
        gathered = time.perf_counter() - began
        if not len(examples):
            raise InputError(f"{self.title} has nothing to learn from: the setting holds no image")
        self.begin(network, examples)
        learning = Averaged(network, self.averaging) if self.averaging else None
        epochs = math.ceil(self.steps / math.ceil(len(examples) / self.batch_size))
        groups: list[dict[str, Any]] = [
            {
                "params": [p for p in network.parameters() if p.dim() > 1],
                "weight_decay": self.weight_decay,
            },
            {"params": [p for p in network.parameters() if p.dim() <= 1], "weight_decay": 0.0},
        ]
        seconds = fit(
            f"training {self.title}",
            learning or network,
            self.optimizer(groups, lr=self.learning_rate),
            count=len(examples),
            batch=lambda rows, _: (as_floats(examples.pixels[rows]), examples.values[rows]),
            loss=lambda pixels, values: self.loss(network, pixels, values, adversary.cloud),
            rate=lambda step, steps: self.learning_rate * cosine(step / (epochs * steps)),
            epochs=epochs,
            batch_size=self.batch_size,
            seed=seed,
            identity={
                "attack": self.learner().__name__,
                "setting": self.trained_in(adversary.setting).name,
                "features": adversary.feature_shape,
                "cloud": tensors_digest(adversary.cloud.state_dict()),
                "seed": seed,
                **self.recipe(),
            },
            conditions=conditions,
            device=adversary.device,
            after_step=learning.update if learning else lambda: None,
        )
        if learning:
            learning.hand_over()
        self.finish(network, examples)
        return gathered + seconds


def query_pixels(adversary: Adversary, count: int, generator: torch.Generator) -> Tensor:
    """The images X that a black-box adversary queries with (Algorithm 2, GenerateTrainingSet).

    Its own images where the setting grants any, as uint8; else `count` draws of Gaussian noise
    with zero mean and unit variance after normalisation, as floats (§5.1).
    """
    if adversary.holds_images:
        images: Images = adversary.data
        return images.pixels
    noise = torch.randn(count, *adversary.input_shape, generator=generator)
    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in adversary.normalisation)
    return noise * std + mean


def ask_edge(adversary: Adversary, pixels: Tensor, *, scaled: bool = True) -> Examples:
    """Every image with its features on the CPU, in half precision; each is queried once.

    Features are divided by their root mean square over the first 256 images: an edge's may be a
    hundred times larger than what networks are initialised for. Half precision keeps 11 bits,
    an error some 70 dB below the features. Unless `scaled`, they stay as they are, in float32.
    """
    kind = torch.float16 if scaled else torch.float32
    answers = torch.empty(len(pixels), *adversary.feature_shape, dtype=kind)
    scale = 0.0 if scaled else 1.0
    for start in range(0, len(pixels), 256):
        features = adversary.query(as_floats(pixels[start : start + 256])).cpu()
        scale = scale or features.square().mean().sqrt().item() or 1.0
        answers[start : start + 256] = (features / scale).to(kind)
    return Examples(pixels, answers, scale)
