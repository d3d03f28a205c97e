"""The conformance battery finds out what is wrong with an attack, and lets what is right pass."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from splitzoo.attacks import Attack, catalogue, load_attack
from splitzoo.attacks.conformance.checks import CHECKS, Finding, battery
from splitzoo.attacks.conformance.tiny import PLACES
from splitzoo.bench.cli import main

HEAD = """
import copy, random
from dataclasses import dataclass

import numpy as np
import torch
from splitzoo.attacks import Attack, Capability, Examples, LearnedAttack
from splitzoo.zoo import InputError
from torch import nn

EDGE, STRUCTURE, QUERY, DATA = Capability
SEEN = []

def flat(features, shape):
    level = features.flatten(1).mean(1).sigmoid()
    return level.view(-1, 1, 1, 1).expand(-1, *shape).clone()
"""
CLASS = """
@dataclass(frozen=True, kw_only=True)
class Mine(Attack):
    name = "mine"
    requires = frozenset({QUERY})
    title = "Mine"
    citation = "nobody, nowhere"

    def offline(self, adversary, generator):
        return adversary.input_shape

    def online(self, state, features, draws):
        return flat(features, state)
"""
LEARNED = """
@dataclass(frozen=True, kw_only=True)
class Mine(LearnedAttack):
    name = "mine"
    requires = frozenset({DATA})
    title = "Mine"
    citation = "nobody, nowhere"

    def build(self, adversary):
        return nn.Linear(int(torch.tensor(adversary.feature_shape).prod()), 1)

    def examples(self, adversary, generator):
        count = len(adversary.data)
        values = torch.rand(count, *adversary.feature_shape, generator=generator)
        return Examples(adversary.data.pixels, values)

    def loss(self, network, pixels, values, cloud):
        level = pixels.flatten(1).mean(1, keepdim=True)
        return (network(values.flatten(1)) - level).square().mean()

    def adopt(self, adversary, network):
        return network, adversary.input_shape

    def online(self, state, features, draws):
        network, shape = state
        level = network(features.flatten(1)).sigmoid().detach()
        return level.view(-1, 1, 1, 1).expand(-1, *shape).clone()
"""


def write(folder: Path, body: str, base: str = CLASS, head: str = HEAD) -> str:
    """A file with the class, whose last definitions win; how to name it."""
    path = folder / "mine.py"
    path.write_text(head + base + textwrap.indent(textwrap.dedent(body), "    "), "utf-8")
    return f"{path}:Mine"


def loaded(reference: str) -> type[Attack]:
    catalogue().pop("mine", None)
    attack = load_attack(reference)
    catalogue().pop("mine")
    return attack


def failures(attack: type[Attack]) -> dict[str, str]:
    """The lines of the checks that fail, by their names."""
    return {each.check: each.line for each in battery(attack) if each.outcome == "failed"}


def finding(attack: type[Attack], check: str) -> Finding:
    """How one check goes; none behind it is tried."""
    return next(each for each in battery(attack) if each.check == check)


@pytest.mark.parametrize("name", list(catalogue()))
def test_every_attack_of_the_catalogue_passes(name: str) -> None:
    attack = catalogue()[name]
    assert list(battery(attack)) == [Finding(each.name, "passed", each.holds) for each in CHECKS]


@dataclass(frozen=True)
class Case:
    """What is wrong in `bad`, the check that says so, and part of its line; what is right in
    `good`, where the class without a change does not show it."""

    check: str
    said: str
    bad: str
    good: str = ""
    base: str = CLASS


def online(*lines: str) -> str:
    """A method `online` of these lines."""
    return "def online(self, state, features, draws):\n" + textwrap.indent("\n".join(lines), "    ")


def offline(*lines: str) -> str:
    """A method `offline` of these lines, which returns the images' shape."""
    body = "\n".join([*lines, "return adversary.input_shape"])
    return "def offline(self, adversary, generator):\n" + textwrap.indent(body, "    ")


