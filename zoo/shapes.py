"""Shapes as architectures name them, and what kind of features they are."""

from __future__ import annotations

import math

Shape = tuple[int, ...]


def shape_text(shape: Shape) -> str:
    """ "16×8×8" as a record keeps it: "16x8x8"."""
    return "x".join(map(str, shape))


def shape_of(text: str) -> Shape:
    """The shape that `shape_text` wrote. ValueError where it is none."""
    sizes = tuple(int(part) for part in text.split("x"))
    if any(size < 1 for size in sizes):
        raise ValueError(f"{text!r} is no shape")
    return sizes


def token_side(shape: Shape) -> int | None:
    """Side of the square grid that tokens T×D stand for; None for what are no such tokens.

    A transformer may put one class token in front of the grid's.
    """
    if len(shape) != 2:
        return None
    for tokens in (shape[0], shape[0] - 1):
        side = math.isqrt(tokens)
        if side > 1 and side * side == tokens:
            return side
    return None
