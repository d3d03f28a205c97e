"""Something new is one file: a data set, a target, a defence, a metric, an attack that learns."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

#: Two kinds of images, a bright square on the left or on the right, in one array a part.
DATASET = '''
"""Squares, drawn and not fetched."""

import hashlib

import numpy as np

from ..dataset import DataSet


def arrays():
    labels = np.arange(400) % 2
    images = np.random.default_rng(0).integers(0, 40, (400, 1, 12, 12)).astype(np.uint8)
    for image, label in zip(images, labels):
        image[0, 3:9, 6 * label : 6 * label + 5] += 200
    found = {}
    for part, rows in (("train", slice(0, 200)), ("test", slice(200, 400))):
        found[f"{part}_images"] = np.ascontiguousarray(images[rows])
        found[f"{part}_labels"] = labels[rows].astype(np.uint8)
    return found


class Drawn:
    title = "this very file"

    def fetch(self):
        return arrays()


DATASET = DataSet(
    name="squares",
    title="Squares",
    shape=(1, 12, 12),
    classes=2,
    sizes={"train": 200, "test": 200},
    sha256={k: hashlib.sha256(v.tobytes()).hexdigest() for k, v in arrays().items()},
    sources=(Drawn(),),
)
'''
TARGET = '''
"""A small network for squares."""

from torch import nn

from ..network import Network
from ..recipe import AdamRecipe


def layers():
    return {
        "stem": nn.Conv2d(1, 4, 3),
        "relu": nn.ReLU(),
        "flatten": nn.Flatten(),
        "head": nn.Linear(400, 2),
    }


NETWORK = Network(
    "tiny", "Tiny", "squares", (1, 12, 12), 2, (0.5,), (0.5,), layers, AdamRecipe(epochs=2)
)
'''
DEFENCE = '''
"""Features in few levels."""

from dataclasses import dataclass

from torch import nn

from ..defence import Defence


@dataclass(frozen=True, kw_only=True)
class Levels(Defence):
    name = "levels"
    title = "Few levels"
    citation = "-"

    step: float = 0.5

    def layer(self, target):
        return Rounding(self.step)


class Rounding(nn.Module):
    def __init__(self, step):
        super().__init__()
        self.step = step

    def forward(self, features):
        return (features / self.step).round() * self.step


DEFENCE = Levels
'''
METRIC = '''
"""Mean absolute error in grey levels."""

from ..metric import Metric


def error(secrets, dataset, recovered):
    return (secrets.pixels.double() - recovered.double()).abs().mean((1, 2, 3)).tolist()


METRIC = Metric("mae", "mean absolute error", 3, error, 0, 255, digits=3, shown=1)
'''
ATTACK = '''
"""Linear regression from features to images, by gradient descent."""

import math
from dataclasses import dataclass

import torch.nn.functional as F
from torch import nn

from .learned import LearnedAttack, ask_edge, query_pixels
from .settings import Capability


@dataclass(frozen=True, kw_only=True)
class LinearInverse(LearnedAttack):
    name = "linear_inverse"
    requires = frozenset({Capability.QUERY})
    title = "Linear inverse"
    citation = "-"

    steps: int = 40

    def architecture(self, adversary):
        return {"linear": str(adversary.feature_shape)}

    def build(self, adversary):
        size = math.prod(adversary.feature_shape)
        return nn.Sequential(
            nn.Flatten(), nn.Linear(size, 144), nn.Unflatten(1, adversary.input_shape)
        )

    def examples(self, adversary, generator):
        return ask_edge(adversary, query_pixels(adversary, 64, generator), scaled=False)

    def loss(self, network, pixels, values, cloud):
        return F.mse_loss(network(values), pixels)

    def adopt(self, adversary, network):
        return network

    def online(self, state, features, draws):
        return state(features).detach().clamp(0, 1)
'''
NEW = {
    "zoo/datasets/squares.py": DATASET,
    "zoo/targets/tiny.py": TARGET,
    "zoo/defences/levels.py": DEFENCE,
    "bench/score/metrics/mae.py": METRIC,
    "attacks/linear_inverse.py": ATTACK,
}


@pytest.fixture
def grown(tmp_path: Path, repository: Path) -> Path:
    """A copy of the sources with one more file of each kind, and the small target trained."""
    home = tmp_path / "splitzoo"
    for room in ("zoo", "attacks", "bench"):
        ignored = shutil.ignore_patterns("__pycache__", "standard")
        shutil.copytree(repository / room, home / room, ignore=ignored)
    for name, source in NEW.items():
        assert not (home / name).exists()
        (home / name).write_text(source.lstrip(), "utf-8")
    run(home, "train", "tiny", "--adopt", "--device", "cpu")
    return home


def run(home: Path, *arguments: str) -> str:
    """The command of that copy, in its folder."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(home.parent),
        "SPLITZOO_CACHE": str(home.parent / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    code = "from splitzoo.bench.cli import main; raise SystemExit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=home.parent,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_one_file_each_and_everything_meets_everything(grown: Path) -> None:
    """No other source is touched: the copy is the repository's but for these five files."""
    listed = run(grown, "list")
    assert "tiny" in listed
    assert "stem relu head" in listed
    assert "linear_inverse" in listed

    # The new attack on the new target behind the new defence, scored by the new metric.
    bench = ("bench", "--results", "results", "--device", "cpu")
    black_box = ("--only", "black_box_same_set/tiny/relu", "--attack", "linear_inverse")
    said = run(grown, *bench, *black_box, "--defence", "levels:step=0.25")
    assert "tiny/relu+levels-step0.25" in said
    assert "mean absolute error" in said
    assert "Linear inverse" in said

    # The zoo's attacks on it, in every family of settings.
    white_box = ("--only", "white_box/tiny/stem", "--attack", "rmle")
    said = run(grown, *bench, *white_box, "--field", "iterations=20", "--field", "step_size=0.05")
    assert "white_box/tiny/stem rmle" in said
    for setting in ("query_free_same_set_same_net", "query_free_diff_set_diff_net"):
        shadow = ("--only", f"{setting}/tiny/head", "--attack", "shadow_model")
        run(grown, *bench, *shadow, "--field", "steps=4", "--field", "iterations=3")

    page = (grown.parent / "results" / "leaderboard-paper10.md").read_text("utf-8")
    assert "mean absolute error" in page
    assert "tiny/relu+levels-step0.25" in page
    run(grown, "site", "site", "--results", "results", "--profile", "paper10")
    first, every, defences = (
        (grown.parent / "site" / name).read_text("utf-8")
        for name in ("index.html", "rows.html", "defences.html")
    )
    assert 'id="tiny/stem"' in first
    assert "Linear inverse" in every
    assert "mean absolute error" in every
    assert "step 0.25" in defences
    origins = (grown.parent / "results" / "paper10" / "provenance.md").read_text("utf-8")
    assert "(calibrated)" in origins
