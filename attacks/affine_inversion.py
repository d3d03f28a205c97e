"""Exact inversion of an affine edge by least squares."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, lsmr
from torch import Tensor, nn

from ..zoo import InputError
from .adversary import Adversary
from .base import Attack
from .draws import Draws
from .settings import Capability

#: Features that are solved from where each costs memory, as a multiple of the pixels.
SKETCH = 4
#: A solution that leaves more of the features unexplained than this share is none.
UNEXPLAINED = 1e-3
#: What single precision leaves of a number that is nought, relative to the largest.
NOISE = 1e-6


@dataclass(frozen=True, kw_only=True)
class AffineInversion(Attack):
    """x = argmin ||A·x + b - v||² where the edge is affine, rounded to 8 bits.

    An edge of convolutions alone that answers more numbers than it is asked hides nothing: its
    inverse is a least-squares problem. Who holds the edge multiplies by it and by its transpose
    and solves without the matrix, by LSMR (Fong and Saunders, SIAM J. Sci. Comput. 2011). Who may
    ask it learns a random few rows of A and b from one more query than an image has values.

    Whether the edge is affine shows in what the solution leaves unexplained: InputError where that
    is more than a thousandth of the features.

    Args:
        iterations: of LSMR for an image, at most; only where the edge is held.
    """

    name = "affine_inversion"
    requires = frozenset({Capability.QUERY})
    title = "Affine inversion"
    citation = "ours; LSMR: Fong and Saunders, SIAM J. Sci. Comput. 33 (2011)"

    iterations: int = 2000

    def offline(self, adversary: Adversary, generator: torch.Generator) -> OwnEdge | Answers:
        if adversary.setting.allows(Capability.EDGE):
            return OwnEdge(adversary, self.iterations)
        return Answers(adversary, generator)

    def images_at_a_time(self, adversary: Adversary) -> int:
        return 100

    def online(self, state: OwnEdge | Answers, features: Tensor, draws: Draws) -> Tensor:
        solved, unexplained = state.solve(features.flatten(1).cpu().double())
        if unexplained.amax() > UNEXPLAINED:
            raise InputError(
                "the edge is not affine: no image explains the features; use another attack"
            )
        images = ((255 * solved).round() / 255).clamp(0, 1).float()
        return images.view(len(features), *state.input_shape).to(features.device)


class OwnEdge:
    """The adversary's edge and, by automatic differentiation, its transpose; solved by LSMR."""

    def __init__(self, adversary: Adversary, iterations: int) -> None:
        self.edge: nn.Module = copy.deepcopy(adversary.edge).double()
        self.input_shape, self.iterations = adversary.input_shape, iterations
        self.zero = torch.zeros(1, *adversary.input_shape).double().to(adversary.device)
        with torch.no_grad():
            self.offset = self.edge(self.zero)
        shape = (self.offset.numel(), self.zero.numel())
        self.operator = LinearOperator(
            shape, matvec=self._times, rmatvec=self._transposed_times, dtype=np.float64
        )

    def solve(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features N×m -> images N×d, and of each the share of its features left unexplained."""
        observed = (features - self.offset.flatten().cpu()).numpy()
        solved = [
            lsmr(self.operator, each, atol=1e-10, btol=1e-10, maxiter=self.iterations)[0]
            for each in observed
        ]
        explained = torch.from_numpy(np.stack([self._times(each) for each in solved]))
        return torch.from_numpy(np.stack(solved)), _share(explained, torch.from_numpy(observed))

    @torch.no_grad()
    def _times(self, image: np.ndarray) -> np.ndarray:
        at = torch.from_numpy(image).view_as(self.zero).to(self.zero)
        found: np.ndarray = (self.edge(at) - self.offset).flatten().cpu().numpy()
        return found

    @torch.enable_grad()
    def _transposed_times(self, values: np.ndarray) -> np.ndarray:
        at = self.zero.clone().requires_grad_()
        weights = torch.from_numpy(values).view_as(self.offset).to(self.offset)
        (gradient,) = torch.autograd.grad((self.edge(at) * weights).sum(), at)
        found: np.ndarray = gradient.flatten().cpu().numpy()
        return found


class Answers:
    """A random few rows of A and b from d + 1 queries, a black image and each pixel alone; solved
    by QR. InputError where some pixel, or a mixture of them, does not show in any of the rows."""

    def __init__(self, adversary: Adversary, generator: torch.Generator) -> None:
        self.input_shape = adversary.input_shape
        size, total = math.prod(adversary.input_shape), math.prod(adversary.feature_shape)
        self.rows = torch.randperm(total, generator=generator)[: SKETCH * size].sort().values
        self.offset = self._asked(adversary, torch.zeros(1, size))
        columns = [self._asked(adversary, part) for part in torch.eye(size).split(256)]
        self.matrix = (torch.cat(columns) - self.offset).T.contiguous()
        if total < size:
            raise InputError("the features are fewer than the pixels; use another attack")
        self.q, self.r = torch.linalg.qr(self.matrix)
        strength = self.r.diagonal().abs()
        if strength.amin() < NOISE * strength.amax():
            raise InputError("the features do not determine the image; use another attack")

    def solve(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features N×m -> images N×d, and of each the share of its features left unexplained."""
        observed = features[:, self.rows] - self.offset
        solved = torch.linalg.solve_triangular(self.r, self.q.T @ observed.T, upper=True).T
        return solved, _share(solved @ self.matrix.T, observed)

    def _asked(self, adversary: Adversary, images: Tensor) -> Tensor:
        answers = adversary.query(images.view(-1, *self.input_shape))
        return answers.flatten(1).cpu()[:, self.rows].double()


def _share(explained: Tensor, observed: Tensor) -> Tensor:
    """‖explained - observed‖ / ‖observed‖ of each row."""
    share: Tensor = (explained - observed).norm(dim=1) / observed.norm(dim=1).clamp_min(1e-12)
    return share
