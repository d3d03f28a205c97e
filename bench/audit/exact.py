"""The adversary of an affine edge, which is a system of equations: least squares inverts it."""

from __future__ import annotations

import copy
import math

import torch

from ...attacks import AffineInversion
from ...attacks.affine_inversion import SKETCH
from ...zoo.words import size
from .attacker import Attacker, Decoded, LeftOutError, Planned, too_slow
from .cost import seconds_of
from .cuts import Cut
from .pace import seconds_of_a_query

#: What single precision leaves of a difference that is nought, relative to what is compared.
ROUNDING = 1e-3
#: Bytes of the matrix that is asked for, at most.
MEMORY = 1 << 30


class LeastSquares(Attacker):
    """Solves for the image, where there are as many features as pixels: by LSMR over the edge that
    it holds, or from the answers to one query more than an image has values."""

    share = 2.0
    LEAST, MOST = 50, 2000

    def __init__(self, family: str) -> None:
        self.family = family

    def applies(self, cut: Cut) -> bool:
        enough = math.prod(cut.target.feature_shape) >= math.prod(cut.target.input_shape)
        return enough and is_affine(cut)

    def plan(self, cut: Cut, seconds: float, decoder: Decoded | None) -> Planned:
        return (
            self._by_edge(cut, seconds) if self.family == "white_box" else _by_queries(cut, seconds)
        )

    def _by_edge(self, cut: Cut, seconds: float) -> Planned:
        each = _seconds_of_a_product(cut) * len(cut.scored)
        iterations = min(self.MOST, int(seconds / each))
        if iterations < self.LEAST:
            raise too_slow(f"{self.LEAST} iterations", self.LEAST * each)
        attack = AffineInversion(iterations=iterations)
        return Planned(attack, "white_box", iterations * each)

    def given(self, cut: Cut, planned: Planned) -> str:
        if self.family == "white_box":
            return "the edge with its weights; none of your images"
        asked = math.prod(cut.target.input_shape) + 1
        return f"the answers to {asked:,} queries with pictures of its own; no weights of the edge"


def _by_queries(cut: Cut, seconds: float) -> Planned:
    count = math.prod(cut.target.input_shape)
    rows = min(math.prod(cut.target.feature_shape), SKETCH * count)
    if 8 * rows * count > MEMORY:
        raise LeftOutError(f"its equations take {size(8 * rows * count)} of memory")
    solving = 2 * rows * count**2 * _seconds_of_a_multiplication()
    needs = (count + 1) * seconds_of_a_query(cut, drawn=False) + solving
    if needs > seconds:
        raise too_slow("its queries and equations", needs)
    return Planned(AffineInversion(), "black_box_rand_set", needs)


@torch.no_grad()
def is_affine(cut: Cut) -> bool:
    """Whether the edge answers the mean of two images with the mean of its answers; tried on two
    pairs of noise."""
    generator = torch.Generator().manual_seed(0)
    first, second = torch.rand(2, 2, *cut.target.input_shape, generator=generator).to(cut.device)
    edge = cut.target.edge
    one, other, between = edge(first), edge(second), edge((first + second) / 2)
    bend = (one + other - 2 * between).norm()
    return bool(bend <= ROUNDING * (one - other).norm())


def _seconds_of_a_product(cut: Cut) -> float:
    """What an iteration takes for an image: by the edge in double precision, and its transpose."""
    edge = copy.deepcopy(cut.target.edge).double()
    image = torch.rand(1, *cut.target.input_shape).double().to(cut.device).requires_grad_()

    def product() -> None:
        torch.autograd.grad(edge(image).sum(), image)

    product()
    return 2 * min(seconds_of(product, cut.device) for _ in range(3))


def _seconds_of_a_multiplication() -> float:
    """Of two numbers within a QR decomposition in double precision."""
    matrix = torch.rand(2048, 512, dtype=torch.float64)
    taken = min(seconds_of(lambda: torch.linalg.qr(matrix), torch.device("cpu")) for _ in range(2))
    return taken / (2 * 2048 * 512**2)
