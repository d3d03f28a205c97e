"""The command as a user types it: one line for every misuse, and nothing lost by a kill."""

from __future__ import annotations

import errno
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from splitzoo.attacks import catalogue
from splitzoo.attacks.described import described_attacks
from splitzoo.bench import ResultStore, chosen_runs, planned_runs
from splitzoo.bench.cli import COMMANDS, main
from splitzoo.bench.commands.listing import known_networks, plan
from splitzoo.bench.paper import TABLES
from splitzoo.bench.store import PUBLISHED
from splitzoo.zoo import networks, progress, resolving
from splitzoo.zoo.manifests import FOLDER

SPLITZOO = [sys.executable, "-c", "from splitzoo.bench.cli import main; raise SystemExit(main())"]


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    err = capsys.readouterr().err
    lines = [line for line in err.splitlines() if line.startswith("splitzoo: error: ")]
    assert len(lines) == 1
    assert err.strip().splitlines()[-1] == lines[0]
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["bench", "--only", "resnet"], "did you mean 'resnet20'"),
        (["bench", "--only", "lenet/relu9"], "unknown setting, network, split or attack 'relu9'"),
        (["bench", "--only", "lenet/relu22"], "white_box/lenet/relu2/rmle"),
        (["bench", "--only", "query_free", "--attack", "rmle"], "does not grant"),
        (["train"], "or give --all"),
        (["train", "lenet", "--precision", "half"], "auto, float32, bfloat16"),
        (["tune", "rmle"], "--grid"),
        (["figures", "--profile", "x"], "paper10, standard"),
        (["bench", "--only", "/"], "unknown scenario"),
        (["bench", "--profile", "paper11"], "did you mean 'paper10'"),
        (["bench", "--attack", "rmlee"], "did you mean 'rmle'"),
        (["bench", "--attack", "RMLE"], "did you mean 'rmle'"),
        (["bench", "--device", "tpu9"], "use one of auto, cpu, cuda"),
        (["leaderboard", "--profile", "x"], "paper10, standard"),
        (["lits"], "unknown command 'lits': did you mean 'list'?"),
        (["bnech", "--results", "data"], "did you mean 'bench'?"),
        (["info", "resnet"], "unknown checkpoint"),
        (["info", "resnet"], "`splitzoo list` has all"),
        (["info", "lenet_split_relu3"], "did you mean 'lenet_split_relu2'"),
        (["bench", "--only", "lenet/relu3"], "did you mean 'relu2'"),
        (["train", "resnet"], "unknown trainable checkpoint"),
        (["data", "imagenet"], "cifar10, mnist"),
        (["tune", "rmle", "--grid", "1", "--field", "color"], "unknown field"),
        (["tune", "nothing", "--grid", "1"], "unknown attack"),
    ],
)
def test_misuse_exits_with_2_and_one_line(
    arguments: list[str], remedy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert remedy in one_line(capsys)


@pytest.mark.parametrize(
    "device", ["", "mps", "meta", "xla", "privateuseone", "cpu:5", "cuda:99", "cuda:-1"]
)
def test_a_device_that_is_not_here_is_misuse(
    device: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["bench"], ["train", "lenet"], ["tune", "rmle", "--grid", "1"]):
        assert main([*command, "--device", device]) == 2
        assert "use " in one_line(capsys)


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        *(
            (["bench", "--seed", seed], "whole number from 0 to 9223372036854775807")
            for seed in ("-1", "1.5", "abc", "", "١٢", "9223372036854775808", "9" * 5000)
        ),
        *(
            (["tune", "rmle", "--grid", "1", "--per-class", number], "number from 1 to 5000")
            for number in ("0", "-1", "two", "5001", "9" * 30)
        ),
        *(
            (["tune", "rmle", "--grid", grid], "finite numbers joined by commas")
            for grid in ("", ",", "nan", "1,inf", "1,,2", "much", "1e999")
        ),
        (["bench", "--results", os.devnull], "choose a folder"),
        (["leaderboard", "--results", __file__], "choose a folder"),
        (["figures", "--results", f"{__file__}/below"], "choose a folder"),
        (["train", "lenet", "--out", __file__], "choose a folder"),
    ],
)
def test_a_value_that_an_option_cannot_take_exits_with_2_and_one_line(
    arguments: list[str], remedy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"splitzoo {arguments[0]}: error: argument --")
    assert remedy in last


@pytest.mark.parametrize(
    "arguments",
    [
        ["bench", "--results"],
        ["leaderboard", "--results"],
        ["figures", "--results"],
        ["train", "lenet", "--out"],
        ["train", "--all", "--out"],
    ],
)
@pytest.mark.parametrize("path", ["a" * 300, "a\x00b", "a\ud800b"])
def test_a_path_that_cannot_be_exits_with_1_and_one_line(
    arguments: list[str], path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, path]) == 1
    assert one_line(capsys)


