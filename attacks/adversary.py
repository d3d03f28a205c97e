"""What an adversary holds and may do, enforced (paper §3.1, Table 1)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from ..zoo import (
    CapabilityError,
    Half,
    Images,
    Target,
    check_features,
    fresh_copy,
    pick_device,
)
from .settings import Capability, Setting


class Adversary:
    """Everything that a setting lets the untrusted cloud use, and nothing else.

    Asking for what is not granted raises CapabilityError. What is handed out is a frozen copy,
    so an attack can neither change the target nor leave a gradient in it.

    Args:
        data: the images that Capability.DATA stands for, or what loads them when first asked for.
        fresh_edge: builds an untrained edge of the right structure; the target's own, drawn anew,
            by default.
        structure: what `fresh_edge` builds, as a record keeps it; empty where none need be kept.

    Attributes:
        setting: the threat model.
        cloud: f_θ2, always the adversary's.
        input_shape, feature_shape, num_classes: public facts of the protocol.
        normalisation: mean and standard deviation per channel, part of the public protocol.
        queries: number of images sent to the victim's edge so far.
        device: where tensors are expected and returned.
    """

    def __init__(
        self,
        setting: Setting,
        target: Target,
        *,
        device: str | torch.device = "cpu",
        data: Images | Callable[[], Images] | None = None,
        fresh_edge: Callable[[], nn.Module] | None = None,
        structure: Mapping[str, str] | None = None,
    ) -> None:
        self.setting = setting
        self.device = device = pick_device(device)
        self.structure = dict(structure or {"structure": "the target's own"})
        self.input_shape = target.input_shape
        self.feature_shape = target.feature_shape
        self.num_classes = target.num_classes
        self.normalisation = target.normalisation
        self.queries = 0
        self.cloud = _frozen(target.cloud, device)
        self._edge = _unchecked(_frozen(target.edge, device))
        self._data = data
        self._fresh_edge = fresh_edge or (lambda: fresh_copy(self._edge))

    @property
    def edge(self) -> nn.Module:
        """f_θ1 with its parameters: images N×C×H×W -> features. Needs Capability.EDGE."""
        self._need(Capability.EDGE)
        return self._edge

    @property
    def data(self) -> Images:
        """The adversary's own labelled images. Needs Capability.DATA."""
        self._need(Capability.DATA)
        if self._data is None:
            raise CapabilityError(f"{self.setting.name} grants images, but none were supplied")
        return self._data if isinstance(self._data, Images) else self._data()

    @property
    def holds_images(self) -> bool:
        """Whether `data` may be asked for."""
        return self.setting.allows(Capability.DATA)

    @torch.no_grad()
    def query(self, images: Tensor) -> Tensor:
        """f_θ1(images), every image counted. Needs Capability.QUERY.

        Whoever holds the edge asks its own copy, and that is not counted. Any finite N×C×H×W is
        answered, also outside [0, 1]: §5 queries with Gaussian noise.
        """
        self._need(Capability.QUERY)
        check_features(images, self.input_shape, "queried images")
        if not self.setting.allows(Capability.EDGE):
            self.queries += len(images)
        features: Tensor = self._edge(images.to(self.device))
        return features

    def fresh_edge(self) -> nn.Module:
        """An untrained edge of the right structure, on the CPU. Needs Capability.STRUCTURE."""
        self._need(Capability.STRUCTURE)
        return _unchecked(self._fresh_edge())

    def _need(self, capability: Capability) -> None:
        if not self.setting.allows(capability):
            granted = ", ".join(sorted(grant.value for grant in self.setting.grants)) or "nothing"
            raise CapabilityError(
                f"{self.setting.name} does not grant {capability.value}; it grants {granted}"
            )


def _frozen(module: nn.Module, device: torch.device) -> nn.Module:
    """A copy that holds no gradient, and not the victim's source of noise either."""
    twin = copy.deepcopy(module).to(device).eval().requires_grad_(False)
    for layer in twin.modules():
        if hasattr(layer, "reseed"):
            cast(Any, layer).reseed(1)  # a victim's is 0
    return twin


def _unchecked(edge: nn.Module) -> nn.Module:
    """An edge that answers images outside [0, 1] too: noise, or a descent on its way."""
    if isinstance(edge, Half):
        edge.pixels = False
    return edge
