"""What an adversary may know and do, as a value (paper §3.1, Table 1)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
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


#: Whoever holds the edge's parameters holds its structure, and answers its own queries.
_IMPLIED = {Capability.EDGE: frozenset({Capability.STRUCTURE, Capability.QUERY})}


@dataclass(frozen=True)
class Setting:
    """A threat model: a name and the capabilities that it grants.

    Attributes:
        name: e.g. "query_free_same_set_same_net".
        family: the row of Table 7 that it belongs to, e.g. "query_free".
        title, section: how the paper calls it, and where.
        grants: the capabilities of Table 1.
        images: which images Capability.DATA stands for, "training_set" (the target's own) or
            "same_distribution" (others like them); None where it is not granted.
    """

    name: str
    family: str
    title: str
    section: str
    grants: frozenset[Capability]
    images: str | None = None

    def __post_init__(self) -> None:
        if (self.images is not None) != (Capability.DATA in self.grants):
            raise ValueError(f"{self.name}: say which images Capability.DATA stands for")

    def allows(self, capability: Capability) -> bool:
        """Whether the capability is granted, or follows from one that is."""
        implied = (_IMPLIED.get(grant, frozenset()) for grant in self.grants)
        return capability in self.grants.union(*implied)

    def missing(self, required: Iterable[Capability]) -> list[str]:
        """What of `required` is not allowed, in words; empty where all of it is."""
        return sorted(each.value for each in required if not self.allows(each))


FAMILIES = {"white_box": "White-box", "black_box": "Black-box", "query_free": "Query-free"}
_IMAGES = {"same": "training_set", "diff": "same_distribution"}


def _query_free(images: str, net: str) -> Setting:
    structure = {Capability.STRUCTURE} if net == "same" else set()
    return Setting(
        f"query_free_{images}_set_{net}_net",
        "query_free",
        f"Query-free, {images} set, {net} net",
        "§6",
        frozenset({Capability.DATA, *structure}),
        _IMAGES[images],
    )


SETTINGS = {
    setting.name: setting
    for setting in (
        Setting(
            "white_box",
            "white_box",
            "White-box",
            "§4",
            frozenset({Capability.EDGE, Capability.STRUCTURE}),
        ),
        Setting(
            "black_box_same_set",
            "black_box",
            "Black-box, same set",
            "§5",
            frozenset({Capability.QUERY, Capability.DATA}),
            "training_set",
        ),
        Setting(
            "black_box_same_dist",
            "black_box",
            "Black-box, same distribution",
            "§5",
            frozenset({Capability.QUERY, Capability.DATA}),
            "same_distribution",
        ),
        Setting(
            "black_box_rand_set",
            "black_box",
            "Black-box, random set",
            "§5",
            frozenset({Capability.QUERY}),
        ),
        _query_free("same", "same"),
        _query_free("diff", "same"),
        _query_free("same", "diff"),
        _query_free("diff", "diff"),
    )
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
        normalisation: mean and standard deviation per channel, part of the public protocol.
        queries: number of images sent to the victim's edge so far.
        device: where tensors are expected and returned.
    """

    def __init__(
        self,
        setting: Setting,
        target: SplitModel,
        *,
        device: torch.device,
        data: Callable[[], Images] | None = None,
        fresh_edge: Callable[[], nn.Module] | None = None,
    ) -> None:
        self.setting = setting
        self.device = device
        self.input_shape = target.input_shape
        self.feature_shape = target.feature_shape
        self.num_classes = target.num_classes
        self.normalisation = target.normalisation
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
        return self._data()

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
        """An untrained edge of the right structure. Needs Capability.STRUCTURE."""
        self._need(Capability.STRUCTURE)
        if self._fresh_edge is None:
            raise CapabilityError(
                f"{self.setting.name} grants the structure, but none was supplied"
            )
        return self._fresh_edge().to(self.device)

    def _need(self, capability: Capability) -> None:
        if not self.setting.allows(capability):
            granted = ", ".join(sorted(grant.value for grant in self.setting.grants)) or "nothing"
            raise CapabilityError(
                f"{self.setting.name} does not grant {capability.value}; it grants {granted}"
            )


def _frozen(module: nn.Module, device: torch.device) -> nn.Module:
    return copy.deepcopy(module).to(device).eval().requires_grad_(False)