CASES = {
    "no citation": Case("states", "citation is ''", "citation = ''", "citation = 'A, B 2020'"),
    "requires a list": Case("states", "frozenset", "requires = [QUERY]"),
    "a field without default": Case(
        "built", "field steps has no default", "steps: int", "steps: int = 3"
    ),
    "a field that is a list": Case("built", "field steps", "steps: tuple = (1, 2)"),
    "another constructor": Case(
        "built", "cannot be made", "def __post_init__(self): raise ValueError('no')"
    ),
    "edge without a grant": Case(
        "capabilities",
        "does not grant the edge's parameters",
        offline("adversary.edge"),
        "requires = frozenset({EDGE})\n" + offline("adversary.edge"),
    ),
    "images without a grant": Case(
        "capabilities",
        "mine.py, line",
        offline("adversary.data"),
        offline("if adversary.holds_images:", "    adversary.data"),
    ),
    "raises": Case("runs", "ZeroDivisionError: division by zero (mine.py", online("1 / 0")),
    "exits": Case("runs", "SystemExit", online("raise SystemExit(3)")),
    "refuses all": Case(
        "runs",
        "refuses every tiny target",
        offline("raise InputError('only large ones')"),
        offline("if len(adversary.feature_shape) != 3: raise InputError('only grids')"),
    ),
    "wrong shape": Case(
        "images", "must be N×1×8×8, not 5×1×8×7", online("return flat(features, state)[..., 1:]")
    ),
    "32×32": Case("images", "not 5×1×32×32", online("return flat(features, (1, 32, 32))")),
    "wrong count": Case("images", "4 images", online("return flat(features, state)[1:]")),
    "NaN": Case(
        "images",
        "NaN",
        online("return flat(features, state) * torch.nan"),
        online("return (flat(features, state) * torch.nan).nan_to_num(0.5)"),
    ),
    "out of range": Case(
        "images",
        "[0, 1]",
        online("return flat(features, state) + 1"),
        online("return (flat(features, state) + 1).clamp(0, 1)"),
    ),
    "float64": Case(
        "images",
        "float64",
        online("return flat(features.double(), state)"),
        online("return flat(features.double(), state).float()"),
    ),
    "no tensor": Case("images", "ndarray", online("return flat(features, state).numpy()")),
    "one channel": Case("shapes", "3×8×12", online("return flat(features, (1, 8, 8))")),
    "square": Case(
        "shapes",
        "shape",
        online("return flat(features, state).view(-1, state[0], state[1], state[1])"),
    ),
    "features are grids": Case(
        "shapes",
        "fully connected",
        online("features.flatten(1)", "features.mean((2, 3))", "return flat(features, state)"),
    ),
    "few classes": Case(
        "shapes",
        "4 classes",
        offline("assert adversary.num_classes == 3"),
        offline("assert adversary.num_classes > 0"),
    ),
    "one setting only": Case(
        "settings",
        "in white_box",
        offline("assert not adversary.setting.allows(EDGE)"),
    ),
    "torch.rand": Case(
        "seeds",
        "draw from",
        online("return torch.rand_like(flat(features, state))"),
        online("return draws.uniform(*state)"),
    ),
    "numpy.random": Case(
        "seeds",
        "the second time",
        online("return flat(features, state) * float(np.random.rand())"),
        online("return flat(features, state) * float(np.random.default_rng(0).random())"),
    ),
    "random": Case("seeds", "draw from", online("return flat(features, state) * random.random()")),
    "unseeded layers": Case(
        "seeds",
        "draw from",
        "def offline(self, adversary, generator):\n"
        "    return nn.Conv2d(1, adversary.input_shape[0], 1), adversary.input_shape\n"
        + online(
            "state[0].to(features.device)",
            "with torch.no_grad():",
            "    return state[0](flat(features, (1, *state[1][1:]))).sigmoid()",
        ),
        "def offline(self, adversary, generator):\n"
        "    with torch.random.fork_rng(devices=[]):\n"
        "        torch.manual_seed(generator.initial_seed())\n"
        "        layer = nn.Conv2d(1, adversary.input_shape[0], 1)\n"
        "    return layer.to(adversary.device), adversary.input_shape\n"
        + online(
            "with torch.no_grad():",
            "    return state[0](flat(features, (1, *state[1][1:]))).sigmoid()",
        ),
    ),
    "module state": Case(
        "seeds",
        "keep nothing",
        online("SEEN.append(1)", "return flat(features, state) / len(SEEN)"),
    ),
    "state between calls": Case(
        "again",
        "came again",
        "def offline(self, adversary, generator):\n    return [0, adversary.input_shape]\n"
        + online("state[0] += 1", "return flat(features, state[1]) / state[0]"),
        "def offline(self, adversary, generator):\n    return [1, adversary.input_shape]\n"
        + online("return flat(features, state[1]) / state[0]"),
    ),
    "batch statistics": Case(
        "batches",
        "1 at a time",
        online(
            "norm = nn.BatchNorm1d(1, affine=False).to(features.device)",
            "level = norm(features.flatten(1).mean(1, keepdim=True).repeat(2, 1))[:len(features)]",
            "return flat(level, state)",
        ),
        online(
            "norm = nn.BatchNorm1d(1, affine=False).to(features.device).eval()",
            "return flat(norm(features.flatten(1).mean(1, keepdim=True)), state)",
        ),
    ),
    "mean of the batch": Case(
        "batches", "otherwise", online("return flat(features - features.mean(0), state)")
    ),
    "batch of a fraction": Case(
        "batches", "0.5", "def images_at_a_time(self, adversary): return 0.5"
    ),
    "place in the batch": Case(
        "order",
        "another order",
        online(
            "place = torch.arange(len(features), device=features.device) / 10",
            "return (0.5 * flat(features, state) + place.view(-1, 1, 1, 1)).clamp(0, 1)",
        ),
        online(
            "place = draws.uniform(1, 1, 1) / 10",
            "return (0.5 * flat(features, state) + place).clamp(0, 1)",
        ),
    ),
    "writes features": Case(
        "features",
        "features.clone()",
        online("images = flat(features, state)", "features.zero_()", "return images"),
        online("images = flat(features, state)", "features.clone().zero_()", "return images"),
    ),
    "writes the cloud": Case(
        "networks",
        "alters its adversary's cloud",
        offline("for each in adversary.cloud.parameters(): each.data.mul_(2)"),
        offline("for each in copy.deepcopy(adversary.cloud).parameters(): each.data.mul_(2)"),
    ),
    "trains the cloud": Case("networks", "cloud", offline("adversary.cloud.train()")),
    "writes the edge": Case(
        "networks",
        "edge",
        "requires = frozenset({EDGE})\n"
        + offline("for each in adversary.edge.parameters(): each.data.zero_()"),
    ),
    "seeds torch": Case("globals", "torch's global", offline("torch.manual_seed(0)")),
    "grad mode": Case(
        "globals",
        "the grad mode",
        offline("torch.set_grad_enabled(False)"),
        offline("with torch.no_grad(): pass"),
    ),
    "default dtype": Case(
        "globals",
        "the default dtype",
        online("torch.set_default_dtype(torch.float64)", "return flat(features, state)"),
    ),
    "threads": Case("globals", "threads", offline("torch.set_num_threads(3)")),
    "deterministic": Case(
        "globals", "deterministic", offline("torch.use_deterministic_algorithms(True)")
    ),
    "wrong device": Case(
        "device",
        "not meta",
        online("return flat(features.cpu(), state)"),
        online("return flat(features.cpu(), state).to(features.device)"),
    ),
    "made on the CPU": Case(
        "device",
        "same device",
        online("return flat(features, state) * torch.ones(state)"),
        online("return flat(features, state) * torch.ones(state, device=features.device)"),
    ),
    "drawn on the device": Case(
        "device",
        "generator",
        "def offline(self, adversary, generator):\n"
        "    torch.rand(3, generator=generator, device=adversary.device)\n"
        "    return adversary.input_shape\n",
        "def offline(self, adversary, generator):\n"
        "    torch.rand(3, generator=generator).to(adversary.device)\n"
        "    return adversary.input_shape\n",
    ),
    "a network with a secret": Case(
        "learned",
        "parameters and buffers",
        "def finish(self, network, examples): network.scale = 9.0\n"
        + online(
            "network, shape = state",
            "scale = getattr(network, 'scale', 0.0)",
            "return flat(scale * network(features.flatten(1)).detach(), shape)",
        ),
        base=LEARNED,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_is_found_out(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    found = finding(loaded(write(tmp_path, case.bad, case.base)), case.check)
    assert found.outcome == "failed"
    assert case.said in found.line
    assert "\n" not in found.line


RIGHT = {
    "nothing changed": (CLASS, ""),
    "nothing changed, learned": (LEARNED, ""),
    **{name: (case.base, case.good) for name, case in CASES.items() if case.good},
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_passes(name: str, tmp_path: Path) -> None:
    base, body = RIGHT[name]
    assert failures(loaded(write(tmp_path, body, base))) == {}


def test_nothing_is_left_changed_by_an_attack_on_trial(tmp_path: Path) -> None:
    """Nor does the battery itself draw from what belongs to everybody."""
    before = torch.get_rng_state()
    body = offline("torch.set_default_dtype(torch.float64)", "torch.rand(3)")
    assert "globals" in failures(loaded(write(tmp_path, body)))
    assert torch.get_default_dtype() == torch.float32
    assert torch.equal(torch.get_rng_state(), before)


def test_what_rests_on_a_failed_check_is_not_tried(tmp_path: Path) -> None:
    outcomes = {e.check: e.outcome for e in battery(loaded(write(tmp_path, online("1 / 0"))))}
    assert outcomes["capabilities"] == "passed"
    assert outcomes["runs"] == "failed"
    assert set(outcomes.values()) == {"passed", "failed", "not tried"}
    assert list(outcomes) == [check.name for check in CHECKS]


def test_the_tiny_targets_are_of_different_kinds() -> None:
    targets = [place.target() for place in PLACES]
    assert len({target.input_shape for target in targets}) == 2
    assert {len(target.feature_shape) for target in targets} == {1, 3}
    assert len({target.num_classes for target in targets}) == 3
    assert 10 not in {target.num_classes for target in targets}


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", write(tmp_path, "")]) == 0
    assert f"{len(CHECKS)} checks, none failed" in capsys.readouterr().out
    assert main(["check", write(tmp_path, online("1 / 0"))]) == 1
    said = capsys.readouterr().out
    assert "FAILED    runs          ZeroDivisionError: division by zero (mine.py, line" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("head", "body", "said"),
    [
        (HEAD, online("import os", "os._exit(3)"), "capabilities .*crashed"),
        ("import nowhere\n", "", "loads .*No module named 'nowhere' .*line 1"),
        (HEAD + "def broken(:\n", "", "loads .*SyntaxError"),
    ],
)
def test_a_crash_and_a_broken_file_are_lines(
    head: str, body: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", write(tmp_path, body, head=head)]) == 1
    out = capsys.readouterr().out
    assert re.search("FAILED    " + said, out), out


def test_a_hang_is_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before the first check, so that a slow machine says the same."""
    reference = write(tmp_path, "", head="import time\ntime.sleep(600)\n")
    assert main(["check", reference, "--time-limit", "2s"]) == 1
    out = capsys.readouterr().out
    assert re.search("FAILED    loads .*took more than the 2 s that all checks have", out), out


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("nowhere.py:Mine", "there is no file"),
        ("nowhere.py", "names no class; give nowhere.py:MyAttack"),
        ("rmlee", "did you mean 'rmle'?"),
        ("", "unknown attack ''"),
    ],
)
def test_what_names_no_attack_is_misuse(
    reference: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", reference]) == 2
    assert said in capsys.readouterr().err
