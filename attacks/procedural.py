"""Images that anyone can draw: what an adversary without images asks and calibrates itself with.

They have what photographs and drawings share, so that what is learned from them carries over:
a spectrum of 1/f (Field, 1987), surfaces that occlude one another with sharp edges at every scale
(the dead leaves of Lee, Mumford and Huang, 2001), shading, and strokes of a pen.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .draws import Draws

#: Images that are drawn at once; it decides memory and nothing else.
_AT_ONCE = 256
#: Surfaces of a scene and strokes of a drawing at most, and the straight parts of a stroke.
LEAVES, STROKES, PARTS = 16, 2, 6
_CPU = torch.device("cpu")


def procedural_images(count: int, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """N×C×H×W in [0, 1], float32 on the CPU; image k does not depend on how many there are.

    Scenes, a quarter of them with strokes of a pen on them; half of those of one channel are bright
    drawings on a black page instead.
    """
    seed = int(torch.randint(1 << 62, (), generator=generator))
    numbers = torch.arange(count).split(_AT_ONCE)
    dark = 0.5 if shape[0] == 1 else 0.0
    return torch.cat([_images(Draws(seed, part.tolist(), _CPU), shape, dark) for part in numbers])


def _images(draws: Draws, shape: tuple[int, ...], dark: float) -> Tensor:
    """Scenes, and for the share `dark` of them a drawing on a black page."""
    scenes = _leaves(draws, clouds(draws, shape), clouds(draws, shape))
    light, contrast, kind, ink_on_black = draws.uniform(4, 1, 1, 1).unbind(1)
    scenes = 0.5 + (0.4 + 0.6 * contrast) * (scenes - 0.5) + 0.5 * (light - 0.5)
    ink, colour = strokes(draws, shape), _colours(draws, shape[0])
    on_scene = scenes + ink * (colour - scenes)
    images = torch.where(kind < dark + 0.25 * (1 - dark), on_scene, scenes)
    return torch.where(kind < dark, ink * (0.7 + 0.3 * ink_on_black), images).clamp(0, 1)


def clouds(draws: Draws, shape: tuple[int, ...]) -> Tensor:
    """Noise of amplitude 1/f^a, a from 1 to 2, most of it shared by the channels, in [0, 1]."""
    channels, height, width = shape
    rows = torch.fft.fftfreq(height)[:, None]
    columns = torch.fft.rfftfreq(width)[None]
    frequency = (rows.square() + columns.square()).sqrt().clamp_min(1 / max(height, width))
    amplitude = frequency ** -(1 + draws.uniform(1, 1, 1))
    mixed = draws.normal(1, height, width) + 0.3 * draws.normal(channels, height, width)
    noise = torch.fft.irfft2(torch.fft.rfft2(mixed) * amplitude, s=(height, width))
    low, high = noise.amin((1, 2, 3), keepdim=True), noise.amax((1, 2, 3), keepdim=True)
    scaled: Tensor = (noise - low) / (high - low)
    return scaled


def _leaves(draws: Draws, scenes: Tensor, grain: Tensor) -> Tensor:
    """Scenes N×C×H×W behind up to LEAVES discs and boxes, turned, shaded and grained.

    Radii have the density r^-3, which makes a scene look alike at every scale.
    """
    rows, columns = _axes(scenes)
    pixel = 1 / max(scenes.shape[2:])
    some = draws.uniform(1, 1, 1)
    for number in range(LEAVES):
        u = draws.uniform(9, 1, 1, 1).unbind(1)
        radius = 0.08 / (1 - 0.99 * u[0]).sqrt()
        angle, stretch = math.pi * u[1], 0.5 + u[2]
        down, right = rows - u[3], columns - u[4]
        along = (angle.cos() * right + angle.sin() * down) * stretch
        across = (angle.cos() * down - angle.sin() * right) / stretch
        disc = (along.square() + across.square()).sqrt()
        distance = torch.where(u[5] < 0.5, disc, torch.maximum(along.abs(), across.abs())) - radius
        inside = torch.sigmoid(-distance / (pixel * (0.1 + 0.6 * u[6].square())))
        shade = 0.6 * (u[7] - 0.5) * along / radius.clamp_min(0.2)
        fill = _colours(draws, scenes.shape[1]) + shade + 0.5 * u[8].square() * (grain - 0.5)
        scenes = torch.where(number < LEAVES * some, scenes + inside * (fill - scenes), scenes)
    return scenes


def strokes(draws: Draws, shape: tuple[int, ...]) -> Tensor:
    """N×1×H×W in [0, 1]: how much ink lies on each pixel under one or two bent strokes of a pen."""
    _, height, width = shape
    some = draws.uniform(1, 1, 1)
    ink = torch.zeros(len(some), 1, height, width)
    rows, columns = _axes(ink)
    pixel = 1 / max(height, width)
    for number in range(STROKES):
        y, x, way, pen = draws.uniform(4, 1, 1, 1).unbind(1)
        y, x, way = 0.25 + 0.5 * y, 0.25 + 0.5 * x, 2 * math.pi * way
        turns, steps = draws.uniform(2, PARTS, 1, 1, 1).unbind(1)
        bend = 2.4 * (draws.uniform(1, 1, 1) - 0.5)
        distance = torch.full_like(ink, 9.0)
        for part in range(PARTS):
            way = way + bend + 1.2 * (turns[:, part] - 0.5)
            length = 0.06 + 0.16 * steps[:, part]
            down, right = length * way.sin(), length * way.cos()
            along = ((rows - y) * down + (columns - x) * right) / length.square()
            along = along.clamp(0, 1)
            off = (rows - y - along * down).square() + (columns - x - along * right).square()
            distance = torch.minimum(distance, off.sqrt())
            y, x = (y + down).clamp(0.1, 0.9), (x + right).clamp(0.1, 0.9)
        reach = pixel * (0.7 + 1.4 * pen)
        drawn = torch.sigmoid((reach - distance) / (0.35 * pixel))
        ink = torch.where(number < 1 + (some < 0.4), torch.maximum(ink, drawn), ink)
    return ink


def _colours(draws: Draws, channels: int) -> Tensor:
    """N×C×1×1 in [0, 1], the channels of a colour near one another."""
    gray = draws.uniform(1, 1, 1)
    return (gray + 0.13 * draws.normal(channels, 1, 1) * (channels > 1)).clamp(0, 1)


def _axes(images: Tensor) -> tuple[Tensor, Tensor]:
    """Centres of the rows, H×1, and of the columns, 1×W, in [0, 1]."""
    height, width = images.shape[2:]
    return (
        (torch.arange(height) + 0.5).view(-1, 1) / height,
        (torch.arange(width) + 0.5).view(1, -1) / width,
    )
