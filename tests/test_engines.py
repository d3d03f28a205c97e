"""Runs side by side, in shares, in processes that die, and by workers elsewhere."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from splitzoo.attacks import get_setting
from splitzoo.bench import ResultStore
from splitzoo.bench.cli import main
from splitzoo.bench.engines import attacking, local
from splitzoo.bench.engines.answering import answer
from splitzoo.bench.engines.attacking import AttackItem, AttackTask, attack_all, longest_first
from splitzoo.bench.engines.items import Answer, WorkerDiedError
from splitzoo.bench.referee.runs import Run
from splitzoo.bench.referee.workers import Limits
from splitzoo.bench.scenarios import Scenario
from splitzoo.bench.store.result import Result
from splitzoo.zoo import MisuseError, ResultError, SplitzooError, get_defence, published

#: Behind conv1 its process dies, as often as the file says that it may; it is gray everywhere.
DYING = """
import os, signal
from dataclasses import dataclass
from pathlib import Path
from splitzoo.attacks import Attack

DEATHS = Path({deaths!r})

@dataclass(frozen=True, kw_only=True)
class Dying(Attack):
    name, title, citation = "dying", "Dying", "nobody"
    requires = frozenset()

    def offline(self, adversary, generator):
        left = int(DEATHS.read_text())
        if adversary.feature_shape == (8, 24, 24) and left:
            DEATHS.write_text(str(left - 1))
            os.kill(os.getpid(), signal.SIGKILL)
        return adversary.input_shape

    def online(self, state, features, draws):
        return features.new_full((len(features), *state), 0.5)
