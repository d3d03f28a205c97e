"""Where the network is cut, and what an adversary may know there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...attacks import Adversary, get_setting
from ...zoo import Images, InputError, Target, places, split_module
from ...zoo.target import Normalize
from ...zoo.whole import first_line
from .division import Division
from .judging import LabelReader

#: Cuts that are tried where the user names none.
FEW = 6


class Enlarge(nn.Module):
    """Images N×C×h×w -> N×C×H×W, bilinear: what stands between small images and a large input."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, images: Tensor) -> Tensor:
        return F.interpolate(images, self.size, mode="bilinear", align_corners=False)


@dataclass(frozen=True)
class Subject:
    """The network as it is audited.

    Attributes:
        module: the user's, in eval mode.
        name: what to call it.
        full: H×W that it takes.
        division: the images, at the size at which they are attacked.
        normalisation: mean and std per channel; None where it takes pixels as they are.
        labelled: whether the images' labels are the network's classes.
        judge: what reads labels off reconstructions, where there is something.
    """

    module: nn.Module
    name: str
    full: tuple[int, int]
    division: Division
    normalisation: tuple[Sequence[float], Sequence[float]] | None
    labelled: bool
    device: torch.device
    judge: LabelReader | None = None

    def example(self) -> Tensor:
        """Two images at the size that the network takes, in [0, 1]."""
        few = self.division.held.floats()[:2].to(self.device)
        few = torch.cat([few, self.division.scored.floats()[: 2 - len(few)].to(self.device)])
        return few if self.full == tuple(few.shape[2:]) else Enlarge(self.full)(few).clamp(0, 1)

    @torch.no_grad()
    def check(self) -> None:
        """InputError with the remedy where the network does not take such images."""
        others = {each.dtype for each in self.module.parameters() if each.is_floating_point()}
        others -= {torch.float32}
        if others:
            raise InputError(f"{self.name} holds {min(map(str, others))}; give it as .float()")
        images = self._normalize()(self.example())
        try:
            self.module(images)
        except Exception as error:  # a user's module may do anything
            raise InputError(
                f"{self.name} fails on images of {'×'.join(map(str, images.shape[1:]))}: "
                f"{first_line(error)}; give images of as many channels as it takes, and --size "
                "with its H×W"
            ) from error

    def _normalize(self) -> Normalize:
        channels = self.division.held.pixels.shape[1]
        mean, std = self.normalisation or ((0.0,) * channels, (1.0,) * channels)
        return Normalize(mean, std).to(self.device)

    def target(self, at: str, *, full: bool = False) -> Target:
        """The network cut behind `at`, taking images at their attacked or at their `full` size."""
        mean, std = self.normalisation or (None, None)
        target = split_module(
            self.module, at, self.example(), mean=mean, std=std, name=self.name
        ).to(self.device)
        small = tuple(self.division.scored.pixels.shape[1:])
        if full or small == target.input_shape:
            return target
        edge = dict(target.edge.named_children())
        del edge["normalize"]
        return Target(
            {"enlarge": Enlarge(self.full), **edge},
            dict(target.cloud.named_children()),
            network=target.network,
            split=target.split,
            input_shape=small,
            normalisation=target.normalisation,
            architecture={**target.architecture, "enlarged": "x".join(map(str, self.full))},
        ).eval()

    @cached_property
    def places(self) -> list[str]:
        """Where it can be cut, from pixels on; the last, behind which nothing is left, is none."""
        found = places(self.module, self._normalize()(self.example()))
        if not found:
            raise InputError(
                f"{self.name} cannot be cut in two: nowhere one tensor is all that crosses; name a "
                "layer with --at to see what hinders it there"
            )
        return found[:-1] or found

    def chosen(self, at: Sequence[str] | str | None) -> list[str]:
        """The places that `at` means: "all", names, or a few of its modules, evenly spaced.

        Each that is named is cut here and now, so that one that cannot be is known before any work.
        """
        if at is None:
            return self._distinct(spaced(outermost(self.places, self.module), FEW))
        if at == "all":
            return self._distinct(self.places)
        names = list(dict.fromkeys([at] if isinstance(at, str) else at))
        if not names:
            raise InputError("no place to cut was named; give one, or all")
        for each in names:
            self.target(each)
        return names

    def passed_over(self, names: Sequence[str]) -> str | None:
        """What is said where the user named no places and these were chosen; None if they are all.

        Some others are named, modules before what lies within them.
        """
        others = [each for each in self.places if each not in names]
        if not others:
            return None
        outer = [each for each in outermost(self.places, self.module) if each in others] or others
        few = ", ".join(outer[:FEW])
        return (
            f"{len(others)} of {len(self.places)} places to cut, such as {few}; --at all takes "
            "them all"
        )

    @torch.no_grad()
    def _distinct(self, names: list[str]) -> list[str]:
        """Without those that only lay out anew what the one before gave: Flatten, Dropout."""
        images = self.division.scored.floats()[:2].to(self.device)
        found, last = [], torch.empty(0)
        for each in names:
            values = self.target(each).edge(images).flatten().cpu()
            if not torch.equal(last, values):
                found.append(each)
            last = values
        return found


@dataclass(frozen=True)
class Cut:
    """One place at which the network is cut, attacked and scored."""

    subject: Subject
    target: Target
    seed: int

    @property
    def device(self) -> torch.device:
        return self.subject.device

    @property
    def scored(self) -> Images:
        return self.subject.division.scored

    def adversary(self, setting: str, most: int | None = None) -> Adversary:
        """What a setting grants here; with `most`, no more than so many of the held images."""
        held = self.subject.division.held
        if most is None or most >= len(held):
            few = held
        else:  # not the first, which may be of one class
            order = torch.randperm(len(held), generator=torch.Generator().manual_seed(self.seed))
            few = held.subset(order[:most].sort().values)
        return Adversary(get_setting(setting), self.target, device=self.device, data=few)

    @torch.no_grad()
    def features(self) -> Tensor:
        """What the cloud sees of the scored images."""
        images = self.scored.floats().to(self.device)
        return torch.cat([self.target.edge(part) for part in images.split(16)])


def spaced(names: Sequence[str], count: int) -> list[str]:
    """`count` of them, evenly spaced from the first to the last; all where they are no more."""
    if len(names) <= count:
        return list(names)
    if count == 1:
        return [names[len(names) // 2]]
    return [names[round(k * (len(names) - 1) / (count - 1))] for k in range(count)]


def outermost(names: Sequence[str], module: nn.Module) -> list[str]:
    """The modules among these places that are least nested, at least FEW where there are so many,
    from the first on that has weights; all places where no module is among them."""
    modules = dict(module.named_modules(remove_duplicate=False))
    found = [each for each in names if each in modules] or list(names)
    learned = [
        bool(list(modules[each].parameters())) if each in modules else True for each in found
    ]
    found = found[learned.index(True) :] if True in learned else found
    for depth in sorted({each.count(".") for each in found}):
        few = [each for each in found if each.count(".") <= depth]
        if len(few) >= FEW:
            return few
    return found
