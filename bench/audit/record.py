"""What an audit finds, as values: written to results.json, and one file a cut on the way."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field


class Attacked(Struct, frozen=True, forbid_unknown_fields=True):
    """An attack on a cut: who it was, what it was given, and a value per scored image.

    `own` says of each reconstruction whether its own original is the most similar of all that are
    scored, `label` whether the judge reads its label off it, where there is a judge.
    """

    family: str
    setting: str
    attack: str
    title: str
    version: int
    given: str
    fields: dict[str, Any]
    seconds: float
    queries: int
    psnr: list[float]
    ssim: list[float]
    own: list[bool]
    label: list[bool] | None = None

    @property
    def key(self) -> str:
        """What its images are called."""
        return f"{self.family}.{self.attack}"


class Cost(Struct, frozen=True, forbid_unknown_fields=True):
    """What a cut costs: bytes on the wire for an image, and the edge's work for it."""

    bytes: int
    multiply_adds: int
    parameters: int
    milliseconds: float


class CutAudit(Struct, frozen=True, forbid_unknown_fields=True):
    """One cut: its cost, what was recovered, and what was left out with the reason.

    `key` is the content hash of all that it depends on. `noise` is what `noise_needed` finds.
    """

    at: str
    key: str
    feature_shape: list[int]
    cost: Cost
    attacked: list[Attacked]
    left_out: list[str] = field(default_factory=list)
    seconds: float = 0.0
    noise: float | None = None


class ImagesUsed(Struct, frozen=True, forbid_unknown_fields=True):
    """What was divided: H×W of the network's input, and C×h×w at which it was attacked."""

    held: int
    scored: int
    network_size: list[int]
    attacked_shape: list[int]
    seed: int
    sha256: str
    labels: bool
    skipped: list[str]
    duplicates: int


class Judged(Struct, frozen=True, forbid_unknown_fields=True):
    """Who read the labels, and off how many of the originals it did so rightly."""

    name: str
    sha256: str
    originals: int


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """What the user will bear; None is no limit."""

    max_ssim: float | None = None
    max_edge_macs: int | None = None
    max_bytes: int | None = None


class Audit(Struct, frozen=True, forbid_unknown_fields=True):
    """A whole audit. `floor` is what an image that depends on no feature scores; `aside` says of a
    cut why it is not compared with the others."""

    network: str
    budget: float
    device: str
    versions: dict[str, str]
    images: ImagesUsed
    limits: Limits
    floor: Attacked
    judged: Judged | None
    cuts: list[CutAudit]
    left_out: list[str]
    front: list[str] = field(default_factory=list)
    aside: dict[str, str] = field(default_factory=dict)
    advice: dict[str, str] = field(default_factory=dict)
    recommended: dict[str, str | None] = field(default_factory=dict)