"""


def benched(tmp_path: Path, deaths: int, *words: str) -> tuple[int, ResultStore]:
    """White-box LeNet, both splits, with the attack that dies so often."""
    path, results = tmp_path / "dying.py", tmp_path / "results"
    (tmp_path / "deaths").write_text(str(deaths))
    path.write_text(DYING.format(deaths=str(tmp_path / "deaths")), "utf-8")
    arguments = ["bench", "--only", "white_box/lenet", "--attack", f"{path}:Dying"]
    return main([*arguments, "--results", str(results), *words]), ResultStore(results)


def table(store: ResultStore) -> dict[str, Any]:
    """Every result without times, by its path, and the bytes of its images."""
    found = {}
    for path in sorted((store.folder / "paper10").glob("*/*/*.json")):
        content = json.loads(path.read_text("utf-8"))
        content["cost"], content["made"] = None, None
        images = path.with_suffix(".png")
        found[path.name, path.parent.name] = content, images.read_bytes()
    return found


def test_two_processes_and_two_shares_make_the_table_of_one(tmp_path: Path) -> None:
    """Though one of the processes is killed twice in the middle."""
    (tmp_path / "one").mkdir()
    status, store = benched(tmp_path / "one", 0)
    assert status == 0
    expected = table(store)
    assert len(expected) == 2
    (tmp_path / "two").mkdir()
    status, store = benched(tmp_path / "two", 2, "--jobs", "2")
    assert status == 0
    assert table(store) == expected
    assert (tmp_path / "two" / "deaths").read_text() == "0"
    (tmp_path / "shares").mkdir()
    status, store = benched(tmp_path / "shares", 0, "--shard", "1/2")
    assert status == 0
    assert len(table(store)) == 1
    status, store = benched(tmp_path / "shares", 0, "--shard", "2/2")
    assert status == 0
    assert table(store) == expected


def test_a_run_whose_process_always_dies_has_failed_and_the_rest_goes_on(tmp_path: Path) -> None:
    status, store = benched(tmp_path, 99, "--jobs", "2")
    assert status == 1
    outcomes = {result.where.target.split: result.failure for result in store.all("paper10")}
    died = "its worker died 3 times, at last: its process has gone"
    assert outcomes == {"conv1": died, "relu2": None}
    assert (tmp_path / "deaths").read_text() == "96"


@pytest.mark.parametrize("share", ["0/2", "3/2", "1", "a/b", "1/2/3"])
def test_a_share_that_is_none_is_refused(share: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bench", "--shard", share])
    assert "is no share" in capsys.readouterr().err


class Fake:
    """A worker of this process, which fails as often as it is told to."""

    device, threads = "cpu", 1

    def __init__(self, *deaths: str) -> None:
        self.deaths, self.items, self.ended = list(deaths), list[str](), False

    def carry_out(self, item: str) -> str:
        self.items.append(item)
        if self.deaths and (reason := self.deaths.pop(0)):
            raise WorkerDiedError(reason)
        return answer(item)

    def end(self) -> None:
        self.ended = True


def gray(split: str = "conv1", attack: str = "gray_image", **chosen: Any) -> Run:
    """The flat gray image, against LeNet: an attack of no time."""
    where = Scenario(get_setting("white_box"), published(f"lenet/{split}"), "paper10")
    return Run(where, attack, **chosen)


def attacked(tmp_path: Path, runs: list[Run], *workers: Fake, **how: Any) -> list[Result]:
    store, cpu = ResultStore(tmp_path / "results"), torch.device("cpu")
    return attack_all(runs, store, workers, where="in a test", device=cpu, **how)


def test_a_piece_of_work_is_begun_again_and_counts_once(tmp_path: Path) -> None:
    worker = Fake("struck by lightning", "struck again", "", "", "")
    results = attacked(tmp_path, [gray("conv1"), gray("relu2")], worker)
    assert [result.where.target.split for result in results] == ["conv1", "relu2"]
    assert [result.failure for result in results] == [None, None]
    assert len(worker.items) == 4
    assert worker.items[0] == worker.items[1] == worker.items[2]
    assert worker.ended


def test_three_deaths_are_a_stored_failure_and_the_rest_goes_on(tmp_path: Path) -> None:
    worker = Fake("lightning", "lightning", "a flood\x1b", "")
    results = attacked(tmp_path, [gray("conv1"), gray("relu2")], worker)
    (failed,) = (each for each in results if each.failure is not None)
    assert failed.failure == "its worker died 3 times, at last: a flood"
    store = ResultStore(tmp_path / "results")
    assert store.load(failed.where, "gray_image") == failed


def test_what_takes_longest_is_handed_out_first() -> None:
    """As the published rows say; what nobody knows of may be the longest of all."""
    runs = [gray("conv1"), gray("relu2", "rmle"), gray("fc1", "rmle"), gray("conv1", "rmle")]
    assert longest_first(runs) == [2, 1, 3, 0]


def test_what_is_there_and_current_needs_no_worker(tmp_path: Path) -> None:
    runs, idle = [gray("conv1"), gray("relu2")], Fake()
    before = attacked(tmp_path, runs, Fake())
    assert attacked(tmp_path, runs, idle) == before
    assert idle.items == []
    assert attacked(tmp_path, runs, idle, fresh=True) != []
    assert len(idle.items) == 2


def test_an_item_is_a_small_json_that_says_all(tmp_path: Path) -> None:
    noisy = get_defence("gaussian_noise")(sigma=0.5)
    where = Scenario(get_setting("white_box"), published("lenet/relu2"), "standard", noisy)
    run = Run(where, "rmle", 7, (("iterations", 3), ("tv_weight", 0.5)))
    task = AttackTask(run, ResultStore(tmp_path), torch.device("cpu"), None, True, Limits(60.0))
    text = task.item("cuda:1", 3).encoded()
    assert len(text) < 1000
    item = msgspec.json.decode(text, type=AttackItem)
    assert item.run() == run
    assert item.run().digest == item.key
    assert (item.device, item.threads, item.limits) == ("cuda:1", 3, Limits(60.0))


def test_a_worker_with_another_checkout_refuses_and_nothing_is_stored(tmp_path: Path) -> None:
    task = AttackTask(gray(), ResultStore(tmp_path), torch.device("cpu"))
    other = msgspec.structs.replace(task.item("cpu", 1), key="0" * 64)
    said = msgspec.json.decode(answer(other.encoded()), type=Answer)
    with pytest.raises(SplitzooError, match="give all machines the same checkout"):
        said.read()
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_ends_all_workers_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One reason stops every scenario, so none is tried three times for it."""
    workers = Fake(), Fake()
    for worker in workers:
        worker.device = "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MisuseError, match="no CUDA device"):
        attacked(tmp_path, [gray("conv1"), gray("relu2"), gray("fc1")], *workers)
    assert all(worker.ended for worker in workers)
    assert sum(len(worker.items) for worker in workers) <= 2


