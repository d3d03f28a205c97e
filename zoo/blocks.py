"""Pieces that several networks are built of."""

from __future__ import annotations

from torch import Tensor, nn

from .portable import Portable


class Residual(Portable, nn.Module):
    """`after(body(x) + shortcut(x))`: a block that learns what to add (He et al., CVPR 2016)."""

    def __init__(self, body: nn.Module, shortcut: nn.Module, after: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut
        self.after = after

    def forward(self, values: Tensor) -> Tensor:
        answer: Tensor = self.after(self.body(values) + self.shortcut(values))
        return answer
