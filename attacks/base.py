"""What every attack is, and the contract that none can forget."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
from torch import Tensor, nn

from ..zoo import CapabilityError, ContractError, InputError, check_features, check_images
from .threat_model import Adversary, Capability, Setting


@dataclass(frozen=True, kw_only=True)
class Attack(ABC):
    """An attack is a frozen dataclass: its fields are its hyperparameters.

    A subclass states what it `requires`, its `title` and `citation`, and writes `offline` (once
    for a target) and `online` (for a batch of features). Callers use `prepare`, and then
    `reconstruct` of what it returns; both are sealed, so that capabilities, shapes, range,
    finiteness and seeds are checked for every attack alike.
    """

    requires: ClassVar[frozenset[Capability]]
    title: ClassVar[str]
    citation: ClassVar[str]
    #: Raised where the code recovers something else from the same fields and seed. Stored
    #: results name it, and a golden run holds each attack to it.
    version: ClassVar[int] = 1

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "prepare" in vars(cls):
            raise TypeError(f"{cls.__name__} may not override prepare: write offline and online")

    @final
    def prepare(
        self, adversary: Adversary, *, seed: int = 0, network: nn.Module | None = None
    ) -> PreparedAttack:
        """Do the offline work with what `adversary` grants.

        Args:
            network: what an earlier training of this attack returned, to take instead of
                training again; only for an attack that learns.

        Raises CapabilityError before any work where the setting grants less than is required.
        """
        self.check(adversary.setting)
        if network is None:
            generator = torch.Generator(adversary.device).manual_seed(seed)
            state = self.offline(adversary, generator)
        else:
            state = self.adopt(adversary, network.to(adversary.device))
        return PreparedAttack(self, state, adversary, seed)

    @final
    def check(self, setting: Setting) -> None:
        """Raise CapabilityError if `setting` does not allow all that the attack requires."""
        missing = setting.missing(self.requires)
        if missing:
            raise CapabilityError(
                f"{type(self).__name__} requires {', '.join(missing)}, which {setting.name} does "
                "not grant; run it in a setting that does"
            )

    def adopt(self, adversary: Adversary, network: nn.Module) -> Any:
        """The state of `online` from a network that was trained earlier."""
        raise ContractError(f"{type(self).__name__} learns no network that it could be given")

    def offline(self, adversary: Adversary, generator: torch.Generator) -> Any:
        """Whatever `online` needs: the edge itself, a trained Inverse-Network, a shadow edge."""
        return None

    @abstractmethod
    def online(self, state: Any, features: Tensor, generator: torch.Generator) -> Tensor:
        """Recover images from their features.

        Args:
            state: what `offline` returned.
            features: N×feature shape, on the adversary's device.
            generator: seeded; draw so that image i does not depend on who shares its batch.

        Returns:
            N×C×H×W, float32 in [0, 1], on the same device.
        """


@final
class PreparedAttack:
    """An attack whose offline work is done."""

    def __init__(self, attack: Attack, state: Any, adversary: Adversary, seed: int) -> None:
        self.attack = attack
        self._state = state
        self._adversary = adversary
        self._seed = seed

    def reconstruct(self, features: Tensor) -> Tensor:
        """Features N×feature shape -> images N×C×H×W, float32 in [0, 1].

        Raises InputError for features of another split or not finite, and ContractError where
        the attack breaks its promise on shape, type, device, range or finiteness.
        """
        adversary = self._adversary
        check_features(features, adversary.feature_shape)
        generator = torch.Generator(adversary.device).manual_seed(self._seed)
        with torch.enable_grad():
            images = self.attack.online(
                self._state, features.detach().to(adversary.device), generator
            )
        name = type(self.attack).__name__
        try:
            check_images(images, adversary.input_shape, f"the images that {name} returned")
        except InputError as error:
            raise ContractError(str(error)) from None
        if len(images) != len(features) or images.dtype != torch.float32:
            raise ContractError(
                f"{name} returned {len(images)} images of {images.dtype} for {len(features)} "
                "features; return one float32 image for each"
            )
        if images.device.type != adversary.device.type:
            raise ContractError(
                f"{name} returned images on {images.device}, not {adversary.device}"
            )
        return images.detach()
