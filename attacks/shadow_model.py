"""Shadow models: an edge of one's own in place of the unseen one, then rMLE over it (§6, §7.3)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..zoo import Half, derived_edge, shadow_edge
from ..zoo.shapes import shape_text
from .adversary import Adversary
from .layout import laid_out
from .learned import Examples, LearnedAttack, ask_edge, query_pixels
from .rmle import RMLE
from .settings import Capability


@dataclass(frozen=True, kw_only=True)
class EdgeReconstruction(LearnedAttack, RMLE):
    """What both ways to rebuild the edge share: its structure, and the inversion afterwards.

    Args:
        table5: "network/split" whose other structure of Table 5 is tried where the setting does
            not grant the true one; None derives a structure from the shapes.
    """

    TRAINING: ClassVar[tuple[str, ...]] = (*LearnedAttack.TRAINING, "table5")
    brief: ClassVar[Mapping[str, Any]] = {**LearnedAttack.brief, **RMLE.brief}

    table5: str | None = None

    def architecture(self, adversary: Adversary) -> dict[str, str]:
        if adversary.setting.allows(Capability.STRUCTURE):
            return adversary.structure
        if self.table5 is not None:
            return {"shadow": self.table5, "structure": "diff_net"}
        return {
            "derived_edge": shape_text(adversary.input_shape),
            "features": shape_text(adversary.feature_shape),
            "normalisation": json.dumps(adversary.normalisation),
        }

    def build(self, adversary: Adversary) -> nn.Module:
        if adversary.setting.allows(Capability.STRUCTURE):
            return adversary.fresh_edge()
        if self.table5 is not None:
            network, _, split = self.table5.partition("/")
            return shadow_edge(network, split, "diff_net")
        return derived_edge(adversary.input_shape, adversary.feature_shape, adversary.normalisation)

    def adopt(self, adversary: Adversary, network: nn.Module) -> tuple[nn.Module, tuple[int, ...]]:
        return laid_out(network, adversary.input_shape), adversary.input_shape


@dataclass(frozen=True, kw_only=True)
class ShadowModel(EdgeReconstruction):
    """Train an edge through the frozen cloud by cross-entropy (Eq. 6, Algorithm 3), then rMLE.

    No query is made: what ties the shadow to the true edge is that the cloud must be able to
    read its features. That leaves their scale open, and where the start decides it, a shadow's
    features may come out at a fiftieth of the true ones, which no image can make up for.

    Args:
        init_gain: times the weights of He et al. (2015), which keep the scale of a signal
            through layers of ReLU, as the shadow's start; None starts as PyTorch does, which
            at each layer divides a signal's variance by six.
        fit_scale: measure the distance of Eq. 3a from the best multiple of the shadow's
            features, ‖a·f′(x) - v‖² minimised over a ≥ 0 too. The paper has a = 1.
    """

    name = "shadow_model"
    requires = frozenset({Capability.DATA})
    title = "Shadow model"
    citation = "He, Zhang and Lee, ACSAC 2019, §6, Algorithm 3"
    TRAINING: ClassVar[tuple[str, ...]] = (*EdgeReconstruction.TRAINING, "init_gain")
    checkpoint = "{network}_shadow_{split}-{variant}"

    init_gain: float | None = None
    fit_scale: bool = False

    def build(self, adversary: Adversary) -> nn.Module:
        network = super().build(adversary)
        if self.init_gain is not None:
            for layer in network.modules():
                if isinstance(layer, nn.Conv2d | nn.Linear):
                    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                    layer.weight.data.mul_(self.init_gain)
                    if layer.bias is not None:
                        nn.init.zeros_(layer.bias)
        return network

    def objective(
        self, edge: nn.Module, variable: Tensor, images: Tensor, features: Tensor
    ) -> Tensor:
        if self.fit_scale:
            edge = _AtBestScale(edge, features)
        return super().objective(edge, variable, images, features)

    def examples(self, adversary: Adversary, generator: torch.Generator) -> Examples:
        return Examples(adversary.data.pixels, adversary.data.labels)

    def loss(self, network: nn.Module, pixels: Tensor, values: Tensor, cloud: nn.Module) -> Tensor:
        return F.cross_entropy(cloud(network(pixels)).float(), values)


class _AtBestScale(nn.Module):
    """An edge times the factor a ≥ 0, of each image, that brings it closest to given features."""

    def __init__(self, edge: nn.Module, features: Tensor) -> None:
        super().__init__()
        self.edge, self.features = edge, features

    def forward(self, images: Tensor) -> Tensor:
        reached: Tensor = self.edge(images)
        # At the best factor the distance does not change with it: no gradient goes there.
        with torch.no_grad():
            alike = (reached * self.features).flatten(1).sum(1)
            factor = (alike / reached.square().flatten(1).sum(1).clamp_min(1e-12)).clamp_min(0)
        return reached * factor.view(-1, *[1] * (reached.dim() - 1))


@dataclass(frozen=True, kw_only=True)
class ModelReconstruction(EdgeReconstruction):
    """Fit an edge to queried features, then rMLE: the other black-box attack of §7.3, Table 8.

    The paper gives no loss; here it is the mean squared error of the features, the regression
    whose inverse Eq. 4 is.

    Args:
        noise_images: queries to make where the setting grants no images.
    """

    name = "model_reconstruction"
    requires = frozenset({Capability.QUERY})
    title = "Model reconstruction"
    citation = "He, Zhang and Lee, ACSAC 2019, §7.3"
    TRAINING: ClassVar[tuple[str, ...]] = (*EdgeReconstruction.TRAINING, "noise_images")
    checkpoint = "{network}_shadow_{split}-queried_{variant}"
    brief: ClassVar[Mapping[str, Any]] = {**EdgeReconstruction.brief, "noise_images": 24}

    noise_images: int = 10_000

    def examples(self, adversary: Adversary, generator: torch.Generator) -> Examples:
        pixels = query_pixels(adversary, self.noise_images, generator)
        with torch.random.fork_rng(devices=[]):
            scaled = _last_scaling(self.build(adversary)) is not None
        return ask_edge(adversary, pixels, scaled=scaled)

    def loss(self, network: nn.Module, pixels: Tensor, values: Tensor, cloud: nn.Module) -> Tensor:
        return F.mse_loss(network(pixels).float(), values.float())

    @torch.no_grad()
    def finish(self, network: nn.Module, examples: Examples) -> None:
        """Undo the features' scale in the last layer that has weights."""
        last = _last_scaling(network)
        if last is not None:
            for parameter in last.parameters():
                parameter.mul_(examples.scale)

    def own_features(self, adversary: Adversary, state: Any, images: Tensor) -> Tensor:
        return adversary.query(images)


def _last_scaling(edge: nn.Module) -> nn.Module | None:
    """The layer whose weights scale the features: the last of a chain, if nothing behind it minds
    the scale. None where there is none such, and then features are fitted as they are."""
    if not isinstance(edge, Half):
        return None
    for layer in reversed(list(edge.children())):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            return layer
        if not isinstance(layer, nn.ReLU | nn.MaxPool2d | nn.Flatten):
            return None
    return None
