"""A device that is not the CPU, made of Python, and every attack's golden case on it.

    python tests/second_device.py      prints a line of JSON for each case

PyTorch's own way to write a device in Python ("privateuseone") runs no backward pass where PyTorch
is built for CUDA and there is none. So the tensors here say that they are on the device "meta",
which has no arithmetic of its own, wrap tensors of the CPU and compute what these compute. Like a
GPU, the device refuses tensors of the CPU beside its own (numbers excepted), a generator of the
CPU for a draw of its own, and `.numpy()`. It takes a whole process, so the tests run this file in
another.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

NAME = "meta"
DEVICE = torch.device(NAME)
_MOVES = {"aten::copy_", "aten::_to_copy"}


class Elsewhere(Tensor):
    """A tensor on the device; `inner` is what it holds, on the CPU."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor, requires_grad: bool = False) -> Elsewhere:
        wrapper: Elsewhere = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=DEVICE,
            requires_grad=requires_grad,
        )
        wrapper.inner = inner
        return wrapper

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"Elsewhere({self.inner})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(func, args, kwargs or {})


def computed(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """An operation on the device: what the CPU makes of the inner tensors, wrapped."""
    name = func._schema.name
    given = pytree.tree_leaves((args, kwargs))
    tensors = [each for each in given if isinstance(each, Tensor)]
    apart = [each for each in tensors if not isinstance(each, Elsewhere) and each.dim() > 0]
    if apart and len(apart) < len(tensors) and name not in _MOVES:
        raise RuntimeError(f"{name}: Expected all tensors to be on the same device, {NAME} and cpu")
    generator = kwargs.get("generator")
    if generator is not None and generator.device.type == "cpu":
        raise RuntimeError(f"{name}: Expected a '{NAME}' device type for generator but found 'cpu'")
    wanted = kwargs.get("device")
    leaves = wanted is not None and torch.device(wanted).type == "cpu"
    inner_args, inner_kwargs = pytree.tree_map(
        lambda each: each.inner if isinstance(each, Elsewhere) else each, (args, dict(kwargs))
    )
    if "device" in inner_kwargs:
        inner_kwargs["device"] = torch.device("cpu")
    answer = func(*inner_args, **inner_kwargs)
    if leaves:
        return answer
    if func._schema.is_mutable and isinstance(answer, Tensor):
        return next(each for each in tensors if isinstance(each, Elsewhere))
    return pytree.tree_map(
        lambda each: Elsewhere(each) if isinstance(each, Tensor) else each, answer
    )


class SecondDevice(TorchDispatchMode):
    """While it is entered, the device is there: tensors that are made on it hold values."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        ours = any(isinstance(each, Elsewhere) for each in pytree.tree_leaves((args, kwargs)))
        made = kwargs.get("device") is not None and torch.device(kwargs["device"]) == DEVICE
        return computed(func, args, kwargs) if ours or made else func(*args, **kwargs)


def refuses(action: Any) -> bool:
    """Whether the device does not put up with it."""
    try:
        action()
    except (RuntimeError, TypeError):
        return True
    return False


def worth() -> dict[str, bool]:
    """What must fail on a device that is worth testing on."""
    here, there = torch.ones(3), torch.ones(3).to(DEVICE)
    layer, moved = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2).to(DEVICE)
    cpu = torch.Generator()
    return {
        "a CPU tensor beside one of the device": refuses(lambda: here + there),
        "a CPU tensor written into": refuses(lambda: here.add_(there)),
        "a module left on the CPU": refuses(lambda: layer(there)),
        "an input left on the CPU": refuses(lambda: moved(here)),
        "a CPU generator": refuses(lambda: torch.randn(3, generator=cpu, device=DEVICE)),
        "numpy": refuses(there.numpy),
        "an array": refuses(lambda: np.asarray(there)),
    }


def benched(device: torch.device) -> dict[str, Tensor]:
    """What the benchmark stores of two images: the edge, the attack and the clock on a device."""
    from splitzoo.bench import Run, attack_images, scenario
    from splitzoo.zoo import load_network

    run = Run(scenario("black_box_same_set/lenet/relu2", "paper10"), "inverse_network")
    images = run.scenario.evaluation().images.subset(torch.arange(2))
    record = run.published()
    assert record is not None
    network = load_network(record.name)
    recovery = attack_images(run.configure(), run.scenario, images, device=device, network=network)
    return {"recovered": recovery.pixels.float() / 255}


def main() -> None:
    """Print what fails as it must, then each golden case's largest difference from the CPU's."""
    import golden
    from splitzoo.attacks import adversary

    # A module's .double() must make new parameters, since what these wrap cannot be exchanged.
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    adversary.pick_device = lambda name: torch.device(name)  # it is none that users have
    with SecondDevice():
        print(json.dumps({"worth": worth()}), flush=True)
    cases = {name: partial(golden.golden_run, name) for name in golden.CASES}
    for name, run in {**cases, "benched": benched}.items():
        on_cpu = run(device=torch.device("cpu"))
        try:
            with SecondDevice():
                on_device = run(device=DEVICE)
        except Exception as error:
            said = {"case": name, "error": f"{type(error).__name__}: {error}"}
        else:
            apart = {part: (on_cpu[part] - on_device[part]).abs().max().item() for part in on_cpu}
            said = {"case": name, "difference": apart}
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
