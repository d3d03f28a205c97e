"""Golden runs: what each attack recovers from a tiny target, in a few steps, stored.

    python tests/golden.py [CASE …]    records them anew

A refactoring leaves them as they are. A change of behaviour does not, and then the attack's
`version` is raised (its `training_version` too, where another network comes out), which makes
its stored results stale, and the golden run is recorded anew; under the same version that is
refused. A file says with which versions of torch it was tried; recording adds the one at hand
where the outcome is the same.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from splitzoo.attacks import (
    Adversary,
    Attack,
    Capability,
    InverseNetwork,
    LearnedAttack,
    ModelReconstruction,
    Setting,
    ShadowDecoder,
    ShadowModel,
)
from splitzoo.attacks.affine_inversion import AffineInversion
from splitzoo.attacks.constant_image import GrayImage, MeanImage
from splitzoo.attacks.copied_descent import CopiedDescent
from splitzoo.attacks.refined_descent import RefinedDescent
from splitzoo.attacks.residual_decoder import ResidualDecoder
from splitzoo.attacks.rmle import RMLE, ReleasedRMLE
from splitzoo.zoo import Images, Network, Target, chain_target
from splitzoo.zoo.resume import Conditions
from torch import Tensor, nn

FOLDER = Path(__file__).with_name("golden")
#: What another version of torch, number of threads or processor is allowed. A descent over an
#: edge with kinks takes another way after a difference in the last bit: of pixels the root of the
#: mean square counts, so that one of them going astray is no change of behaviour. Of a learned
#: network's answer, relative to its largest value, it is the largest difference.
TOLERANCES = {"recovered": 4e-3, "learned": 2e-3}
IMAGES = 2
_ONLINE = {"iterations": 12, "step_size": 0.05, "tv_weight": 0.1}
_OFFLINE = {"steps": 12, "batch_size": 8, "learning_rate": 3e-3}
_TABLE5 = {"table5": "lenet/conv1"}


@dataclass(frozen=True)
class Case:
    """An attack with the fields that it runs with, and what its tiny target and setting are.

    Every branch that some row of the leaderboard takes has a case. Without a `chirp` the filters
    are shifts of one wave, so that all span two dimensions; with one, each is its own.
    """

    attack: type[Attack]
    fields: Mapping[str, Any]
    grants: frozenset[Capability] = field(default_factory=lambda: frozenset(Capability))
    split: str = "conv1"
    side: int = 12
    chirp: float = 0.0


_DATA, _QUERY, _STRUCTURE = Capability.DATA, Capability.QUERY, Capability.STRUCTURE
CASES = {
    "gray_image": Case(GrayImage, {}, frozenset()),
    "mean_image": Case(MeanImage, {}, frozenset({_DATA})),
    "affine_inversion": Case(AffineInversion, {}, chirp=0.1),
    "rmle": Case(RMLE, {**_ONLINE, "beta": 1.0}),
    "rmle_released": Case(ReleasedRMLE, {"iterations": 40, "tv_weight": 0.01, "step_size": 0.1}),
    "inverse_network": Case(
        InverseNetwork,
        {**_OFFLINE, "released": "lenet/conv1"},
        frozenset({_QUERY, _DATA}),
    ),
    "inverse_network_from_noise": Case(
        InverseNetwork,
        {**_OFFLINE, "released": "lenet/conv1", "noise_images": 24},
        frozenset({_QUERY}),
    ),
    "decoder": Case(
        ResidualDecoder, {**_OFFLINE, "width": 8, "queries": 30}, frozenset({_QUERY, _DATA})
    ),
    "decoder_from_pictures": Case(
        ResidualDecoder,
        {**_OFFLINE, "width": 8, "queries": 24},
        frozenset({_QUERY}),
        split="relu1",
    ),
    "refined_descent": Case(
        RefinedDescent,
        {
            **_OFFLINE,
            "width": 8,
            "queries": 24,
            "iterations": 12,
            "prior_weight": 0.01,
            "tv_weight": 0.03,
        },
        frozenset({Capability.EDGE}),
        split="relu1",
    ),
    "copied_descent": Case(
        CopiedDescent,
        {
            **_OFFLINE,
            "width": 8,
            "copy_width": 8,
            "queries": 24,
            "iterations": 12,
            "prior_weight": 0.01,
            "tv_weight": 0.03,
        },
        frozenset({_QUERY}),
        split="relu1",
    ),
    "shadow_decoder": Case(
        ShadowDecoder,
        {**_OFFLINE, "width": 8, "queries": 24, "shadows": 4, "shadow_steps": 4},
        frozenset({_DATA, _STRUCTURE}),
        split="relu1",
    ),
    "shadow_model": Case(
        ShadowModel, {**_ONLINE, **_OFFLINE, **_TABLE5}, frozenset({_DATA, _STRUCTURE})
    ),
    "shadow_model_at_best_scale": Case(
        ShadowModel,
        {**_ONLINE, **_OFFLINE, "init_gain": 0.6, "fit_scale": True, "weight_decay": 0.5},
        frozenset({_DATA, _STRUCTURE}),
        split="relu1",
    ),
    "shadow_model_of_another_structure": Case(
        ShadowModel, {**_ONLINE, **_OFFLINE, **_TABLE5}, frozenset({_DATA}), side=28
    ),
    "model_reconstruction": Case(
        ModelReconstruction,
        {**_ONLINE, **_OFFLINE, "start": 0.25, "adam_eps": 0.01},
        frozenset({_QUERY, _DATA, _STRUCTURE}),
        split="relu1",
    ),
}


def tiny(case: Case) -> Network:
    """A convolution, a ReLU and a classifier."""

    def layers() -> dict[str, nn.Module]:
        return {
            "conv1": nn.Conv2d(1, 8, 5),
            "relu1": nn.ReLU(),
            "flatten": nn.Flatten(),
            "fc1": nn.Linear(8 * (case.side - 4) ** 2, 3),
        }

    return Network("lenet", "Tiny", "mnist", (1, case.side, case.side), 3, (0.5,), (0.5,), layers)


def target(case: Case) -> Target:
    """The case's network with weights from a formula: no generator, no file."""
    model = chain_target(tiny(case), case.split)
    with torch.no_grad():
        for number, parameter in enumerate(model.parameters()):
            count = torch.arange(parameter.numel(), dtype=torch.float64)
            phase = count * (1.7 + number) + number + case.chirp * count.square()
            wave = torch.sin(phase) / math.sqrt(parameter[0].numel() + 1)
            parameter.copy_(wave.view_as(parameter).float())
    return model.eval()


