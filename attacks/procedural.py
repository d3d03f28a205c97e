"""Images that anyone can draw: what an adversary without images calibrates itself on."""

from __future__ import annotations

import torch
from torch import Tensor


def procedural_images(count: int, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """N×C×H×W in [0, 1], float32 on the CPU: smooth clouds with flat discs and boxes before them.

    The clouds are noise of amplitude 1/f, the spectrum of natural images (Field, 1987). Half of
    the images are dark with a few bright strokes of the same clouds, as drawings are.
    """
    clouds = _clouds(count, shape, generator)
    images = torch.stack([_with_shapes(each, generator) for each in clouds])
    sketches = torch.sigmoid(12 * (_clouds(count, shape, generator) - 0.62))
    drawn = torch.arange(count).view(-1, 1, 1, 1) % 2 == 1
    return torch.where(drawn, images * sketches, images).clamp(0, 1)


def _clouds(count: int, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Noise of amplitude 1/f in each channel, most of it shared, scaled into [0, 1]."""
    channels, height, width = shape
    rows = torch.fft.fftfreq(height)[:, None]
    columns = torch.fft.rfftfreq(width)[None]
    amplitude = 1 / (rows.square() + columns.square()).sqrt().clamp_min(1 / max(height, width))
    shared = torch.randn(count, 1, height, width, generator=generator)
    own = torch.randn(count, channels, height, width, generator=generator)
    noise = torch.fft.irfft2(torch.fft.rfft2(shared + 0.5 * own) * amplitude, s=(height, width))
    low, high = noise.amin((1, 2, 3), keepdim=True), noise.amax((1, 2, 3), keepdim=True)
    scaled: Tensor = (noise - low) / (high - low)
    return scaled


def _with_shapes(image: Tensor, generator: torch.Generator) -> Tensor:
    """The image behind one to five discs and boxes of one colour each."""
    channels, height, width = image.shape
    rows = torch.arange(height).view(-1, 1) / height
    columns = torch.arange(width).view(1, -1) / width
    for _ in range(int(torch.randint(1, 6, (), generator=generator))):
        y, x, size, kind = torch.rand(4, generator=generator)
        radius = 0.08 + 0.25 * size
        down, right = (rows - y).abs(), (columns - x).abs()
        disc = down.square() + right.square() < radius**2
        inside = disc if kind < 0.5 else (down < radius) & (right < 0.7 * radius)
        colour = torch.rand(channels, 1, 1, generator=generator)
        image = torch.where(inside, colour, image)
    return image
