"""A bound that no attack comes into: how much noise a cut would need.

Features v = f(x) + n with n Gaussian of deviation σ have the Fisher information JᵀJ / σ², J the
edge's Jacobian at x. By Cramér and Rao, the mean squared error per pixel of any unbiased estimate
of x is at least 1 / dFIL, where dFIL = tr(JᵀJ) / (d·σ²) over d pixels (Maeng et al., 2023,
arXiv 2305.04146). An attack with a prior is biased, and may come closer.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

#: The PSNR that noise is to cap, in dB; images and probes that the trace is estimated from.
CAPPED_PSNR = 20.0
IMAGES, PROBES = 8, 8


def fisher_trace(edge: nn.Module, images: Tensor, probes: int = PROBES) -> float:
    """tr(JᵀJ) / d, the mean over images N×C×H×W, by Hutchinson's estimate: the mean of ‖Jᵀs‖²
    over random signs s."""
    generator = torch.Generator().manual_seed(0)
    at = images.detach().clone().requires_grad_()
    with torch.enable_grad():
        features = edge(at)
    total = 0.0
    for _ in range(probes):
        signs = 2 * torch.randint(0, 2, features.shape, generator=generator).to(features) - 1
        (found,) = torch.autograd.grad(features, at, signs, retain_graph=True)
        total += float(found.double().square().mean())
    return total / probes


@torch.no_grad()
def noise_needed(edge: nn.Module, images: Tensor) -> float | None:
    """σ, as a share of the features' root mean square, at which no unbiased estimate exceeds
    CAPPED_PSNR; None where the edge has no derivative."""
    try:
        trace = fisher_trace(edge, images[:IMAGES])
    except RuntimeError:
        return None
    size = float(edge(images[:IMAGES]).double().square().mean().sqrt())
    if not (math.isfinite(trace) and size > 0):
        return None
    return math.sqrt(trace * 10 ** (-CAPPED_PSNR / 10)) / size
