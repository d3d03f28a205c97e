"""How one attack is tried: run on a tiny target, with an eye on all that it must leave alone."""

from __future__ import annotations

import inspect
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType

import torch
from torch import Tensor

from ...zoo import CapabilityError, ContractError, InputError, SplitzooError
from ...zoo.content import tensors_digest
from ..adversary import Adversary
from ..base import Attack, PreparedAttack
from ..settings import Capability, Setting
from .tiny import PLACES, SECRETS, Place
from .watch import watched

CPU = torch.device("cpu")
ALL = tuple(range(SECRETS))


class FaultError(SplitzooError):
    """What an attack does wrong, in a line: what was found, and what to do."""


class RaisedError(FaultError):
    """An attack raised where it must not; `error` is what."""

    def __init__(self, error: BaseException, attack: type[Attack], where: str) -> None:
        super().__init__(f"{described(error, attack)} on {where}")
        self.error = error


class RefusedError(FaultError):
    """An attack says itself, by an InputError, that it cannot be used on a target."""


class Tried:
    """An attack that is prepared for a tiny target."""

    def __init__(
        self, trial: Trial, place: Place, adversary: Adversary, prepared: PreparedAttack
    ) -> None:
        self.trial, self.place, self.adversary, self.prepared = trial, place, adversary, prepared
        with torch.no_grad():
            self.features = place.target().edge(place.secrets())

    def answer(self, rows: Sequence[int] = ALL) -> Tensor:
        """Images of these rows of the target's secrets, whose numbers they also are."""
        shown = self.features[list(rows)]
        given = shown.clone().to(self.adversary.device)
        with self.trial.calling(self.place.words, self.adversary):
            images = self.prepared.answer(given, rows)
        if not torch.equal(given.cpu(), shown):
            self.trial.wrote_into_features = True
        return images.cpu()


class Trial:
    """One attack on trial.

    Attributes:
        changed: what it left changed in this process.
        altered: which of its adversary's networks it altered.
        wrote_into_features: whether it wrote into what it was given.
    """

    def __init__(self, attack: type[Attack]) -> None:
        self.attack = attack
        self.changed: set[str] = set()
        self.altered: set[str] = set()
        self.wrote_into_features = False
        self._calls = 0

    @cached_property
    def required(self) -> Setting:
        """A setting that grants what the attack requires and nothing else."""
        grants = frozenset(self.attack.requires)
        images = "training_set" if Capability.DATA in grants else None
        return Setting("exactly what it requires", "trial", "Trial", "-", grants, images)

    @cached_property
    def home(self) -> Tried:
        """The attack at the first tiny target that it does not refuse, its images taken once.

        Raises FaultError, the same each time.
        """
        return self._settled[0]

    @cached_property
    def images(self) -> Tensor:
        """What it recovers of all images at `home`, in one batch."""
        return self._settled[1]

    @cached_property
    def _settled(self) -> tuple[Tried, Tensor]:
        refusals = []
        for place in PLACES:
            try:
                tried = self.start(place)
                return tried, tried.answer()
            except RefusedError as refusal:
                refusals.append(str(refusal))
        raise FaultError(
            f"it refuses every tiny target ({refusals[0]}); let it run on one of them: "
            + "; ".join(place.words for place in PLACES)
        )

    def short(self) -> Attack:
        """The attack with the fields with which a trial is short."""
        return self.attack(**self.attack.brief)

    def start(
        self, place: Place, setting: Setting | None = None, device: torch.device = CPU
    ) -> Tried:
        """Prepare the attack for a place, in the setting of what it requires by default."""
        adversary = place.adversary(setting or self.required, device)
        with self.calling(place.words, adversary):
            prepared = self.short().prepare(adversary)
        return Tried(self, place, adversary, prepared)

    @contextmanager
    def calling(self, where: str, adversary: Adversary) -> Iterator[None]:
        """Watch over a call of the attack's code; what it raises becomes a FaultError."""
        self._calls += 1
        networks = {"cloud": adversary.cloud, "edge": adversary._edge}
        held = {name: each for name, each in networks.items() if each is not None}
        before = {name: _digest(each) for name, each in held.items()}
        try:
            with warnings.catch_warnings(), watched(self.changed, self._calls):
                warnings.simplefilter("ignore")
                yield
        except FaultError:
            raise
        except (Exception, SystemExit) as error:
            if isinstance(error, InputError) and _raised_by(error, self.attack):
                raise RefusedError(str(error)) from error
            raise RaisedError(error, self.attack, where) from error
        finally:
            self.altered |= {name for name, each in held.items() if _digest(each) != before[name]}


def described(error: BaseException, attack: type[Attack]) -> str:
    """An error in a line, with the last place in the attack's own files that it came through."""
    said = " ".join(str(error).split())[:300]
    text = said if isinstance(error, SplitzooError) else f"{type(error).__name__}: {said}"
    own = [each for each in _frames(error.__traceback__) if each.filename in sources(attack)]
    if not own or isinstance(error, ContractError):
        return text
    last = own[-1]
    return f"{text} ({Path(last.filename).name}, line {last.lineno}, in {last.name})"


def sources(attack: type[Attack]) -> set[str]:
    """The files that the attack's code stands in: those of its classes, below `Attack`."""
    classes = [each for each in attack.__mro__ if issubclass(each, Attack) and each is not Attack]
    return {inspect.getfile(each) for each in classes}


def lacks_a_grant(fault: FaultError) -> bool:
    """Whether an attack asked for what its setting does not grant."""
    return isinstance(fault, RaisedError) and isinstance(fault.error, CapabilityError)


def _raised_by(error: BaseException, attack: type[Attack]) -> bool:
    """Whether the attack's own code raised it, and not what it called."""
    return _frames(error.__traceback__)[-1].filename in sources(attack)


def _frames(trace: TracebackType | None) -> list[traceback.FrameSummary]:
    return list(traceback.extract_tb(trace))


def _digest(network: torch.nn.Module) -> tuple[str, list[bool]]:
    """All that decides what a network computes."""
    tensors = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    return tensors_digest(tensors), [part.training for part in network.modules()]
