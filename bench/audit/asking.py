"""What a black-box adversary of an audit asks the edge, and what learning from it takes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TypeVar

import torch

from ...attacks import ResidualDecoder
from ...attacks.residual_decoder import held_out
from .attacker import Planned
from .cuts import Cut
from .pace import TIMED, seconds_of_a_query, seconds_of_a_step

#: Images that are learned from at least; with fewer the adversary draws procedural ones.
FEW_IMAGES = 32
#: Bytes of features that are kept to learn from, in half precision.
MEMORY = 1 << 30

#: The share of its queries that it makes at least, where it asks whole copies of its images.
SPARED = 0.75

Learning = TypeVar("Learning", bound=ResidualDecoder)


def setting_of(cut: Cut) -> str:
    """Whether it asks with the held images or with procedural ones."""
    enough = len(cut.subject.division.held) >= FEW_IMAGES
    return "black_box_same_dist" if enough else "black_box_rand_set"


def seconds_of_asking(cut: Cut) -> float:
    """What an answer takes, an image, and drawing it where the adversary has none."""
    return seconds_of_a_query(cut, drawn=setting_of(cut) == "black_box_rand_set")


def seconds_of_learning(cut: Cut, attack: ResidualDecoder, setting: str, asking: float) -> float:
    """What a step takes, each of its images asked anew for `asking` seconds."""
    features = torch.randn(min(TIMED, attack.batch_size), *cut.target.feature_shape)
    return seconds_of_a_step(cut, attack, setting, features) + attack.batch_size * asking


def asked(cut: Cut, attack: Learning) -> tuple[Learning, int | None]:
    """The attack with as many queries as its steps are whole epochs of, and how many of the held
    images it is given; None where it draws its own."""
    examples = attack.steps * attack.batch_size
    limit = MEMORY // (2 * math.prod(cut.target.feature_shape))
    limit = max(FEW_IMAGES, min(limit, attack.queries))
    queries, most = max(FEW_IMAGES, examples // math.ceil(examples / limit)), None
    if setting_of(cut) == "black_box_same_dist":
        most = min(len(cut.subject.division.held), queries)
        copies = queries // learned_from(most)
        if copies * learned_from(most) < SPARED * queries:  # rather fewer images than fewer steps
            copies += 1
        while most > FEW_IMAGES and copies * learned_from(most) > queries:
            most -= 1
        queries = copies * learned_from(most)
    epoch = math.ceil(queries / attack.batch_size)
    steps = max(1, attack.steps // epoch) * epoch
    return replace(attack, steps=steps, queries=queries), most


def learned_from(held: int) -> int:
    """How many of so many images a decoder learns from."""
    return held - held_out(held)


def told(planned: Planned) -> str:
    """What the adversary was given, in words."""
    assert isinstance(planned.attack, ResidualDecoder)
    answers = f"the answers to {planned.attack.queries:,} queries"
    if planned.setting == "black_box_rand_set":
        return f"{answers} with procedural images; none of yours, and no weights of the edge"
    return f"{answers} with {planned.most:,} images of yours; no weights of the edge"
