"""An answer pulled towards the mean image, as far as answers like it were found wrong."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .error_prior import cosines

#: How far an answer may be taken towards its regression.
AMOUNTS = (0.0, 0.25, 0.5, 0.75, 1.0)


class Shrinkage(nn.Module):
    """Answers y -> y + a·(E[x] + Σ_b s_b·P_b(y - E[y]) - y), 0 ≤ a ≤ 1.

    In brackets stands the regression of images x on answers, with one slope 0 ≤ s_b ≤ 1 for the
    spatial frequencies of each band b, those of about one wavelength. What tells nothing of x
    becomes the mean image there, which has the least squared error of all that tells nothing; what
    it tells in long waves is kept where short ones are wrong. Where answers blurred so score worse
    than as they are, a is 0, as it is until `fit`.

    Args:
        images: C×H×W of one image.
    """

    rows: Tensor
    columns: Tensor
    slopes: Tensor
    truth: Tensor
    answers: Tensor
    amount: Tensor

    def __init__(self, images: tuple[int, ...]) -> None:
        super().__init__()
        _, height, width = images
        self.register_buffer("rows", cosines(height).float(), persistent=False)
        self.register_buffer("columns", cosines(width).float(), persistent=False)
        self.register_buffer("slopes", torch.ones(height, width))
        self.register_buffer("truth", torch.zeros(images))
        self.register_buffer("answers", torch.zeros(images))
        self.register_buffer("amount", torch.zeros(()))

    def forward(self, answers: Tensor) -> Tensor:
        if not self.amount:
            return answers
        answers = answers.clamp(0, 1)
        along = self.slopes * self._along(answers - self.answers)
        regressed = self.truth + self.rows.T @ along @ self.columns
        return answers + self.amount * (regressed.clamp(0, 1) - answers)

    @torch.no_grad()
    def fit(
        self,
        answers: Tensor,
        images: Tensor,
        mean: Tensor,
        error: Callable[[Tensor, Tensor], Tensor],
    ) -> None:
        """Take slopes from all sets of answers, and a from what those of the others do to each.

        The images are the same ones: few of them make a look better than it is.

        Args:
            answers: W×N×C×H×W, W ≥ 2 sets of answers for the same images, none of them fitted to.
            images: N×C×H×W.
            mean: E[x], C×H×W.
            error: of N answers at N images, to be made small on the mean.
        """
        answers = answers.clamp(0, 1)
        self.truth.copy_(mean)
        errors = torch.zeros(len(AMOUNTS))
        for left_out, those in enumerate(answers):
            others = [each for number, each in enumerate(answers) if number != left_out]
            self._regress(torch.stack(others), images)
            for place, amount in enumerate(AMOUNTS):
                self.amount.fill_(amount)
                errors[place] += error(self(those), images).mean().cpu()
        self._regress(answers, images)
        self.amount.fill_(AMOUNTS[int(errors.argmin())])

    def _regress(self, answers: Tensor, images: Tensor) -> None:
        self.answers.copy_(answers.mean((0, 1)))
        mine, true = self._along(answers - self.answers), self._along(images - self.truth)
        bands = bands_of(*mine.shape[3:])
        alike, power = (_summed(each, bands) for each in (mine * true, mine.square()))
        self.slopes.copy_((alike / power.clamp_min(1e-12)).clamp(0, 1)[bands])

    def _along(self, values: Tensor) -> Tensor:
        along: Tensor = self.rows @ values @ self.columns.T
        return along


def bands_of(height: int, width: int) -> Tensor:
    """H×W: the band of each frequency, its half waves over the longer side, rounded."""
    side = max(height, width)
    down = torch.arange(height, dtype=torch.float64)[:, None] * side / height
    right = torch.arange(width, dtype=torch.float64)[None] * side / width
    return torch.hypot(down, right).round().to(torch.int64)


def _summed(values: Tensor, bands: Tensor) -> Tensor:
    """W×N×C×H×W -> the sum of each band, on the CPU, where it comes out alike each time."""
    over = values.sum((0, 1, 2)).cpu().flatten()
    return over.new_zeros(int(bands.max()) + 1).index_add_(0, bands.flatten(), over)
