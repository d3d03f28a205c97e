"""How long the work of an attack takes here, measured before it is planned."""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn

from ...attacks import Adversary, Attack, LearnedAttack, procedural_images
from ...zoo import pick_precision
from ...zoo.precision import autocast
from .cost import now, seconds_of
from .cuts import Cut

#: Iterations of a descent that are timed, and images of a step of a training.
ITERATIONS, TIMED = 5, 16
#: Seconds of computing that say how much of the processor is had.
SURE = 0.1


class Stopwatch:
    """What has passed since it was made, of this process' work on a device."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.began, self.computed = time.perf_counter(), time.process_time()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.began

    @property
    def crowding(self) -> float:
        """How many seconds pass for one that is computed: 1, or more where others share the
        processor, which a short trial does not show."""
        computed = time.process_time() - self.computed
        if self.device.type != "cpu" or computed < SURE:
            return 1.0
        return max(1.0, self.seconds / computed)


@torch.no_grad()
def seconds_of_a_query(cut: Cut, *, drawn: bool) -> float:
    """What an edge's answer takes, an image; with `drawn`, a procedural image beside it."""
    images = cut.scored.floats()[:8].to(cut.device)
    cut.target.edge(images)
    answer = seconds_of(lambda: cut.target.edge(images), cut.device) / len(images)
    if not drawn:
        return answer
    shape, generator = tuple(images.shape[1:]), torch.Generator().manual_seed(0)
    draw = seconds_of(lambda: procedural_images(32, shape, generator), cut.device) / 32
    return answer + draw


def seconds_of_an_iteration(
    cut: Cut, trial: Attack, adversary: Adversary, network: nn.Module | None
) -> tuple[float, float]:
    """What comes before a descent, and what an iteration takes, an image; `trial` runs
    ITERATIONS."""
    began = now(cut.device)
    prepared = trial.prepare(adversary, seed=cut.seed, network=network)
    begin = now(cut.device) - began
    features = cut.features()[: prepared.batch]
    prepared.reconstruct(features[:1])
    taken = min(seconds_of(lambda: prepared.reconstruct(features), cut.device) for _ in range(2))
    return begin, taken / (ITERATIONS * len(features))


def seconds_of_a_step(cut: Cut, attack: LearnedAttack, setting: str, values: Tensor) -> float:
    """What a step of a training takes on a full batch, by one on fewer images after another;
    `values` is what belongs to each of these."""
    adversary, device = cut.adversary(setting), cut.device
    with torch.random.fork_rng(devices=[]):
        network = attack.build(adversary).to(device).train()
    network = network.to(memory_format=torch.channels_last)
    optimizer = attack.optimizer(network.parameters(), lr=1e-6)
    pixels = torch.rand(len(values), *adversary.input_shape).to(device)
    values = values.to(device)

    def step() -> None:
        with autocast(device, pick_precision("auto", device)):
            loss = attack.loss(network, pixels, values, adversary.cloud)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    step()
    taken = min(seconds_of(step, device) for _ in range(3))  # other work on the machine aside
    return taken * attack.batch_size / len(values)
