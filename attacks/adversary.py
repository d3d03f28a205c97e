"""What an adversary holds and may do, enforced (paper §3.1, Table 1)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

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
    reseed,
)
from .settings import Capability, Setting


@dataclass(frozen=True)
class Grant:
    """What a setting grants of a target, as a value that can be sent to another process.

    Attributes:
        setting: the threat model.
        cloud: f_θ2, always the adversary's.
        edge: f_θ1 with its parameters; None where the setting does not grant them.
        fresh_edge: builds an untrained edge of the right structure; None likewise.
        structure: what `fresh_edge` builds, as a record keeps it.
        input_shape, feature_shape, num_classes: public facts of the protocol.
        normalisation: mean and standard deviation per channel, part of the public protocol.
    """

    setting: Setting
    cloud: nn.Module
    edge: nn.Module | None
    fresh_edge: Callable[[], nn.Module] | None
    structure: Mapping[str, str]
    input_shape: tuple[int, ...]
    feature_shape: tuple[int, ...]
    num_classes: int
    normalisation: tuple[tuple[float, ...], tuple[float, ...]]


def grant(
    setting: Setting,
    target: Target,
    *,
    fresh_edge: Callable[[], nn.Module] | None = None,
    structure: Mapping[str, str] | None = None,
) -> Grant:
    """What `setting` grants of `target`, in frozen copies on the target's device.

    Args:
        fresh_edge: builds an untrained edge of the right structure on the CPU; the target's own,
            drawn anew, by default.
        structure: what `fresh_edge` builds, as a record keeps it.
    """
    if fresh_edge is None:
        with torch.random.fork_rng(devices=[]):
            fresh_edge = partial(fresh_copy, fresh_copy(_frozen(target.edge)))
    return Grant(
        setting,
        cloud=_frozen(target.cloud),
        edge=_frozen(target.edge) if setting.allows(Capability.EDGE) else None,
        fresh_edge=fresh_edge if setting.allows(Capability.STRUCTURE) else None,
        structure=dict(structure or {"structure": "the target's own"}),
        input_shape=target.input_shape,
        feature_shape=target.feature_shape,
        num_classes=target.num_classes,
        normalisation=target.normalisation,
    )


def oracle(target: Target) -> Callable[[Tensor], Tensor]:
    """What answers an adversary's queries: a copy of the edge that takes any finite images."""
    return _unchecked(_frozen(target.edge))


class Adversary:
    """Everything that a setting lets the untrusted cloud use, and nothing else.

    Asking for what is not granted raises CapabilityError. What is handed out is a frozen copy,
    so an attack can neither change the target nor leave a gradient in it.

    Args:
        data: the images that Capability.DATA stands for, or what loads them when first asked for.
        fresh_edge, structure: as `grant` takes them.

    Attributes:
        setting, cloud, structure, input_shape, feature_shape, num_classes, normalisation: as in
            `Grant`.
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
        device = pick_device(device)
        granted = grant(setting, target, fresh_edge=fresh_edge, structure=structure)
        self._hold(granted, device, _unchecked(_frozen(target.edge)).to(device), data)

    @classmethod
    def granted(
        cls,
        granted: Grant,
        *,
        device: torch.device,
        answer: Callable[[Tensor], Tensor],
        data: Callable[[], Images],
    ) -> Adversary:
        """One that holds a grant and no more: `answer` asks the victim's edge, wherever it is."""
        adversary = cls.__new__(cls)
        adversary._hold(granted, device, answer, data)
        return adversary

    def _hold(
        self,
        granted: Grant,
        device: torch.device,
        answer: Callable[[Tensor], Tensor],
        data: Images | Callable[[], Images] | None,
    ) -> None:
        self.setting = granted.setting
        self.device = device
        self.structure = dict(granted.structure)
        self.input_shape = granted.input_shape
        self.feature_shape = granted.feature_shape
        self.num_classes = granted.num_classes
        self.normalisation = granted.normalisation
        self.queries = 0
        self.cloud = granted.cloud.to(device)
        self._edge = None if granted.edge is None else _unchecked(granted.edge.to(device))
        self._fresh_edge = granted.fresh_edge
        self._answer = answer if self._edge is None else self._edge
        self._data = data

    @property
    def edge(self) -> nn.Module:
        """f_θ1 with its parameters: images N×C×H×W -> features. Needs Capability.EDGE."""
        self._need(Capability.EDGE)
        assert self._edge is not None
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
        return self._answer(images.to(self.device))

    def fresh_edge(self) -> nn.Module:
        """An untrained edge of the right structure, on the CPU. Needs Capability.STRUCTURE."""
        self._need(Capability.STRUCTURE)
        assert self._fresh_edge is not None
        return _unchecked(self._fresh_edge())

    def _need(self, capability: Capability) -> None:
        if not self.setting.allows(capability):
            granted = ", ".join(sorted(grant.value for grant in self.setting.grants)) or "nothing"
            raise CapabilityError(
                f"{self.setting.name} does not grant {capability.value}; it grants {granted}"
            )


def _frozen(module: nn.Module) -> nn.Module:
    """A copy that holds no gradient, and not the victim's source of noise either."""
    twin = copy.deepcopy(module).eval().requires_grad_(False)
    reseed(twin, 1)
    return twin


def _unchecked(edge: nn.Module) -> nn.Module:
    """An edge that answers images outside [0, 1] too: noise, or a descent on its way."""
    if isinstance(edge, Half):
        edge.pixels = False
    return edge
