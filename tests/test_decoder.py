"""The decoder: a network, a loss and queries that follow from what there is."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from splitzoo.attacks import (
    SETTINGS,
    Adversary,
    Draws,
    ResidualDecoder,
    procedural_images,
)
from splitzoo.attacks.by_name import checkpoint_name
from splitzoo.attacks.procedural import clouds, strokes
from splitzoo.attacks.residual_decoder import apart, scored
from splitzoo.attacks.similarity import similarity
from splitzoo.zoo import Decoder, Images, Target
from splitzoo.zoo.averaging import Averaged
from splitzoo.zoo.resume import load_progress, save_progress
from torch import Tensor, nn

SMALL = ResidualDecoder(steps=6, batch_size=16, width=8, queries=32)


@pytest.mark.parametrize(
    ("features", "images"),
    [
        ((8, 24, 24), (1, 28, 28)),  # LeNet's conv1: four borders lost
        ((16, 8, 8), (1, 28, 28)),
        ((16, 4, 4), (1, 28, 28)),
        ((120,), (1, 28, 28)),
        ((10,), (3, 32, 32)),
        ((64, 32, 32), (3, 32, 32)),
        ((128, 8, 8), (3, 32, 32)),
        ((64, 1, 1), (3, 32, 32)),
        ((4, 40, 40), (3, 32, 32)),  # larger than the image
        ((65, 12), (3, 32, 32)),  # tokens, one of a class before them
        ((16, 12), (3, 32, 32)),
        ((7, 12), (3, 32, 32)),  # a sequence that is no grid
        ((6, 5, 9), (2, 17, 40)),
    ],
)
def test_the_architecture_follows_from_the_shapes(
    features: tuple[int, ...], images: tuple[int, ...]
) -> None:
    decoder = Decoder(features, images, width=8)
    answer = decoder(torch.randn(2, *features))
    assert answer.shape == (2, *images)
    answer.square().sum().backward()
    for name, weight in decoder.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.any(), name


@pytest.mark.parametrize(
    ("features", "reach"), [((1, 24, 24), 1), ((1, 12, 12), 2), ((1, 8, 8), 2)]
)
def test_a_cell_stands_over_the_pixels_that_it_was_computed_from(
    features: tuple[int, ...], reach: int
) -> None:
    """LeNet's grids, whose convolutions lose borders: the middle of a grid shows in the middle."""
    torch.manual_seed(0)
    decoder = Decoder(features, (1, 28, 28), width=4)
    with torch.no_grad():
        lit = torch.zeros(1, *features)
        lit[0, 0, features[1] // 2 - 1 : features[1] // 2 + 1, features[2] // 2 - 1 :][:, :2] = 1.0
        change = (decoder(lit) - decoder(torch.zeros(1, *features))).abs()[0, 0]
    axis = torch.arange(28.0)
    for marginal in (change.sum(0), change.sum(1)):
        centre = float((axis * marginal).sum() / marginal.sum())
        assert centre == pytest.approx(13.5, abs=reach)


def test_similarity_is_what_is_scored(digits: Tensor) -> None:
    """Against scikit-image, channel by channel, as the benchmark's SSIM calls it."""
    generator = torch.Generator().manual_seed(0)
    for shape in ((4, 1, 28, 28), (3, 3, 32, 20)):
        images = torch.rand(*shape, generator=generator, dtype=torch.float64)
        others = (images + 0.2 * torch.randn(*shape, generator=generator)).clamp(0, 1)
        expected = [
            structural_similarity(
                a.numpy(),
                b.numpy(),
                data_range=1.0,
                channel_axis=0,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
            for a, b in zip(images, others, strict=True)
        ]
        assert similarity(images, others).tolist() == pytest.approx(expected, abs=1e-6)


def test_the_loss_serves_both_scores() -> None:
    """A step against its gradient lowers the error and raises SSIM; by hand where all is alike."""
    truth = procedural_images(6, (3, 32, 32), torch.Generator().manual_seed(3))
    images = (truth + 0.1 * torch.randn_like(truth)).requires_grad_()
    (gradient,) = torch.autograd.grad(scored(images, truth).sum(), images)
    step = gradient / gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    better = (images - 0.5 * step).detach()
    assert ((better - truth).square() < (images - truth).square()).float().mean() > 0.5
    assert ((better - truth).square().mean() < (images - truth).square().mean()).item()
    assert (similarity(better, truth) > similarity(images, truth)).all()
    assert scored(truth, truth)[0].item() == pytest.approx(0.1 * math.log(1e-6), rel=1e-5)
    # Of two flat images 0.5 apart the first fraction is (2·0.5·1 + c) / (0.25 + 1 + c).
    flat = torch.full((1, 1, 16, 16), 0.5, dtype=torch.float64)
    light = (1.0 + 1e-4) / (1.25 + 1e-4)
    expected = 0.1 * math.log(0.25 + 1e-6) + 1 - light
    assert scored(flat, 2 * flat).item() == pytest.approx(expected, abs=1e-5)


def test_the_average_is_that_of_a_slow_loop(tmp_path: Path) -> None:
    """Weight by weight; and a training that goes on from its file has the same."""
    torch.manual_seed(0)
    network = nn.Linear(3, 2)
    learning = Averaged(network, 0.7)
    expected = network.weight.detach().double().numpy().copy()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    for step in range(1, 13):
        with torch.no_grad():
            network.weight.add_(torch.randn(2, 3))
        learning.update()
        decay = min(0.7, (1 + step) / (10 + step))
        for row in range(2):
            for column in range(3):
                now = network.weight[row, column].item()
                expected[row, column] = decay * expected[row, column] + (1 - decay) * now
        if step == 6:
            save_progress(tmp_path / "six.safetensors", {}, learning, optimizer, 6)
            again = Averaged(nn.Linear(3, 2), 0.7)
            load_progress(tmp_path / "six.safetensors", {}, again, optimizer)
            assert torch.equal(again.average.weight, learning.average.weight)
            assert again.steps == 6
    learning.hand_over()
    assert np.allclose(network.weight.detach().numpy(), expected, atol=1e-6)
    assert all(weight.requires_grad for weight in network.parameters())


def adversary_in(setting: str, target: Target, images: Images | None) -> Adversary:
    return Adversary(SETTINGS[setting], target, data=images)


@pytest.fixture
def images() -> Images:
    pixels = torch.randint(256, (48, 1, 28, 28), generator=torch.Generator().manual_seed(0))
    return Images(pixels.to(torch.uint8), torch.arange(48) % 10)


@pytest.mark.parametrize(
    ("setting", "queries"),
    [
        ("black_box_same_set", 42),  # an eighth of 48 is held out
        ("black_box_same_dist", 42),
        ("black_box_rand_set", 32),
        ("white_box", 0),
        ("white_box_same_dist", 0),
    ],
)
def test_every_picture_is_one_query(
    setting: str, queries: int, lenet: Target, images: Images
) -> None:
    adversary = adversary_in(setting, lenet, images)
    prepared = SMALL.prepare(adversary)
    assert adversary.queries == queries
    recovered = prepared.reconstruct(lenet.edge(images.floats()[:3]).detach())
    assert recovered.shape == (3, 1, 28, 28)


def test_few_images_are_queried_again_moved(lenet: Target, images: Images) -> None:
    adversary = adversary_in("black_box_same_dist", lenet, images)
    pictures = replace(SMALL, queries=100).pictures(adversary, torch.Generator().manual_seed(0))
    learned, held = apart(48)
    assert len(pictures) == 3 * 42
    assert torch.equal(pictures[:42], images.pixels[learned])
    own = [image[0, 4:-4, 4:-4] for image in pictures[42:84]]
    for moved, first in zip(own, images.pixels[learned], strict=True):
        places = [
            first[0, 4 + down : 24 + down, 4 + right : 24 + right]
            for down in range(-2, 3)
            for right in range(-2, 3)
        ]
        assert any(torch.equal(moved, place) for place in places), "a shift, never a mirroring"
    assert not set(learned.tolist()) & set(held.tolist())
    assert len(held) == 6


def test_its_weights_are_what_is_stored(lenet: Target, images: Images) -> None:
    network, _ = SMALL.train(adversary_in("black_box_same_set", lenet, images))
    for weight in network.parameters():
        assert torch.equal(weight, weight.half().float())


def test_one_network_serves_where_the_same_images_are_held() -> None:
    for setting, variant in (
        ("white_box", "rand_set"),
        ("black_box_rand_set", "rand_set"),
        ("white_box_same_dist", "same_dist"),
        ("black_box_same_set", "same_set"),
    ):
        name = checkpoint_name("decoder", "lenet", "relu2", setting)
        assert name == f"lenet_decoder_relu2-{variant}"


def test_it_learns_to_invert_from_pictures_alone(lenet: Target) -> None:
    """LeNet's conv1: far better than the mean image, on pictures that it has never seen."""
    attack = ResidualDecoder(steps=160, width=8, queries=960, learning_rate=8e-3)
    truth = procedural_images(32, (1, 28, 28), torch.Generator().manual_seed(11))
    prepared = attack.prepare(adversary_in("black_box_rand_set", lenet, None))
    recovered = prepared.reconstruct(lenet.edge(truth).detach())
    assert (recovered - truth).square().mean() < 0.1 * truth.var()


def test_a_picture_follows_from_its_number() -> None:
    few = procedural_images(3, (3, 32, 32), torch.Generator().manual_seed(5))
    many = procedural_images(40, (3, 32, 32), torch.Generator().manual_seed(5))
    assert torch.equal(few, many[:3])
    assert not torch.equal(few, procedural_images(3, (3, 32, 32), torch.Generator()))


def test_clouds_have_the_spectrum_of_photographs() -> None:
    """The mean amplitude falls with frequency about as 1/f, against a straight line's slope."""
    noise = clouds(Draws(0, range(200), torch.device("cpu")), (1, 32, 32))[:, 0]
    amplitude = torch.fft.rfft(noise - noise.mean((1, 2), keepdim=True)).abs().mean((0, 1))[1:16]
    frequency = torch.arange(1, 16, dtype=torch.float32)
    slope = np.polyfit(frequency.log().numpy(), amplitude.log().numpy(), 1)[0]
    assert -1.6 < slope < -0.6


def test_a_stroke_is_ink_on_a_blank_page() -> None:
    ink = strokes(Draws(0, range(64), torch.device("cpu")), (1, 28, 28))
    covered = (ink > 0.5).float().mean((1, 2, 3))
    assert (covered > 0.004).all()
    assert (covered < 0.5).all()
    assert ((ink < 0.01).float().mean((1, 2, 3)) > 0.3).all()
