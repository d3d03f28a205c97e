"""A split network is the whole network, cut: the identity that everything rests on."""

from __future__ import annotations

import re

import pytest
import splitzoo
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from splitzoo.zoo import InputError, Target, UnknownNameError, list_models, load_split, networks
from splitzoo.zoo.manifests import FOLDER

EVERY_SPLIT = [(name, split) for name, network in networks().items() for split in network.splits]


def images_of(network: str, count: int = 3) -> torch.Tensor:
    shape = networks()[network].input_shape
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(1))


def whole_network(network: str, images: torch.Tensor) -> torch.Tensor:
    """The network written out by hand from the paper's notes, with the published weights."""
    w = load_file(FOLDER / f"{network}.safetensors")
    if network == "resnet20":
        return resnet20(w, images)

    def conv(x: torch.Tensor, name: str, padding: int) -> torch.Tensor:
        return F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], padding=padding)

    def linear(x: torch.Tensor, name: str) -> torch.Tensor:
        return F.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])

    if network == "lenet":
        x = (images - 0.5) / 0.5
        for name in ("conv1", "conv2"):
            x = F.max_pool2d(F.relu(conv(x, name, 0)), 2)
        x = F.relu(linear(x.flatten(1), "fc1"))
        return linear(F.relu(linear(x, "fc2")), "fc3")
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    x = (images - mean) / std
    for block in "123":
        x = F.relu(conv(F.relu(conv(x, f"conv{block}1", 1)), f"conv{block}2", 1))
        x = F.max_pool2d(x, 2)
    return linear(torch.sigmoid(linear(x.flatten(1), "fc1")), "fc2")


def resnet20(w: dict[str, torch.Tensor], images: torch.Tensor) -> torch.Tensor:
    """ResNet-20 written out from §4.2 of its paper, on the published weights."""

    def conv(x: torch.Tensor, name: str, stride: int) -> torch.Tensor:
        kernel = w[f"{name}.weight"]
        return F.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2)

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        weights = (w[f"{name}.{part}"] for part in ("running_mean", "running_var"))
        return F.batch_norm(x, *weights, w[f"{name}.weight"], w[f"{name}.bias"])

    mean = torch.tensor([0.4914, 0.4822, 0.4465])[:, None, None]
    std = torch.tensor([0.2470, 0.2435, 0.2616])[:, None, None]
    x = F.relu(norm(conv((images - mean) / std, "conv1", 1), "bn1"))
    for stage in (1, 2, 3):
        for block in (1, 2, 3):
            name, stride = f"block{stage}{block}", 2 if stage > 1 and block == 1 else 1
            inner = F.relu(norm(conv(x, f"{name}.body.0", stride), f"{name}.body.1"))
            inner = norm(conv(inner, f"{name}.body.3", 1), f"{name}.body.4")
            if stride == 2:
                x = norm(conv(x, f"{name}.shortcut.0", stride), f"{name}.shortcut.1")
            x = F.relu(inner + x)
    return F.linear(x.mean((2, 3)), w["fc.weight"], w["fc.bias"])


@pytest.mark.parametrize(("network", "split"), EVERY_SPLIT)
def test_edge_then_cloud_is_the_whole_network_bit_for_bit(network: str, split: str) -> None:
    model = load_split(network, split)
    images = images_of(network)
    expected = whole_network(network, images)
    with torch.no_grad():
        features = model.edge(images)
        assert tuple(features.shape[1:]) == model.feature_shape
        assert torch.equal(model.cloud(features), expected)
        assert torch.equal(model(images), expected)


@pytest.mark.parametrize(
    ("network", "split", "shape"),
    [
        ("lenet", "conv1", (8, 24, 24)),
        ("lenet", "relu2", (16, 8, 8)),
        ("lenet", "pool2", (16, 4, 4)),
        ("lenet", "fc1", (120,)),
        ("cifar_cnn", "conv11", (64, 32, 32)),
        ("cifar_cnn", "relu22", (128, 16, 16)),
        ("cifar_cnn", "relu32", (128, 8, 8)),
        ("cifar_cnn", "fc1_sigmoid", (512,)),
    ],
)
def test_feature_shapes(network: str, split: str, shape: tuple[int, ...]) -> None:
    assert load_split(network, split, weights=None).feature_shape == shape