def test_an_error_that_nobody_foresaw_is_an_attempt_and_its_words_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("out of memory\nat 0x7f")

    monkeypatch.setattr(attacking, "ensure_result", broken)
    (result,) = attacked(tmp_path, [gray()], Fake())
    words = "its worker died 3 times, at last: RuntimeError: out of memory at 0x7f"
    assert result.failure == words
    assert capsys.readouterr().err.count("Traceback") == 3


def test_a_result_that_does_not_arrive_says_that_folders_must_be_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Elsewhere(Fake):
        def carry_out(self, item: str) -> str:
            away = str(tmp_path / "on another machine")
            there = msgspec.structs.replace(
                msgspec.json.decode(item, type=AttackItem), results=away
            )
            return answer(there.encoded())

    monkeypatch.setattr(attacking, "SEEN_WITHIN", 0.0)
    with pytest.raises(ResultError, match="every machine sees"):
        attacked(tmp_path, [gray()], Elsewhere())


def test_an_interrupt_ends_the_workers_and_tries_nothing_again(tmp_path: Path) -> None:
    class Interrupted(Fake):
        def carry_out(self, item: str) -> str:
            self.items.append(item)
            signal.raise_signal(signal.SIGINT)
            while not self.ended:
                time.sleep(0.01)
            raise WorkerDiedError("it was ended")

    worker = Interrupted()
    # A shell starts what it runs in the background with interrupts ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            attacked(tmp_path, [gray("conv1"), gray("relu2")], worker)
    finally:
        signal.signal(signal.SIGINT, before)
    assert worker.ended
    time.sleep(0.1)  # its thread may still be about to try again
    assert len(worker.items) == 1
    assert not (tmp_path / "results").exists()


def test_processes_share_the_cores_and_have_a_gpu_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with local.processes(3, None, torch.device("cuda")) as workers:
        assert [each.device for each in workers] == ["cuda:0", "cuda:1", "cuda:0"]
        assert [each.threads for each in workers] == [2, 2, 2]
    with local.processes(16, None, torch.device("cuda:1")) as workers:
        assert {(each.device, each.threads) for each in workers} == {("cuda:1", 1)}


@pytest.mark.parametrize(("engine", "brings"), [("ray", "ray"), ("slurm", "submitit")])
def test_an_engine_that_is_not_installed_says_how_to_install_it(
    engine: str,
    brings: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, brings, None)
    command = ["bench", "--only", "white_box/lenet", "--attack", "gray_image"]
    status = main([*command, "--results", str(tmp_path), "--engine", engine])
    assert status == 2
    assert f"pip install 'splitzoo[{engine}]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--engine", "slumr"], "did you mean 'slurm'?"),
        (["--address", "127.0.0.1:6379"], "--address is for --engine ray"),
        (["--engine", "ray", "--sbatch", "partition=gpu"], "--sbatch is for --engine slurm"),
    ],
)
def test_options_that_an_engine_has_no_use_for_are_refused(
    words: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "--results", str(tmp_path), *words]) == 2
    assert complaint in capsys.readouterr().err


def test_jobs_of_submitit_make_the_table_of_one(tmp_path: Path) -> None:
    pytest.importorskip("submitit", reason="submitit is not installed")
    (tmp_path / "one").mkdir()
    _, store = benched(tmp_path / "one", 0)
    expected = table(store)
    (tmp_path / "jobs").mkdir()
    words = "--engine", "submitit-local", "--jobs", "2", "--threads", "1"
    status, store = benched(tmp_path / "jobs", 1, *words)
    assert status == 0
    assert table(store) == expected
    assert (tmp_path / "jobs" / "deaths").read_text() == "0"
