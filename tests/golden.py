"""Golden runs: what each attack recovers from a tiny target, in a few steps, stored.

    python tests/golden.py [NAME …]    records them anew

A refactoring leaves them as they are. A change of behaviour does not, and then the attack's
`version` is raised (its `training_version` too, where another network comes out), which makes
its stored results stale, and the golden run is recorded anew. The file says with which versions
of torch it was tried; recording adds the one at hand if the outcome is the same.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from splitzoo.attacks import (
    CATALOGUE,
    Adversary,
    Attack,
    Capability,
    LearnedAttack,
    Setting,
)
from splitzoo.zoo import Images, Network, SplitModel
from splitzoo.zoo.resume import Conditions
from torch import Tensor, nn

FOLDER = Path(__file__).with_name("golden")
#: Largest difference of a pixel, or of a learned network's answer relative to its largest, that
#: another version of torch, number of threads or processor is allowed.
TOLERANCE = 2e-3
IMAGES, SIDE = 2, 12
#: Fewer steps than any user would take, and fields that the tiny target asks for.
FEW = {"iterations": 12, "step_size": 0.05, "steps": 12, "batch_size": 8, "noise_images": 24}


def _layers() -> dict[str, nn.Module]:
    return {
        "conv1": nn.Conv2d(1, 8, 5),
        "relu1": nn.ReLU(),
        "flatten": nn.Flatten(),
        "fc1": nn.Linear(8 * (SIDE - 4) ** 2, 3),
    }


TINY = Network("lenet", "Tiny", "mnist", (1, SIDE, SIDE), 3, (0.5,), (0.5,), _layers)


def target() -> SplitModel:
    """LeNet's first layer and a classifier, with weights from a formula: no generator, no file."""
    model = SplitModel(TINY, "conv1")
    with torch.no_grad():
        for number, parameter in enumerate(model.parameters()):
            count = torch.arange(parameter.numel(), dtype=torch.float64)
            wave = torch.sin(count * (1.7 + number) + number) / math.sqrt(parameter[0].numel() + 1)
            parameter.copy_(wave.view_as(parameter).float())
    return model.eval()


def pictures(count: int, phase: float) -> Images:
    """Smooth 8-bit images from a formula, with labels 0, 1, 2, 0, …"""
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    shift = phase + torch.arange(count).view(-1, 1, 1)
    values = 0.5 + 0.5 * torch.sin(rows * 0.6 + shift) * torch.cos(columns * 0.4 - shift)
    pixels = (255 * values).round().to(torch.uint8)[:, None]
    return Images(pixels, torch.arange(count) % 3)


def setting_for(attack: type[Attack]) -> Setting:
    """What the attack requires, with images and the structure besides."""
    grants = attack.requires | {Capability.DATA, Capability.STRUCTURE}
    return Setting("golden", "golden", "Golden", "-", grants, "training_set")


def golden_run(name: str) -> dict[str, Tensor]:
    """What the catalogue's attack learns and recovers: `recovered`, and `learned` if it does."""
    entry = CATALOGUE[name]
    attack = entry.configure("lenet", "conv1")
    attack = replace(attack, **{k: v for k, v in FEW.items() if k in vars(attack)})
    model = target()
    adversary = Adversary(
        setting_for(entry.attack),
        model,
        device=torch.device("cpu"),
        data=lambda: pictures(24, 0.3),
        fresh_edge=lambda: SplitModel(TINY, "conv1").edge,
    )
    secret = pictures(IMAGES, 1.1).floats()
    with torch.no_grad():
        features = model.edge(secret)
    if not isinstance(attack, LearnedAttack):
        return {"recovered": attack.prepare(adversary).reconstruct(features)}
    network, _ = attack.train(adversary, conditions=Conditions("float32"))
    with torch.no_grad():
        shown = features if name == "inverse_network" else secret
        answer = network(shown)
    recovered = attack.prepare(adversary, network=network).reconstruct(features)
    return {"learned": answer, "recovered": recovered}


def path(name: str) -> Path:
    """Where an attack's golden run is stored."""
    return FOLDER / f"{name}.json"


def differences(stored: dict[str, Any], now: dict[str, Tensor]) -> dict[str, float]:
    """Largest difference of each stored outcome, relative to its largest value if above one."""
    found = {}
    for part, values in stored["outcome"].items():
        before = torch.tensor(values)
        after = now[part].flatten()
        scale = max(1.0, before.abs().max().item())
        found[part] = (before - after).abs().max().item() / scale
    return found


def record(name: str) -> None:
    """Store an attack's golden run; keep the versions tried so far if nothing has changed."""
    outcome = golden_run(name)
    tried = {torch.__version__.split("+")[0]}
    if path(name).is_file():
        stored = json.loads(path(name).read_text("utf-8"))
        if max(differences(stored, outcome).values()) <= TOLERANCE:
            tried |= set(stored["torch"])
    attack = CATALOGUE[name].attack
    content = {
        "attack": name,
        "version": attack.version,
        "training_version": getattr(attack, "training_version", None),
        "tolerance": TOLERANCE,
        "torch": sorted(tried),
        "outcome": {
            part: [round(value, 5) for value in values.flatten().tolist()]
            for part, values in outcome.items()
        },
    }
    FOLDER.mkdir(exist_ok=True)
    path(name).write_text(json.dumps(content) + "\n", "utf-8")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for chosen in sys.argv[1:] or CATALOGUE:
        record(chosen)
        print(path(chosen))
