"""What a result is: an attack on a scenario, what came of it, and how anyone can tell.

One JSON file each (format below), and the recovered images beside it. The file has room for what
a row may come to say later, so that older files stay readable: a defence, how the attack was
isolated, how the row was verified, and a failure with its reason.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from ...attacks.tuned import Digest
from ...zoo import ResultError, get_dataset, get_defence
from ...zoo.precision import Precision
from ..scenarios import Scenario, scenario
from ..score.metric import all_metrics

#: Changes when evaluation images, targets or the meaning of a metric do; rows of different
#: versions are never compared. A metric that is added leaves the others comparable.
#: Version 2 scores the stored 8-bit image; version 1 scored the attack's floats.
BENCHMARK_VERSION = 2

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")]
Line = Annotated[str, Meta(max_length=1000, pattern=r"^[^\x00-\x1f\x7f-\x9f]*\Z")]
Day = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\d\Z")]
Count = Annotated[int, Meta(ge=0, lt=1 << 53)]
Seconds = Annotated[float, Meta(ge=0, lt=1e12)]
Seed = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
#: Equally long lists: "indices" (positions in the test part) and a metric's values by its name.
PerImage = dict[str, list[bool | int | float]]
#: What a defence's field may hold: nothing that could write a page of its own.
Knob = bool | int | float | Name | None
Isolation = Literal["in_process", "process", "sandbox"]


class _Part(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a result file; what it does not know is refused."""


class DefenceUsed(_Part, frozen=True):
    """What the edge did to its features: a name, and the values of its fields."""

    name: Name
    fields: dict[Name, Knob]
    sha256: Digest | None = None


class ScenarioUsed(_Part, frozen=True):
    """Target × defence × setting × images, by name and content."""

    setting: Name
    network: Name
    split: Name
    target_sha256: Digest
    dataset: Name
    profile: Name
    images_sha256: Digest
    defence: DefenceUsed | None = None


class AttackUsed(_Part, frozen=True):
    """The catalogue's name, the class and its version, and the fields that it was given.

    `overrides` are those among them that a caller chose in place of the catalogue's, and
    `calibrated` those that the attack then chose itself, with what its setting grants. Of an
    attack from outside the catalogue, `source_sha256` is its file's.
    """

    name: Name
    type: Name
    version: Annotated[int, Meta(ge=1, lt=1 << 31)]
    fields: dict[str, Any]
    overrides: dict[str, Any] = {}
    calibrated: dict[str, Any] = {}
    source_sha256: Digest | None = None


class NetworkUsed(_Part, frozen=True):
    """The network that the attack had learned: its content hash and, if published, its name and
    the hash of what its record says of its training, from which queries and seconds come."""

    sha256: Digest
    name: Name | None = None
    precision: Precision | None = None
    training_sha256: Digest | None = None


class Cost(_Part, frozen=True):
    """What it took: seconds offline, seconds online for all images, queries to the victim."""

    offline_seconds: Seconds
    online_seconds: Seconds
    queries: Count


class Made(_Part, frozen=True):
    """On what, with which versions, and when."""

    device: Line
    versions: dict[str, Line]
    date: Day


class Verification(_Part, frozen=True):
    """What somebody else found who ran the row again: figures of its own beside the reported."""

    how: Literal["sample", "whole", "fresh_draw", "fresh_target"]
    seed: Seed
    isolation: Isolation
    agrees: bool
    per_image: PerImage
    made: Made
    note: Line = ""

    def __post_init__(self) -> None:
        check_per_image(self.per_image)