def test_a_programming_error_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(options: object) -> int:
        raise ValueError("not about a path")

    monkeypatch.setattr("splitzoo.bench.commands.listing.run", broken)
    with pytest.raises(ValueError, match="not about a path"):
        main(["list"])


def test_nothing_to_draw_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["figures", "--results", "nowhere"]) == 1
    assert "run `splitzoo bench --profile" in one_line(capsys)


@pytest.mark.parametrize("arguments", [["list"], ["tune", "--help"]])
def test_an_ascii_terminal_ends_no_command(arguments: list[str]) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    ended = subprocess.run([*SPLITZOO, *arguments], capture_output=True, env=environment)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.isascii()
    assert b"?" in ended.stdout


@pytest.mark.parametrize("arguments", [["bench", "--nope"], ["tune"]])
def test_an_unparsable_command_line_exits_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: splitzoo" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert f"splitzoo {command}" in capsys.readouterr().out


def test_no_command_names_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    out, said = capsys.readouterr()
    assert not out
    assert [name for name in COMMANDS if not re.search(rf"^ +{name}\s", said, re.MULTILINE)] == []


def test_list_and_info(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    assert "white_box/cifar_cnn/relu32" in capsys.readouterr().out
    assert main(["info", "lenet"]) == 0
    assert "verified" in (of_lenet := capsys.readouterr().out)
    assert main(["info", "lenet_split_relu2"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(of_lenet)
    assert "edge up to relu2, which sends features N×16×8×8, 1,024 numbers an image" in said
    for entry, weights in (
        ("lenet_inverse_relu2", "same_set"),
        ("lenet_copy_relu2", "same_set"),
        ("lenet_shadow_relu2", "same_set_same_net"),
    ):
        assert main(["info", f"{entry}-{weights}"]) == 0
        of_weights = capsys.readouterr().out
        assert main(["info", entry]) == 0
        said = capsys.readouterr().out
        assert said == f"{of_weights}{entry} is {entry}-{weights}, its weights by default\n"


def test_a_damaged_checkpoint_stops_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(resolving, "FOLDER", tmp_path)
    content = (FOLDER / "lenet.safetensors").read_bytes()
    (tmp_path / "lenet.safetensors").write_bytes(content[:-1])
    results = tmp_path / "results"
    assert main(["bench", "--only", "white_box/lenet/conv1", "--results", str(results)]) == 1
    assert "restore it" in one_line(capsys)
    assert not list(results.rglob("*.json"))


def test_an_unwritable_results_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    results = str(tmp_path / "results")
    assert main(["bench", "--only", "white_box/lenet/conv1", "--results", results]) == 1
    assert "choose a folder you may write to" in one_line(capsys)


def test_a_leaderboard_that_is_out_of_date_fails_the_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy, few = tmp_path / "results", "standard/white_box/lenet-conv1"
    shutil.copytree(PUBLISHED / few, copy / few)
    arguments = ["leaderboard", "--results", str(copy)]
    assert main([*arguments, "--check"]) == 1
    assert main(arguments) == 0
    page = Path(capsys.readouterr().out.strip())
    assert page.parent == copy
    assert main([*arguments, "--check"]) == 0
    page.write_text(page.read_text("utf-8") + "one more row\n", "utf-8")
    assert main([*arguments, "--check"]) == 1
    assert "run `splitzoo bench`" in capsys.readouterr().err


@pytest.mark.parametrize("ends", [signal.SIGKILL, signal.SIGTERM], ids=lambda each: each.name)
def test_a_run_ended_midway_keeps_what_is_finished(tmp_path: Path, ends: signal.Signals) -> None:
    """conv1 takes a second, relu2 ten times as long: the signal hits while relu2 is running."""
    results = tmp_path / "results"
    command = [*SPLITZOO, "bench", "--only", "white_box/lenet", "--results", str(results)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment)
    finished = results / "paper10/white_box/lenet-conv1/rmle-seed0.json"
    deadline = time.monotonic() + 120
    while not finished.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(ends)
    status = 130 if ends == signal.SIGTERM else -ends
    assert process.wait() == status, "the run ended before it could be ended"
    drawn = results / "leaderboard-paper10.md"
    assert drawn.is_file() == (ends == signal.SIGTERM), "what can be, is drawn"

    before = finished.read_bytes(), finished.stat().st_mtime_ns
    command[-3] = "white_box/lenet/conv1"
    again = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert again.returncode == 0, again.stderr
    assert "kept" in again.stderr
    assert (finished.read_bytes(), finished.stat().st_mtime_ns) == before
    stored = [path for path in results.rglob("*") if path.is_file()]
    assert not [path for path in stored if path.suffix == ".part"]
    assert [r.where.target.split for r in ResultStore(results).all("paper10")] == ["conv1"]


def test_a_stale_result_is_made_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["bench", "--only", "white_box/lenet/conv1", "--results", str(tmp_path)]
    assert main(arguments) == 0
    path = tmp_path / "paper10/white_box/lenet-conv1/rmle-seed0.json"
    content = json.loads(path.read_text("utf-8"))
    scores = content["reported"]["psnr"]
    content["scenario"]["target_sha256"] = "0" * 64
    content["reported"]["psnr"] = [1.0] * 10
    path.write_text(json.dumps(content), "utf-8")
    assert main(arguments) == 0
    assert "was stale: target_sha256" in capsys.readouterr().err
    assert json.loads(path.read_text("utf-8"))["reported"]["psnr"] == scores


def test_a_log_gets_a_line_a_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A clock on which each of ten steps takes half a minute."""
    clock = itertools.count(0, 30)
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    assert list(progress(range(10), "rMLE", unit="it")) == list(range(10))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "rMLE: 1 of 10 it, 9.0 min to go"
    assert len(lines) == 5


def test_every_row_says_how_long_it_took(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for note in ("new", "kept"):
        assert main(["bench", "--only", "white_box/lenet/conv1", "--results", str(tmp_path)]) == 0
        row = capsys.readouterr().err.splitlines()[-1]
        assert re.search(rf"\({note}, took [0-9]+\.[0-9] s\)$", row)


@pytest.mark.parametrize("arguments", [["list"], *([command, "--help"] for command in COMMANDS)])
def test_what_only_tells_does_not_load_torch(arguments: list[str]) -> None:
    """It takes seconds to load: then `list` and `--help` would take seconds too."""
    code = (
        "import sys\nfrom splitzoo.bench.cli import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit:\n    pass\n"
        "assert 'torch' not in sys.modules\nassert 'numpy' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_list_says_what_the_code_does(capsys: pytest.CaptureFixture[str]) -> None:
    """It is read off files and records; here it is held against the objects themselves."""
    assert [(each.name, each.title, each.requires) for each in described_attacks()] == sorted(
        ((name, attack.title, attack.requires) for name, attack in catalogue().items()),
        key=lambda row: [each.name for each in described_attacks()].index(row[0]),
    )
    assert {(name, tuple(splits)) for name, _, splits in known_networks()} == {
        (name, network.splits) for name, network in networks().items()
    }
    assert plan() == [run.key for run in planned_runs()]


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["--attack", "nowhere.py:MyAttack"], "there is no file nowhere.py"),
        (["--attack", "broken.py:MyAttack"], "cannot be run: SyntaxError"),
        (["--attack", "fine.py:Other"], "has no attack 'Other'"),
        (["--attack", "fine.py:Half"], "lacks online"),
        (["--attack", "fine.py:Nameless"], "does not state its citation"),
        (["--attack", "rmle", "--field", "colour=3"], "unknown field of rmle 'colour'"),
        (["--field", "steps=3"], "name the attack too"),
        (["--defence", "noise"], "unknown defence 'noise'"),
        (["--defence", "gaussian_noise:power=3"], "unknown field of gaussian_noise 'power'"),
    ],
)
def test_an_attack_or_defence_that_cannot_be_is_a_line(
    arguments: list[str],
    remedy: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken.py").write_text("class MyAttack(:\n")
    Path("fine.py").write_text(
        "from splitzoo.attacks import Attack\n\n\nclass Half(Attack):\n    pass\n\n\n"
        "class Nameless(Attack):\n    requires = frozenset()\n    title = 'x'\n\n"
        "    def online(self, state, features, draws):\n        pass\n"
    )
    assert main(["bench", "--only", "white_box/lenet/conv1", *arguments]) == 2
    assert remedy in one_line(capsys)


def test_any_split_can_be_benched_where_the_attack_is_allowed() -> None:
    """29 splits of the paper's networks and 14 of ResNet-20, in each of eight settings."""
    faithful = {table.setting: table.attack for table in TABLES if table.number != 8}
    for setting, attack in faithful.items():
        for name, network in networks().items():
            for split in network.splits:
                (run, *more) = chosen_runs([f"{setting}/{name}/{split}/{attack}"])
                assert not more
                run.check()
                assert run.scenario.target.name == f"{name}/{split}"
    assert len(chosen_runs(["resnet20/block13"])) == 9, "eight settings, two attacks in one"
    assert len(chosen_runs(["lenet/pool1"])) == 1, "the plan's own where it has one"
