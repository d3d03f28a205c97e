"""How a decoder errs, measured: a Gaussian of its errors over frequencies and colours."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

#: No deviation is taken for less than this share of the largest.
_LEAST = 1e-3


@dataclass(frozen=True)
class ErrorPrior:
    """Errors e = x - g(f(x)) as a Gaussian whose axes are fixed and whose deviations are estimated.

    Its axes are the discrete cosines of each of C mixtures of the channels, in which errors of
    neighbouring pixels and channels are next to uncorrelated. In whitened coordinates
    z, N×C×H×W, every number has the second moment 1, and ‖z‖² / 2 is an error's energy.

    Attributes:
        mixtures: C×C, orthogonal, a column for each mixture.
        rows, columns: the cosines of H and of W, orthogonal, one a row.
        deviations: C×H×W, the root of the mean square along each axis.
    """

    mixtures: Tensor
    rows: Tensor
    columns: Tensor
    deviations: Tensor

    @classmethod
    def of(cls, errors: Tensor) -> ErrorPrior:
        """Estimate it from errors N×C×H×W; mixtures are the eigenvectors of the channels' second
        moments."""
        _, _, height, width = errors.shape
        pixels = errors.transpose(0, 1).flatten(1)
        mixtures = torch.linalg.eigh(pixels @ pixels.T)[1]
        rows, columns = cosines(height).to(errors), cosines(width).to(errors)
        along = rows @ torch.einsum("nchw,cd->ndhw", errors, mixtures) @ columns.T
        deviations = along.square().mean(0).sqrt()
        return cls(mixtures, rows, columns, deviations.clamp_min(_LEAST * deviations.amax()))

    def error(self, whitened: Tensor) -> Tensor:
        """Whitened coordinates -> the error in pixels, N×C×H×W each."""
        mixed = self.rows.T @ (self.deviations * whitened) @ self.columns
        return torch.einsum("ndhw,cd->nchw", mixed, self.mixtures)

    def whitened(self, errors: Tensor) -> Tensor:
        """The inverse of `error`."""
        mixed = torch.einsum("nchw,cd->ndhw", errors, self.mixtures)
        along: Tensor = (self.rows @ mixed @ self.columns.T) / self.deviations
        return along


def cosines(size: int) -> Tensor:
    """The orthonormal discrete cosine transform of that many values, one cosine a row."""
    frequency = torch.arange(size, dtype=torch.float64)[:, None]
    place = torch.arange(size, dtype=torch.float64)[None] + 0.5
    matrix = torch.cos(math.pi / size * frequency * place) * math.sqrt(2 / size)
    matrix[0] /= math.sqrt(2)
    return matrix