def test_layer_names_are_the_papers() -> None:
    assert " ".join(networks()["lenet"].splits) == (
        "conv1 relu1 pool1 conv2 relu2 pool2 fc1 fc1_relu fc2 fc2_relu fc3"
    )
    assert " ".join(networks()["cifar_cnn"].splits) == (
        "conv11 relu11 conv12 relu12 pool1 conv21 relu21 conv22 relu22 pool2 conv31 relu31 "
        "conv32 relu32 pool3 fc1 fc1_sigmoid fc2"
    )


def test_networks_come_in_eval_mode() -> None:
    assert not load_split("lenet", "relu2").training
    assert not load_split("lenet", "relu2", weights=None).training


@pytest.mark.parametrize(
    ("images", "remedy"),
    [
        (torch.zeros(1, 28, 28), "batch dimension"),
        (torch.zeros(2, 3, 32, 32), "N×1×28×28"),
        (torch.zeros(2, 1, 28, 28, dtype=torch.uint8), "/ 255"),
        (torch.full((2, 1, 28, 28), 200.0), "divide 8-bit pixels by 255"),
        (torch.full((2, 1, 28, 28), -1.0), "do not normalise"),
        (torch.full((2, 1, 28, 28), float("nan")), "NaN"),
        (torch.full((2, 1, 28, 28), float("inf")), "infinity"),
        ([[0.0]], "tensor"),
    ],
)
def test_unusable_images_name_the_remedy(lenet: Target, images: object, remedy: str) -> None:
    for take in (lenet, lenet.edge):
        with pytest.raises(InputError, match=remedy) as caught:
            take(images)
        assert "\n" not in str(caught.value)


def test_layers_can_be_taken_from_an_edge(digits: torch.Tensor) -> None:
    """As from the `nn.Sequential` that it is; its first is the normalisation."""
    edge = load_split("lenet", "relu2").edge
    some = edge[1:3](edge[0](digits))
    assert torch.equal(some, F.relu(edge.conv1((digits - 0.5) / 0.5)))
    assert torch.equal(edge[3:](some), edge(digits))
    assert edge[-1] is edge.relu2


def test_an_edge_answers_any_batch_where_it_is_asked_to(lenet: Target) -> None:
    """What a descent passes through on its way, and what noise queries with."""
    noise = torch.randn(2, 1, 28, 28)
    inside = noise.clamp(0, 1)
    assert torch.equal(lenet.edge.unchecked(inside), lenet.edge(inside))
    assert torch.isfinite(lenet.edge.unchecked(noise)).all()


def test_the_version_and_the_models_can_be_asked_for() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", splitzoo.__version__)
    found = list_models("lenet*", kind="inverse")
    assert len(found) == 6
    assert all(name.startswith("lenet_inverse_") for name in found)
    assert set(list_models(kind="target")) == set(networks())
    assert "cifar10_judge" in list_models("*judge")
    with pytest.raises(UnknownNameError, match="did you mean 'inverse'"):
        list_models(kind="inverses")


def test_features_of_another_split_are_refused(digits: torch.Tensor) -> None:
    features = load_split("lenet", "conv1").edge(digits)
    with pytest.raises(InputError, match="features of lenet at relu2"):
        load_split("lenet", "relu2").cloud(features)


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean 'lenet'.*cifar_cnn"):
        load_split("lenett", "relu2")
    with pytest.raises(UnknownNameError, match="conv1, relu1"):
        load_split("lenet", "relu9")
    with pytest.raises(UnknownNameError, match="default, None"):
        load_split("lenet", "relu2", weights="imagenet")