class Result(_Part, frozen=True):
    """One attack on one scenario.

    Attributes:
        reported: per image, equally long: indices (in the test part) and every metric of
            `bench/score/metrics`, computed from the stored images; empty for a failure.
        judge_sha256: content hash of the judge that read the labels; None where none does.
        recovered_sha256: of the safetensors file that would hold the images, which stand beside
            the JSON as a PNG; None for a failure.
        isolation, order: where the attack ran, and what the order was drawn from in which a
            worker was shown the images.
        failure: why nothing came back; None for a success.
        verified: what others found who ran it again.
    """

    benchmark_version: Annotated[int, Meta(ge=1, lt=1 << 31)]
    scenario: ScenarioUsed
    attack: AttackUsed
    seed: Seed
    network: NetworkUsed | None
    reported: PerImage
    judge_sha256: Digest | None
    cost: Cost
    made: Made
    recovered_sha256: Digest | None
    isolation: Isolation = "in_process"
    order: Seed | None = None
    failure: Line | None = None
    verified: list[Verification] = []

    def __post_init__(self) -> None:
        if self.where.target.dataset != get_dataset(self.scenario.dataset):
            raise ValueError("its images are of another data set than its network's")
        if (self.failure is None) != (self.recovered_sha256 is not None):
            raise ValueError("it must either have recovered images or say why not")
        if self.failure is None:
            check_per_image(self.reported)
        elif self.reported:
            raise ValueError("a failure has no scores")

    @property
    def where(self) -> Scenario:
        """What was attacked; UnknownNameError where a part of it is unknown here."""
        used = self.scenario
        defence = None
        if used.defence is not None:
            kind = get_defence(used.defence.name)
            defence = kind(**used.defence.fields)
        return scenario(f"{used.setting}/{used.network}/{used.split}", used.profile, defence)

    @property
    def label(self) -> str:
        """What the row is called: the attack's name, and a mark of the fields that were chosen."""
        return attack_label(self.attack.name, self.attack.overrides)

    @property
    def profile(self) -> str:
        """The profile of its images."""
        return self.scenario.profile

    def key(self) -> dict[str, Any]:
        """What must agree with a run's key for this result to count as that run's."""
        return key_of(self.benchmark_version, self.scenario, self.attack, self.network)

    def stale_because(self, key: Mapping[str, Any]) -> str:
        """Why this result does not belong to `key`; empty where it does."""
        mine = self.key()
        return ", ".join(name for name in mine if mine[name] != key.get(name))


def attack_label(name: str, overrides: Mapping[str, Any]) -> str:
    """An attack's name, followed by a mark of the fields that a caller chose, if any."""
    if not overrides:
        return name
    digest = hashlib.sha256(json.dumps(dict(overrides), sort_keys=True).encode()).hexdigest()
    return f"{name}-{digest[:8]}"


def key_of(
    version: int, scenario: ScenarioUsed, attack: AttackUsed, network: NetworkUsed | None
) -> dict[str, Any]:
    """What makes two results one row's, by the names that a stale one is explained with.

    A network that was trained for the run alone has no name and does not count.
    """
    published = network is not None and network.name is not None
    return {
        "benchmark_version": version,
        "target_sha256": scenario.target_sha256,
        "defence": None if scenario.defence is None else msgspec.to_builtins(scenario.defence),
        "images_sha256": scenario.images_sha256,
        "attack_class": attack.type,
        "attack_version": attack.version,
        "attack_fields": attack.fields,
        "attack_source": attack.source_sha256,
        "network": network.name if network and published else None,
        "network_sha256": network.sha256 if network and published else None,
    }


def check_per_image(values: PerImage) -> None:
    """Raise ValueError unless these are the scores of distinct images, each in its range.

    A metric may be missing, as in a file that is older than the metric: `splitzoo score` adds it.
    """
    indices = values.get("indices", [])
    if not indices or any(not _is_count(index) for index in indices):
        raise ValueError("it does not say which images it scores")
    if len(set(indices)) != len(indices):
        raise ValueError("it scores an image twice")
    if any(len(each) != len(indices) for each in values.values()):
        raise ValueError("its per-image values are not equally many")
    for name, each in values.items():
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name):
            raise ValueError(f"{name!r} is not the name of a metric")
        metric = all_metrics().get(name)
        if metric is None:
            continue
        truth = metric.digits is None
        for value in each:
            if isinstance(value, bool) != truth or not metric.low <= value <= metric.high:
                raise ValueError(f"{name} cannot be {str(value)[:40]}")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31


def encode(result: Result) -> str:
    """A result as its file holds it, a list of per-image values to a line."""
    text = json.dumps(msgspec.to_builtins(result), indent=1, ensure_ascii=False)
    return _NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text) + "\n"


#: A list without strings or lists within; only there does a line break follow the bracket.
_NUMBERS = re.compile(r"\[\n([^\[\]{}\"]*)\]")


def decode(text: bytes | str, source: object) -> Result:
    """Parse and check one result file. ResultError where it is not one."""
    try:
        return msgspec.json.decode(text, type=Result)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ResultError(
            f"{source} is not a result ({reason}); delete it and run again"
        ) from error
