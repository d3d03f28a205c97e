"""An affine edge is inverted bit for bit, by whoever may use it, and another one is told apart."""

from __future__ import annotations

import pytest
import torch
from splitzoo.attacks import Adversary, AffineInversion, GrayImage, MeanImage, get_setting
from splitzoo.zoo import Images, InputError, Target, split_module
from torch import Tensor, nn


class Small(nn.Module):
    """A convolution that answers 162 numbers for 48 pixels, and what may follow it."""

    def __init__(self, *after: nn.Module) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 18, 2)
        self.after = nn.Sequential(*after)
        self.head = nn.Flatten()

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.after(self.conv(x)))  # type: ignore[no-any-return]


@pytest.fixture
def secret() -> Tensor:
    pixels = torch.randint(256, (3, 3, 4, 4), generator=torch.Generator().manual_seed(1))
    return pixels / 255


def target(secret: Tensor, at: str, *after: nn.Module) -> Target:
    torch.manual_seed(0)
    return split_module(Small(*after), at, secret, mean=(0.4,) * 3, std=(0.2,) * 3)


@pytest.mark.parametrize(("setting", "queries"), [("white_box", 0), ("black_box_rand_set", 49)])
def test_every_bit_comes_back(secret: Tensor, setting: str, queries: int) -> None:
    """Held against the pixels, and against a dense solution of NumPy's."""
    cut = target(secret, "conv")
    adversary = Adversary(get_setting(setting), cut)
    features = cut.edge(secret).detach()
    recovered = AffineInversion().prepare(adversary).reconstruct(features)
    assert torch.equal((255 * recovered).round(), (255 * secret).round())
    assert adversary.queries == queries
    with torch.no_grad():
        eye = torch.eye(48).view(48, 3, 4, 4)
        offset = cut.edge.unchecked(torch.zeros(1, 3, 4, 4)).flatten()
        matrix = (cut.edge.unchecked(eye).flatten(1) - offset).T.double()
    dense = torch.linalg.lstsq(matrix, (features.flatten(1) - offset).T.double()).solution.T
    assert torch.allclose(dense.view_as(secret).float(), recovered, atol=0.002)


@pytest.mark.parametrize("setting", ["white_box", "black_box_rand_set"])
def test_an_edge_that_is_not_affine_is_refused_in_a_line(secret: Tensor, setting: str) -> None:
    cut = target(secret, "after", nn.ReLU())
    prepared = AffineInversion().prepare(Adversary(get_setting(setting), cut))
    with pytest.raises(InputError, match="not affine"):
        prepared.reconstruct(cut.edge(secret).detach())


@pytest.mark.parametrize(
    ("layer", "said"),
    [(nn.AvgPool2d(3), "fewer than the pixels"), (nn.Conv2d(18, 20, 1), "do not determine")],
)
def test_features_that_hold_too_little_are_refused(
    secret: Tensor, layer: nn.Module, said: str
) -> None:
    """A pool leaves 18 numbers; a convolution whose filters are all one leaves nine in 180."""
    if isinstance(layer, nn.Conv2d):
        with torch.no_grad():
            layer.weight.fill_(0.1)
    cut = target(secret, "after", layer)
    with pytest.raises(InputError, match=said):
        AffineInversion().prepare(Adversary(get_setting("black_box_rand_set"), cut))


def test_the_baselines_look_at_no_feature(secret: Tensor) -> None:
    cut = target(secret, "conv")
    own = Images(
        torch.tensor([0, 100, 200]).view(3, 1, 1, 1).expand(3, 3, 4, 4).byte(), torch.zeros(3)
    )
    features = torch.randn(2, *cut.feature_shape)
    gray = GrayImage().prepare(
        Adversary(get_setting("query_free_same_set_diff_net"), cut, data=own)
    )
    assert (gray.reconstruct(features) == 0.5).all()
    mean = MeanImage().prepare(
        Adversary(get_setting("query_free_same_set_diff_net"), cut, data=own)
    )
    assert torch.allclose(mean.reconstruct(features), torch.tensor(100 / 255))
