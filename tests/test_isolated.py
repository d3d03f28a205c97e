"""An attack in a worker recovers what it recovers here, and has nothing there to cheat with."""

from __future__ import annotations

import pytest
import torch
from splitzoo.attacks import configured
from splitzoo.bench import scenario
from splitzoo.bench.referee.attacking import attack_images
from splitzoo.bench.referee.isolated import attack_isolated
from splitzoo.bench.referee.workers import Limits

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("where", "name", "fields"),
    [
        ("white_box/lenet/conv1", "rmle", {"iterations": 30}),
        ("black_box_rand_set/lenet/conv1", "affine_inversion", {}),
        ("black_box_rand_set/lenet/relu2", "inverse_network", {"steps": 4, "noise_images": 70}),
    ],
)
def test_a_worker_recovers_the_same_images_for_as_many_queries(
    where: str, name: str, fields: dict[str, object]
) -> None:
    """Held against the same attack in this process, image by image, though their order differs."""
    there = scenario(where, "paper10")
    attack = configured(name, there.target.name, there.setting.name, fields)
    images = there.evaluation().images
    here = attack_images(attack, there, images, device=CPU)
    apart = attack_isolated(attack, there, images, device=CPU, limits=Limits())
    assert (here.pixels.int() - apart.pixels.int()).abs().max() <= 1
    assert (apart.queries, apart.network) == (here.queries, here.network)
    assert apart.order is not None
