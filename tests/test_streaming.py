"""Features come batch by batch: the result does not depend on it, and a kill costs one batch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from splitzoo.attacks import (
    Adversary,
    Attack,
    Capability,
    Draws,
    LearnedAttack,
    Setting,
    by_name,
)
from splitzoo.bench import ResultStore, Run, attack_images, scenario
from splitzoo.bench.referee import attacking
from splitzoo.zoo import Images, Target, load_network, load_split
from torch import Tensor

CPU = torch.device("cpu")
WHERE = scenario("white_box/lenet/conv1", "standard")
SEVEN = Images(
    torch.randint(256, (7, 1, 28, 28), generator=torch.Generator().manual_seed(5)).byte(),
    torch.arange(7),
)


@dataclass(frozen=True, kw_only=True)
class Noise(Attack):
    """Answers noise, and remembers how many features it was shown at a time."""

    requires = frozenset[Capability]()
    title = "Noise"
    citation = "-"

    def offline(self, adversary: Adversary, generator: torch.Generator) -> Any:
        return []

    def online(self, state: Any, features: Tensor, draws: Draws) -> Tensor:
        state.append(len(features))
        return (0.1 * draws.normal(1, 28, 28) + draws.uniform(1, 28, 28)).clamp(0, 1)


def nothing(target: Target) -> Adversary:
    return Adversary(Setting("none", "none", "None", "-", frozenset()), target)


@pytest.mark.parametrize("batch", [1, 2, 3, 7, 50])
def test_an_images_randomness_is_its_numbers_alone(batch: int) -> None:
    target = load_split("lenet", "conv1")
    features = target.edge(SEVEN.floats()).detach()
    whole = Noise().prepare(nothing(target), seed=3).reconstruct(features)
    prepared = Noise().prepare(nothing(target), seed=3)
    assert torch.equal(prepared.reconstruct(features, batch=batch), whole)
    assert torch.equal(prepared.reconstruct(features[4:], first=4, batch=batch), whole[4:])
    assert torch.equal(torch.cat(list(prepared.stream(features.split(batch)))), whole)
    assert not torch.equal(Noise().prepare(nothing(target), seed=4).reconstruct(features), whole)
    assert not torch.equal(whole[0], whole[1])


@pytest.mark.parametrize("name", ["rmle", "inverse_network", "shadow_model"])
def test_every_batch_size_recovers_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the rounding of other summation orders: one grey level."""
    settings = {"inverse_network": "black_box_same_set", "shadow_model": "query_free_same_set"}
    setting = settings.get(name, "white_box") + ("_same_net" if name == "shadow_model" else "")
    run = Run(scenario(f"{setting}/lenet/conv1"), name)
    record = run.published()
    network = load_network(record.name) if record else None
    recovered = [
        attack_images(
            run.configure(), run.scenario, SEVEN, device=CPU, network=network, batch=batch
        ).pixels.int()
        for batch in (2, 7)
    ]
    assert (recovered[0] - recovered[1]).abs().max() <= 1


