"""What every attack is, and the contract that none can forget."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, final

import torch
from torch import Tensor, nn

from ..zoo import CapabilityError, ContractError, InputError, check_features, check_images
from .adversary import Adversary
from .draws import Draws
from .settings import Capability, Setting

Self = TypeVar("Self", bound="Attack")


@dataclass(frozen=True, kw_only=True)
class Attack(ABC):
    """An attack is a frozen dataclass: its fields are its hyperparameters.

    A subclass states its `name`, what it `requires`, its `title` and `citation`, and writes
    `offline` (once for a target) and `online` (for a batch of features). Callers use `prepare`,
    and then `reconstruct` of what it returns; both are sealed, so that capabilities, shapes,
    range, finiteness and seeds are checked for every attack alike.
    """

    #: What the catalogue and the command call it; a file in `attacks/` with one is found by itself.
    name: ClassVar[str] = ""
    requires: ClassVar[frozenset[Capability]]
    title: ClassVar[str]
    citation: ClassVar[str]
    #: Whether it looks at no feature: a row to hold the others against, with nothing to picture.
    baseline: ClassVar[bool] = False
    #: Raised where the code recovers something else from the same fields and seed. Stored
    #: results name it, and a golden run holds each attack to it.
    version: ClassVar[int] = 1
    #: Fields with which a trial on a tiny target is short; `splitzoo check` takes them.
    brief: ClassVar[Mapping[str, Any]] = {}

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
            state = self.offline(adversary, torch.Generator().manual_seed(seed))
        else:
            state = self.adopt(adversary, network.to(adversary.device))
        return PreparedAttack(self.calibrate(adversary, state, seed), state, adversary, seed)

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
        """Whatever `online` needs: the edge itself, a trained Inverse-Network, a shadow edge.

        `generator` is on the CPU, seeded; what is drawn from it is moved to `adversary.device`.
        """
        return None

    def calibrate(self: Self, adversary: Adversary, state: Any, seed: int) -> Self:
        """This attack with the fields that were left open chosen for a target it has never seen.

        Only with what the adversary grants: its images or procedural ones, its own edge or
        shadow as the victim. Called after `offline`; the attack itself, unless overridden.
        Any other field that it changes, its docstring names; a result records what was calibrated.
        """
        return self

    def images_at_a_time(self, adversary: Adversary) -> int:
        """How many images `online` is given at once, where the caller does not say."""
        return 50

    @abstractmethod
    def online(self, state: Any, features: Tensor, draws: Draws) -> Tensor:
        """Recover images from their features.

        Args:
            state: what `offline` returned.
            features: a batch N×feature shape, on the adversary's device.
            draws: random numbers, image by image.

        Returns:
            N×C×H×W, float32 in [0, 1], on the same device. No image may depend on another.
        """


@final
class PreparedAttack:
    """An attack whose offline work is done.

    Attributes:
        attack: the attack, its fields calibrated.
        batch: how many images are attacked at once.
    """

    def __init__(self, attack: Attack, state: Any, adversary: Adversary, seed: int) -> None:
        self.attack = attack
        self.batch = attack.images_at_a_time(adversary)
        self._state = state
        self._adversary = adversary
        self._seed = seed

    def reconstruct(self, features: Tensor, *, first: int = 0, batch: int | None = None) -> Tensor:
        """Features N×feature shape -> images N×C×H×W, float32 in [0, 1].

        Args:
            first: number of the first of these images among all that are attacked; its
                randomness follows from it.
            batch: how many images to attack at once. It decides memory and time, and the
                result within rounding only.

        Raises InputError for features of another split or not finite, and ContractError where
        the attack breaks its promise on shape, type, device, range or finiteness.
        """
        check_features(features, self._adversary.feature_shape)
        parts = features.detach().split(batch or self.batch)
        return torch.cat(list(self.stream(parts, first=first)))

    def stream(self, batches: Iterable[Tensor], *, first: int = 0) -> Iterator[Tensor]:
        """`reconstruct` for features that come batch by batch and need not fit into memory."""
        for features in batches:
            yield self.answer(features, range(first, first + len(features)))
            first += len(features)

    def answer(self, features: Tensor, numbers: Iterable[int]) -> Tensor:
        """`reconstruct` for one batch of images, whose randomness follows from these numbers."""
        device = self._adversary.device
        check_features(features, self._adversary.feature_shape)
        draws = Draws(self._seed, numbers, device)
        with torch.enable_grad():
            images = self.attack.online(self._state, features.detach().to(device), draws)
        self._check(images, len(features))
        return images.detach()

    def _check(self, images: Tensor, count: int) -> None:
        """Raise ContractError unless these are `count` images on the adversary's device."""
        adversary, name = self._adversary, type(self.attack).__name__
        if isinstance(images, Tensor) and images.device.type != adversary.device.type:
            raise ContractError(
                f"{name} returned images on {images.device}, not {adversary.device}"
            )
        try:
            check_images(images, adversary.input_shape, f"the images that {name} returned")
        except InputError as error:
            raise ContractError(str(error)) from None
        if len(images) != count or images.dtype != torch.float32:
            raise ContractError(
                f"{name} returned {len(images)} images of {images.dtype} for {count} features; "
                "return one float32 image for each"
            )
