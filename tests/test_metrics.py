"""The metrics against scikit-image, slow loops and hand-worked numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio
from splitzoo.bench import exact, mean, psnr, ssim
from splitzoo.zoo import InputError


def pair(channels: int, side: int, noise: float = 0.1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(channels * 100 + side)
    images = torch.rand(3, channels, side, side, generator=generator)
    noisy = images + noise * torch.randn(images.shape, generator=generator)
    return images, noisy.clamp(0, 1)


def ssim_by_loops(x: np.ndarray, y: np.ndarray) -> float:
    """Wang et al. (2004), equations 13 to 16, one window at a time, where windows fit whole."""
    offsets = np.arange(-5, 6)
    line = np.exp(-(offsets**2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    c1, c2 = 0.01**2, 0.03**2
    values = []
    for i in range(5, x.shape[0] - 5):
        for j in range(5, x.shape[1] - 5):
            a, b = (z[i - 5 : i + 6, j - 5 : j + 6] for z in (x, y))
            mu_a, mu_b = (window * a).sum(), (window * b).sum()
            var_a = (window * a * a).sum() - mu_a**2
            var_b = (window * b * b).sum() - mu_b**2
            cov = (window * a * b).sum() - mu_a * mu_b
            luminance = (2 * mu_a * mu_b + c1) / (mu_a**2 + mu_b**2 + c1)
            values.append(luminance * (2 * cov + c2) / (var_a + var_b + c2))
    return float(np.mean(values))


@pytest.mark.parametrize(("channels", "side"), [(1, 28), (3, 32)])
def test_psnr_is_scikit_images(channels: int, side: int) -> None:
    images, noisy = pair(channels, side)
    expected = [
        peak_signal_noise_ratio(a, b, data_range=1.0)
        for a, b in zip(images.double().numpy(), noisy.double().numpy(), strict=True)
    ]
    assert psnr(images, noisy) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("metric", [psnr, ssim, exact])
@pytest.mark.parametrize("scale", [255.0, -1.0, math.nan])
def test_images_outside_0_to_1_are_refused(metric: Callable[..., object], scale: float) -> None:
    """Pixels from 0 to 255, or normalised ones, would score anything but what they are."""
    images, noisy = pair(1, 28)
    for one, other in ((images * scale, noisy), (images, noisy * scale)):
        with pytest.raises(InputError, match=r"\[0, 1\]|NaN"):
            metric(one, other)


def test_psnr_by_hand() -> None:
    """Every pixel off by 0.1: MSE 0.01, so 20 dB; by 1: 0 dB; not at all: the cap of 100 dB."""
    black = torch.zeros(3, 1, 12, 12)
    other = torch.stack([torch.full((1, 12, 12), value) for value in (0.1, 1.0, 0.0)])
    assert psnr(black, other) == pytest.approx([20, 0, 100], abs=1e-5)


@pytest.mark.parametrize(("channels", "side"), [(1, 28), (3, 32)])
def test_ssim_is_wangs(channels: int, side: int) -> None:
    images, noisy = pair(channels, side)
    expected = [
        np.mean([ssim_by_loops(a, b) for a, b in zip(image, other, strict=True)])
        for image, other in zip(images.double().numpy(), noisy.double().numpy(), strict=True)
    ]
    assert ssim(images, noisy) == pytest.approx(expected, abs=1e-9)


def test_ssim_by_hand() -> None:
    """Two flat images have no structure: only luminance (2ab + c1) / (a² + b² + c1) is left."""
    a, b = 0.2, 0.6
    expected = (2 * a * b + 1e-4) / (a * a + b * b + 1e-4)
    value = ssim(torch.full((1, 1, 16, 16), a), torch.full((1, 1, 16, 16), b))
    assert value == pytest.approx([expected], abs=1e-5)


def test_ssim_does_not_depend_on_the_range_of_the_reconstruction() -> None:
    """The released code takes the data range from the reconstruction, which distorts it."""
    images, noisy = pair(1, 28)
    flat = noisy * 0.1
    reference = [
        ssim_by_loops(a[0], b[0])
        for a, b in zip(images.double().numpy(), flat.double().numpy(), strict=True)
    ]
    assert ssim(images, flat) == pytest.approx(reference, abs=1e-9)


def test_exact_rounds_to_8_bits() -> None:
    image = torch.arange(144).view(1, 1, 12, 12) / 255
    near, far = image + 0.4 / 255, image.clone()
    far[0, 0, 0, 0] += 0.6 / 255
    assert exact(image.repeat(2, 1, 1, 1), torch.cat([near, far])) == [True, False]


def test_mean_and_interval_by_hand() -> None:
    """1, 2, 3, 4, 5: mean 3, s = √2.5, t(0.975, 4) = 2.776 from the table."""
    value = mean([1, 2, 3, 4, 5])
    assert (value.value, value.n) == (3, 5)
    assert value.half_width == pytest.approx(2.776 * math.sqrt(2.5) / math.sqrt(5), abs=1e-3)


def test_one_value_has_no_interval() -> None:
    assert mean([7.0]).half_width == math.inf
