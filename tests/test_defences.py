"""A defence makes a target of a target: one more edge, whose noise is nobody's but its own."""

from __future__ import annotations

import copy

import pytest
import torch
from splitzoo.attacks import Adversary, get_setting
from splitzoo.bench import Run, attack_images, scenario
from splitzoo.zoo import Images, Target, UnknownNameError, all_defences, get_defence
from torch import Tensor

NOISE = get_defence("gaussian_noise")


def test_noise_has_the_strength_that_was_asked_for(lenet: Target) -> None:
    """Relative to each image's own features: 0.3 of their root mean square, and no bias."""
    images = torch.rand(40, 1, 28, 28)
    images[:20] *= 0.2
    plain = lenet.edge(images)
    noise = NOISE(sigma=0.3).protect(lenet).edge(images) - plain
    relative = noise.flatten(1) / plain.flatten(1).square().mean(1, keepdim=True).sqrt()
    assert relative.std(1).mean().item() == pytest.approx(0.3, rel=0.02)
    assert relative.std(1).std().item() < 0.01
    assert abs(relative.mean().item()) < 0.01


def test_no_noise_is_no_defence(lenet: Target, digits: Tensor) -> None:
    protected = NOISE(sigma=0.0).protect(lenet)
    assert torch.equal(protected.edge(digits), lenet.edge(digits))
    assert torch.equal(protected(digits), lenet(digits))


def test_a_defended_target_is_another_and_leaves_the_first_alone(
    lenet: Target, digits: Tensor
) -> None:
    before = lenet.sha256, lenet(digits)
    hashes = {NOISE(sigma=sigma).protect(lenet).sha256 for sigma in (0.1, 0.2)}
    assert len(hashes | {before[0]}) == 3
    assert (lenet.sha256, True) == (before[0], torch.equal(lenet(digits), before[1]))


def test_every_answer_has_fresh_noise_and_a_run_can_be_repeated(
    lenet: Target, digits: Tensor
) -> None:
    protected = NOISE(sigma=0.5).protect(lenet)
    first, second = protected.edge(digits), protected.edge(digits)
    assert not torch.equal(first, second)
    again = NOISE(sigma=0.5).protect(lenet)
    assert torch.equal(torch.cat([again.edge(image[None]) for image in digits]), first)


def test_an_adversary_does_not_hold_the_victims_noise(lenet: Target, digits: Tensor) -> None:
    """Whoever could draw it again could subtract it."""
    protected = NOISE(sigma=0.5).protect(lenet)
    for setting in ("white_box", "black_box_rand_set"):
        mine = Adversary(get_setting(setting), copy.deepcopy(protected)).query(digits)
        assert not torch.equal(mine, copy.deepcopy(protected).edge(digits))
        assert not torch.equal(mine, lenet.edge(digits))


def test_noise_costs_an_attack_quality() -> None:
    images = Images(torch.randint(256, (6, 1, 28, 28)).byte(), torch.zeros(6))
    errors = []
    for sigma in (0.0, 0.5):
        where = scenario("white_box/lenet/conv1", defence=NOISE(sigma=sigma))
        attack = Run(where, "rmle").configure()
        recovered = attack_images(attack, where, images, device=torch.device("cpu")).pixels
        errors.append((recovered.double() - images.pixels.double()).square().mean().item())
    assert errors[1] > 100 * (errors[0] + 0.01)


def test_a_defended_scenario_has_a_name_and_place_of_its_own() -> None:
    plain = scenario("white_box/lenet/conv1")
    where = scenario("white_box/lenet/conv1", defence=NOISE(sigma=0.5))
    assert where.key == "white_box/lenet/conv1+gaussian_noise-sigma0.5"
    assert where != plain
    run = Run(where, "inverse_network")
    assert run.checkpoint_name() is None, "no network was published for it"
    assert run.identity()["defence"]["fields"] == {"sigma": 0.5}


def test_unknown_defences_list_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'gaussian_noise'"):
        get_defence("gausian_noise")
    for defence in all_defences().values():
        assert defence.title
        assert defence.citation
        assert defence.__doc__