def test_what_was_finished_is_not_attacked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run dies in its third batch of two; the next begins with the third."""
    monkeypatch.setattr(attacking, "KEEP_EVERY", 0.0)
    shown: list[int] = []

    class Dying(Noise):
        def online(self, state: Any, features: Tensor, draws: Draws) -> Tensor:
            shown.append(len(features))
            if len(shown) == 3:
                raise KeyboardInterrupt
            return super().online(state, features, draws)

    kept = attacking.Kept(tmp_path / "kept.safetensors", {"run": 1})
    attack: Any = Dying()
    expected = attack_images(Noise(), WHERE, SEVEN, device=CPU, batch=2).pixels
    with pytest.raises(KeyboardInterrupt):
        attack_images(attack, WHERE, SEVEN, device=CPU, batch=2, kept=kept)
    with safe_open(tmp_path / "kept.safetensors", "pt") as file:
        assert len(file.get_tensor("recovered")) == 4
    again = attack_images(attack, WHERE, SEVEN, device=CPU, batch=2, kept=kept)
    assert shown == [2, 2, 2, 2, 1]
    assert torch.equal(again.pixels, expected)
    other = attacking.Kept(tmp_path / "kept.safetensors", {"run": 2})
    assert len(other.load(SEVEN.pixels.shape)[0]) == 0, "what another run left counts for nothing"


@dataclass(frozen=True, kw_only=True)
class Asking(Attack):
    """Asks two images for each that it attacks, and two before."""

    requires = frozenset({Capability.QUERY})
    title = "Asking"
    citation = "-"

    def offline(self, adversary: Adversary, generator: torch.Generator) -> Adversary:
        adversary.query(torch.zeros(2, 1, 28, 28))
        return adversary

    def online(self, state: Adversary, features: Tensor, draws: Draws) -> Tensor:
        state.query(torch.zeros(2 * len(features), 1, 28, 28))
        return torch.zeros(len(features), 1, 28, 28)


def test_queries_count_whenever_they_are_asked(tmp_path: Path) -> None:
    """Also those of images that were finished before a kill."""
    where = scenario("black_box_rand_set/lenet/conv1", "standard")
    kept = attacking.Kept(tmp_path / "kept.safetensors", {"run": 1})
    assert attack_images(Asking(), where, SEVEN, device=CPU, batch=2).queries == 2 + 14
    kept.save(SEVEN.pixels[:4], 1.0, queries=8)
    assert attack_images(Asking(), where, SEVEN, device=CPU, batch=2, kept=kept).queries == 2 + 14


def test_a_training_that_was_killed_counts_from_its_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It says that it took a thousand seconds in all, most of them in an earlier process."""
    network = load_network("lenet_inverse_conv1-rand_set")
    monkeypatch.setattr(LearnedAttack, "train", lambda *given, **named: (network, 1000.0))
    run = Run(scenario("black_box_rand_set/lenet/conv1"), "inverse_network")
    found = attack_images(run.configure(), run.scenario, SEVEN, device=CPU)
    assert 1000 <= found.offline_seconds < 1001


@pytest.mark.parametrize("content", [b"", b"torn" * 99])
def test_a_torn_file_of_finished_images_starts_over(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "kept.safetensors"
    path.write_bytes(content)
    assert len(attacking.Kept(path, {}).load(SEVEN.pixels.shape)[0]) == 0


def test_a_killed_scenario_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """SIGKILL in the middle of a row; the next run ends in an uninterrupted one's row."""
    (tmp_path / "slow.py").write_text(
        "import time\n"
        "from dataclasses import dataclass\n"
        "from splitzoo.attacks import Attack\n\n\n"
        "@dataclass(frozen=True, kw_only=True)\n"
        "class Slow(Attack):\n"
        "    requires = frozenset()\n"
        '    title = citation = "Slow"\n'
        "    pause: float = 1.2\n\n"
        "    def images_at_a_time(self, adversary):\n"
        "        return 2\n\n"
        "    def online(self, state, features, draws):\n"
        "        time.sleep(self.pause)\n"
        "        return draws.uniform(1, 28, 28)\n"
    )
    code = "from splitzoo.bench.cli import main; raise SystemExit(main())"
    command = [sys.executable, "-c", code, "bench", "--only", "white_box/lenet/conv1"]
    command += ["--attack", "slow.py:Slow", "--results"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([*command, "cut"], cwd=tmp_path, env=environment)
    deadline = time.monotonic() + 120
    while not list(tmp_path.rglob(".*.unfinished.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    (unfinished,) = tmp_path.rglob(".*.unfinished.safetensors")
    with safe_open(unfinished, "pt") as file:
        assert 0 < len(file.get_tensor("recovered")) < 10
    for folder in ("cut", "whole"):
        subprocess.run([*command, folder], cwd=tmp_path, env=environment, check=True)
    assert not unfinished.exists()
    load_attack_of(tmp_path)
    try:
        where = scenario("white_box/lenet/conv1", "paper10")
        stores = [ResultStore(tmp_path / folder) for folder in ("cut", "whole")]
        results = [store.load(where, "Slow") for store in stores]
    finally:
        by_name.catalogue().pop("Slow")
    assert results[0] is not None
    assert results[1] is not None
    assert results[0].reported == results[1].reported
    assert results[0].cost.online_seconds == pytest.approx(results[1].cost.online_seconds, rel=0.5)


def load_attack_of(folder: Path) -> None:
    by_name.load_attack(f"{folder / 'slow.py'}:Slow")
