"""Every attack's golden case on a device that is not the CPU.

    python tests/second_device.py      prints a line of JSON for each case

It takes a whole process, so the tests run this file in another.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import numpy as np
import torch
from splitzoo.attacks.conformance.second_device import DEVICE, second_device
from torch import Tensor


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

    adversary.pick_device = lambda name: torch.device(name)  # it is none that users have
    with second_device():
        print(json.dumps({"worth": worth()}), flush=True)
    cases = {name: partial(golden.golden_run, name) for name in golden.CASES}
    for name, run in {**cases, "benched": benched}.items():
        on_cpu = run(device=torch.device("cpu"))
        try:
            with second_device():
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
