"""What is attacked under which threat model, as a value: target × defence × setting × images."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from ..attacks import Adversary, Setting, get_setting
from ..attacks.adversary import Grant, grant
from ..zoo import Defence, Images, Published, Target, holding, published, shadow_edge
from .secrets.evaluation import EvaluationSet, check_profile, evaluation_set


@dataclass(frozen=True)
class Scenario:
    """A published target, perhaps defended, attacked in a setting on a profile's images.

    Attributes:
        setting: what the adversary is granted.
        target: the network and where it is split.
        profile: which of the data set's evaluation images are attacked.
        defence: what the edge does to its features; None for nothing.
    """

    setting: Setting
    target: Published
    profile: str = "standard"
    defence: Defence | None = None

    @property
    def column(self) -> str:
        """What is attacked: "network/split", and a defence's label behind a "+"."""
        return self.target.name + (f"+{self.defence.label}" if self.defence else "")

    @property
    def key(self) -> str:
        """The scenario's name, but for its images: "setting/network/split"."""
        return f"{self.setting.name}/{self.column}"

    @property
    def words(self) -> frozenset[str]:
        """What `--only` may call it by."""
        target = self.target
        return frozenset({self.setting.family, self.setting.name, target.network, target.split})

    def evaluation(self) -> EvaluationSet:
        """The secret images."""
        return evaluation_set(self.target.dataset.name, self.profile)

    def load_target(self) -> Target:
        """The target as the adversary meets it."""
        target = self.target.load()
        return self.defence.protect(target) if self.defence else target

    def adversary(self, target: Target, device: Any) -> Adversary:
        """What the setting grants of `target`: the one place where a threat model meets objects.

        Its images are loaded when it first asks for them: attacks with a published network, and
        settings without images, need no download.
        """
        return Adversary(
            self.setting,
            target,
            device=device,
            data=self.data if self.setting.images else None,
            **self.structure(),
        )

    def grant(self, target: Target) -> Grant:
        """The same as a value, without the images: for a worker that may see nothing else."""
        return grant(self.setting, target, **self.structure())

    def data(self) -> Images:
        """The images that the setting grants, which it must do."""
        assert self.setting.images is not None
        return holding(self.target.dataset.name, self.setting.images).load()

    def structure(self) -> dict[str, Any]:
        """The edge of the right structure, and how a record calls it. A defended one is told as it
        is built; that of an undefended one is the zoo's."""
        network, split = self.target.network, self.target.split
        known = None if self.defence else partial(shadow_edge, network, split, "same_net")
        return {
            "fresh_edge": known,
            "structure": {"shadow": self.target.name, "structure": "same_net"},
        }

    def on(self, profile: str) -> Scenario:
        """The same on another profile's images."""
        return replace(self, profile=check_profile(profile))

    def described_defence(self) -> dict[str, Any] | None:
        """The defence as a result keeps it."""
        if self.defence is None:
            return None
        return {"name": self.defence.name, "fields": asdict(self.defence)}


def scenario(name: str, profile: str = "standard", defence: Defence | None = None) -> Scenario:
    """The scenario called "setting/network/split". UnknownNameError where a part does not exist."""
    setting, _, target = name.partition("/")
    return Scenario(get_setting(setting), published(target), check_profile(profile), defence)
