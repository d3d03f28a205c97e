"""What an attack must leave as it is in the process that it shares: found out, and put back."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def _numpy_state() -> list[Any]:
    kind, keys, *rest = np.random.get_state(legacy=True)
    return [kind, np.asarray(keys).tolist(), *rest]


def _restore_numpy(state: list[Any]) -> None:
    kind, keys, *rest = state
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), *rest))


#: Sources of randomness that belong to everybody: read and put back.
GENERATORS: dict[str, tuple[Callable[[], Any], Callable[[Any], object]]] = {
    "torch's global generator": (
        lambda: torch.get_rng_state().tolist(),
        lambda state: torch.set_rng_state(torch.tensor(state, dtype=torch.uint8)),
    ),
    "numpy's global generator": (_numpy_state, _restore_numpy),
    "the generator of `random`": (random.getstate, random.setstate),
}
#: Switches of the whole process, likewise.
SWITCHES: dict[str, tuple[Callable[[], Any], Callable[[Any], object]]] = {
    "the grad mode": (torch.is_grad_enabled, torch.set_grad_enabled),
    "the default dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "the default device": (
        lambda: str(torch.get_default_device()),
        lambda name: torch.set_default_device(None if name == "cpu" else name),
    ),
    "the flag of deterministic algorithms": (
        torch.are_deterministic_algorithms_enabled,
        torch.use_deterministic_algorithms,
    ),
    "the number of threads": (torch.get_num_threads, torch.set_num_threads),
    "the precision of matrix products": (
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
    ),
    "anomaly detection": (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
}


@contextmanager
def watched(changed: set[str], seed: int) -> Iterator[None]:
    """Run the block with the global generators seeded; note what it leaves changed, and undo it.

    A `seed` of its own for each block lets what is drawn globally come out differently.
    """
    known = {**GENERATORS, **SWITCHES}
    before = {name: read() for name, (read, _) in known.items()}
    torch.default_generator.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)
    seeded = {name: read() for name, (read, _) in GENERATORS.items()}
    try:
        yield
    finally:
        expected = {**before, **seeded}
        changed.update(name for name, (read, _) in known.items() if read() != expected[name])
        for name, (_, restore) in known.items():
            restore(before[name])
