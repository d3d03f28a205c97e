"""Shadow models: an edge of one's own in place of the unseen one, then rMLE over it (§6, §7.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..zoo import shadow_edge
from .learned import Examples, LearnedAttack, ask_edge, query_pixels
from .rmle import RMLE
from .threat_model import Adversary, Capability, Setting


@dataclass(frozen=True, kw_only=True)
class EdgeReconstruction(LearnedAttack, RMLE):
    """What both ways to rebuild the edge share: its structure, and the inversion afterwards.

    Args:
        network, split: the target, whose name decides the structure that is tried where the
            setting does not grant the true one (Table 5).
    """

    TRAINING: ClassVar[tuple[str, ...]] = (*LearnedAttack.TRAINING, "network", "split")

    network: str
    split: str

    def architecture_in(self, setting: Setting) -> dict[str, str]:
        structure = "same_net" if setting.allows(Capability.STRUCTURE) else "diff_net"
        return {"shadow": f"{self.network}/{self.split}", "structure": structure}

    def build(self, adversary: Adversary) -> nn.Module:
        if adversary.setting.allows(Capability.STRUCTURE):
            return adversary.fresh_edge()
        return shadow_edge(self.network, self.split, "diff_net")

    def adopt(self, adversary: Adversary, network: nn.Module) -> tuple[nn.Module, tuple[int, ...]]:
        return network.to(memory_format=torch.channels_last), adversary.input_shape


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

    requires = frozenset({Capability.DATA})
    title = "Shadow model, rMLE"
    citation = "He, Zhang and Lee, ACSAC 2019, §6, Algorithm 3"
    TRAINING: ClassVar[tuple[str, ...]] = (*EdgeReconstruction.TRAINING, "init_gain")

    init_gain: float | None = None
    fit_scale: bool = False

    def build(self, adversary: Adversary) -> nn.Module:
        network = super().build(adversary)
        if self.init_gain is not None:
            for layer in network.modules():
                if isinstance(layer, nn.Conv2d | nn.Linear):
                    assert layer.bias is not None
                    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                    layer.weight.data.mul_(self.init_gain)
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

    requires = frozenset({Capability.QUERY})
    title = "Model reconstruction, rMLE"
    citation = "He, Zhang and Lee, ACSAC 2019, §7.3"
    TRAINING: ClassVar[tuple[str, ...]] = (*EdgeReconstruction.TRAINING, "noise_images")

    noise_images: int = 10_000

    def examples(self, adversary: Adversary, generator: torch.Generator) -> Examples:
        pixels = query_pixels(adversary, self.noise_images, generator)
        return ask_edge(adversary, pixels)

    def loss(self, network: nn.Module, pixels: Tensor, values: Tensor, cloud: nn.Module) -> Tensor:
        return F.mse_loss(network(pixels).float(), values.float())

    @torch.no_grad()
    def finish(self, network: nn.Module, examples: Examples) -> None:
        """Undo the features' scale in the last convolution, behind which is at most a ReLU."""
        last = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)][-1]
        for parameter in last.parameters():
            parameter.mul_(examples.scale)
