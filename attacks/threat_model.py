"""What an adversary may know and do, as a value (paper §3.1, Table 1)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor, nn

from ..zoo import CapabilityError, Images, SplitModel, UnknownNameError, check_features


class Capability(Enum):
    """One column of Table 1. The cloud half f_θ2 and v = f_θ1(x) are always the adversary's."""

    EDGE = "the edge's parameters"
    STRUCTURE = "the edge's structure"
    QUERY = "queries to the edge"
    DATA = "labelled images of the training distribution"


@dataclass(frozen=True)
class Setting:
    """A threat model: a name and the capabilities that it grants."""

    name: str
    title: str
    section: str
    grants: frozenset[Capability]


SETTINGS = {
    "white_box": Setting(
        "white_box", "White-box", "§4", frozenset({Capability.EDGE, Capability.STRUCTURE})
    ),
}


def get_setting(name: str) -> Setting:
    """The setting of that name; UnknownNameError lists the known ones."""
    try:
        return SETTINGS[name]
    except KeyError:
        raise UnknownNameError("setting", name, SETTINGS) from None


class Adversary:
    """Everything that a setting lets the untrusted cloud use, and nothing else.

    Asking for what is not granted raises CapabilityError. What is handed out is a frozen copy,
    so an attack can neither change the target nor leave a gradient in it.

    Attributes:
        setting: the threat model.
        cloud: f_θ2, always the adversary's.
        input_shape, feature_shape, num_classes: public facts of the protocol.
        queries: number of images sent to the edge so far.
        device: where tensors are expected and returned.
    """

    def __init__(
        self,
        setting: Setting,
        target: SplitModel,
        *,
        device: torch.device,
        data: Images | None = None,
        fresh_edge: Callable[[], nn.Module] | None = None,
    ) -> None:
        self.setting = setting
        self.device = device
        self.input_shape = target.input_shape
        self.feature_shape = target.feature_shape
        self.num_classes = target.num_classes
        self.queries = 0
        self.cloud = _frozen(target.cloud, device)
        self._edge = _frozen(target.edge, device)
        self._data = data
        self._fresh_edge = fresh_edge

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
        return self._data

    @torch.no_grad()
    def query(self, images: Tensor) -> Tensor:
        """f_θ1(images), every image counted. Needs Capability.QUERY.

        Any finite N×C×H×W is answered, also outside [0, 1]: §5 queries with Gaussian noise.
        """
        self._need(Capability.QUERY)
        check_features(images, self.input_shape, "queried images")
        self.queries += len(images)
        features: Tensor = self._edge(images.to(self.device))
        return features

    def fresh_edge(self) -> nn.Module:
        """An untrained edge of the right structure. Needs Capability.STRUCTURE."""
        self._need(Capability.STRUCTURE)
        if self._fresh_edge is None:
            raise CapabilityError(
                f"{self.setting.name} grants the structure, but none was supplied"
            )
        return self._fresh_edge().to(self.device)

    def _need(self, capability: Capability) -> None:
        if capability not in self.setting.grants:
            granted = ", ".join(sorted(grant.value for grant in self.setting.grants)) or "nothing"
            raise CapabilityError(
                f"{self.setting.name} does not grant {capability.value}; it grants {granted}"
            )


def _frozen(module: nn.Module, device: torch.device) -> nn.Module:
    return copy.deepcopy(module).to(device).eval().requires_grad_(False)
