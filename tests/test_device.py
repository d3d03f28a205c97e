"""A device is one that is here, and nothing else."""

from __future__ import annotations

import pytest
import torch
from splitzoo.zoo import MisuseError, pick_device


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that says it has two CUDA devices."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has none."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.usefixtures("no_gpu")
def test_without_cuda_there_is_the_cpu() -> None:
    for name in ("auto", "cpu", "cpu:0", torch.device("cpu")):
        assert pick_device(name) == torch.device("cpu")
    for name in ("cuda", "cuda:0", "cuda:99", torch.device("cuda")):
        with pytest.raises(MisuseError, match="use --device cpu"):
            pick_device(name)


@pytest.mark.usefixtures("gpus")
def test_with_cuda_there_are_as_many_as_are_visible() -> None:
    assert pick_device() == pick_device("cuda") == torch.device("cuda")
    assert pick_device("cuda:1") == pick_device(torch.device("cuda", 1)) == torch.device("cuda", 1)
    for name in ("cuda:2", "cuda:999"):
        with pytest.raises(MisuseError, match="use one of cuda:0 to cuda:1"):
            pick_device(name)


@pytest.mark.usefixtures("gpus")
@pytest.mark.parametrize(
    "name", ["", "CPU", "cpu:5", "cuda:", "cuda:-1", "cuda:9999", "cuda:١", "mps", "meta", "xla"]
)
def test_every_other_device_is_unknown(name: str) -> None:
    with pytest.raises(MisuseError, match="unknown device"):
        pick_device(name)