def pictures(count: int, side: int, phase: float) -> Images:
    """Smooth 8-bit images from a formula, with labels 0, 1, 2, 0, …"""
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    shift = phase + torch.arange(count).view(-1, 1, 1)
    values = 0.5 + 0.5 * torch.sin(rows * 0.6 + shift) * torch.cos(columns * 0.4 - shift)
    pixels = (255 * values).round().to(torch.uint8)[:, None]
    return Images(pixels, torch.arange(count) % 3)


CPU = torch.device("cpu")


def golden_run(name: str, device: torch.device = CPU) -> dict[str, Tensor]:
    """What the case's attack learns and recovers: `recovered`, and `learned` if it does."""
    case = CASES[name]
    attack = case.attack(**case.fields)
    model = target(case).to(device)
    images = "training_set" if _DATA in case.grants else None
    adversary = Adversary(
        Setting("golden", "golden", "Golden", "-", case.grants, images),
        model,
        device=device,
        data=lambda: pictures(24, case.side, 0.3),
        fresh_edge=lambda: chain_target(tiny(case), case.split).edge,
    )
    secret = pictures(IMAGES, case.side, 1.1).floats().to(device)
    with torch.no_grad():
        features = model.edge(secret)
    if not isinstance(attack, LearnedAttack):
        return {"recovered": on_cpu(attack.prepare(adversary).reconstruct(features), device)}
    network, _ = attack.train(adversary, conditions=Conditions("float32"))
    with torch.no_grad():
        answer = network(secret if attack.kind == "shadow" else features)
    recovered = attack.prepare(adversary, network=network).reconstruct(features)
    return {
        "learned": on_cpu(answer, device)[:, :, ::3, ::3],
        "recovered": on_cpu(recovered, device)[:, :, ::2, ::2],
    }


def on_cpu(values: Tensor, device: torch.device) -> Tensor:
    """The values, which must have been on the device."""
    assert values.device.type == device.type
    return values.cpu()


def path(name: str) -> Path:
    """Where a golden run is stored."""
    return FOLDER / f"{name}.json"


def differences(stored: dict[str, Any], now: dict[str, Tensor]) -> dict[str, float]:
    """How far each outcome lies from the stored one, as a share of what is allowed."""
    found = {}
    for part, values in stored["outcome"].items():
        before = torch.tensor(values)
        after = now[part].flatten()
        apart = (before - after).abs()
        if part == "recovered":
            distance = apart.square().mean().sqrt().item()
        else:
            distance = apart.max().item() / max(1.0, before.abs().max().item())
        found[part] = distance / TOLERANCES[part]
    return found


def record(name: str) -> None:
    """Store a golden run; add this torch to the versions tried where nothing has changed.

    Raises ValueError for another outcome under the stored version.
    """
    attack = CASES[name].attack
    versions = {
        "version": attack.version,
        "training_version": getattr(attack, "training_version", None),
    }
    outcome = golden_run(name)
    tried = {torch.__version__.split("+")[0]}
    if path(name).is_file():
        stored = json.loads(path(name).read_text("utf-8"))
        if max(differences(stored, outcome).values()) <= 1:
            tried |= set(stored["torch"])
        elif all(stored[key] == value for key, value in versions.items()):
            raise ValueError(f"{name} comes out otherwise: raise {attack.__name__}.version first")
    content = {
        "case": name,
        "attack": attack.__name__,
        **versions,
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
    for chosen in sys.argv[1:] or CASES:
        record(chosen)
        print(path(chosen))
