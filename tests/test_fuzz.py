"""Malformed files and odd command lines: one line each, never a traceback, nothing accepted.

A short run by default; `SPLITZOO_FUZZ=900 pytest tests/test_fuzz.py` makes it a long one.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import math
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from splitzoo.attacks import Adversary, Attack, Capability, Draws, get_setting
from splitzoo.attacks.tuned import TUNED, decode
from splitzoo.bench import ResultStore, scenario
from splitzoo.bench.cli import COMMANDS, main
from splitzoo.bench.report.leaderboard import render
from splitzoo.bench.report.rows import load_results
from splitzoo.bench.store import PUBLISHED
from splitzoo.zoo import (
    CheckpointError,
    ContractError,
    MisuseError,
    ResultError,
    SplitzooError,
    load_inverse,
    load_split,
)
from splitzoo.zoo.cards import card
from splitzoo.zoo.loading import build
from splitzoo.zoo.manifests import PATH, read_manifest
from torch import Tensor

EXAMPLES = int(os.environ.get("SPLITZOO_FUZZ", "60"))
fuzz = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 7, 5000, 2**31, 2**63, 2**64, -(2**70), 1e308, -1e308, 0.5, -0.5,
    math.nan, math.inf, -math.inf, "", "x", "../../escape", "/absolute", "a\nb", "a\x00b", "\ud800",
    "|`<b>", "9" * 400, "1", "nan", [], {}, [None], [[]], [1, 1], ["x"], [math.nan], {"": None},
    {"a": {"a": {"a": []}}}, [0] * 100, [True] * 100, [1e9] * 100,
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything within a JSON value."""
    if path:
        yield path
    within: Any = ()
    if isinstance(value, (dict, list)):
        within = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in within:
        yield from places(each, (*path, key))


def damaged(document: Any, seed: int) -> str:
    """The document with one to three places replaced, deleted, doubled or moved, or cut short."""
    draw = random.Random(seed)
    value = copy.deepcopy(document)
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        shallow = [path for path in places(value) if len(path) <= draw.choice((1, 2, 3, 9))]
        if not shallow:
            break
        *way, last = draw.choice(shallow)
        parent = value
        for key in way:
            parent = parent[key]
        kind = draw.random()
        if kind < 0.6:
            parent[last] = copy.deepcopy(draw.choice(HOSTILE))
        elif kind < 0.75:
            del parent[last]
        elif isinstance(parent, dict):
            parent[draw.choice(("surprise", "", "x\n", "Ω", str(last) + "_"))] = parent[last]
        else:
            parent.append(parent[last])
    text = json.dumps(value)
    kind = draw.random()
    if kind < 0.05:
        return text[: draw.randrange(len(text))]
    if kind < 0.08:
        return draw.choice(("", "[", "null", "[]", "{}", "0", '"x"', "[" * 100_000, "\x00"))
    return text


SEEDS = st.integers(0, 2**32)
CELL = scenario("black_box_same_set/lenet/relu2")
RESULT = json.loads(ResultStore(PUBLISHED).path(CELL, "model_reconstruction", 0).read_text("utf-8"))


@fuzz
@given(SEEDS)
def test_a_malformed_result_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    folder = tmp_path_factory.getbasetemp() / "fuzzed"
    store = ResultStore(folder)
    path = store.path(CELL, "model_reconstruction", 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(damaged(RESULT, seed), "utf-8", errors="surrogatepass")
    with contextlib.suppress(ResultError):
        store.load(CELL, "model_reconstruction")
    contents = store.contents("standard")
    assert len(contents.results) + len(contents.skipped) == 1
    for result in contents.results:  # what is accepted can be true
        if result.failure is None:
            scores = result.reported
            count = len(scores["indices"])
            assert len(set(scores["indices"])) == count > 0
            assert all(len(values) == count for values in scores.values())
            assert all(0 <= value <= 100 for value in scores.get("psnr", []))
            assert all(-1 <= value <= 1 for value in scores.get("ssim", []))
            truths = scores.get("exact", []) + scores.get("label", [])
            assert {type(value) for value in truths} <= {bool}
        assert result.cost.queries >= 0
        assert 0 <= result.cost.online_seconds < math.inf
        assert 0 <= result.cost.offline_seconds < math.inf
        assert 0 <= result.seed < 2**63
        with contextlib.suppress(ResultError):  # it counts no longer
            render(store, "standard", folder / "page.md")
            load_results(folder)


@fuzz
@given(SEEDS)
def test_malformed_tuned_fields_are_refused_or_harmless(seed: int) -> None:
    published = json.loads(TUNED.read_text("utf-8"))
    few = {"rmle": {key: published["rmle"][key] for key in list(published["rmle"])[:2]}}
    text = damaged(few, seed).encode("utf-8", "surrogatepass")
    try:
        accepted = decode(text)
    except (ValueError, RecursionError):  # what `tuned` turns into one line
        return
    for cells in accepted.values():
        for choices in cells.values():
            for choice in choices.values():
                points = choice.evidence.curve
                metric = choice.evidence.criterion
                (chosen, *_) = (point for point in points if point.value == choice.value)
                assert math.isfinite(choice.value)
                assert getattr(chosen, metric) == max(getattr(each, metric) for each in points)
                assert all(0 <= point.psnr <= 100 for point in points)


@fuzz
@given(SEEDS)
def test_a_malformed_manifest_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    published = json.loads(PATH.read_text("utf-8"))
    names = ("lenet", "mnist_judge", "lenet_shadow_relu2-same_set_same_net")
    published["checkpoints"] = {name: published["checkpoints"][name] for name in names}
    path = tmp_path_factory.getbasetemp() / "manifest.json"
    path.write_text(damaged(published, seed), "utf-8", errors="surrogatepass")
    try:
        manifest = read_manifest(path)
    except CheckpointError:
        return
    for record in manifest.records.values():
        assert "/" not in record.file
        assert card(record)
        with contextlib.suppress(SplitzooError):
            build(record.architecture)


WORDS = (
    *COMMANDS, *HOSTILE[19:30], "--help", "--profile", "paper10", "standard", "--only",
    "lenet/relu2", "white_box", "/", "--attack", "rmle", "shadow_model", "--results", "--seed",
    "0", "-1", "1.5", "99999999999999999999", "--device", "cpu", "mps", "cpu:5", "cuda:99",
    "--fresh", "--check", "--format", "csv", "json", "xml", "--field", "tv_weight", "iterations",
    "space", "--grid", "1,2", "nan", "1,inf", ",", "--per-class", "--go-on", "--all", "--out",
    "--adopt", "--precision", "half", "float32", "lenet", "lenet_inverse_relu2-same_set", "mnist",
    "--card", "--estimate", "a" * 300, "--defence", "gaussian_noise:sigma=0.5", "gaussian_noise:x",
    "tv_weight=1", "steps=", "=", "nowhere.py:Attack", "resnet20",
)  # fmt: skip


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every command stops short of its work, and nothing is written outside a folder of its own."""

    def stop(*_: Any, **__: Any) -> Any:
        raise MisuseError("stopped short of work")

    monkeypatch.chdir(tmp_path)
    for place in (
        "engines.here.ensure_result", "report.leaderboard.write_leaderboard",
        "referee.offline.train", "referee.offline.estimate", "referee.tuning.tune",
        "referee.tuning.keep", "referee.tuning.ensure_tunable", "report.figures.draw",
        "report.checks.outdated", "referee.runs.rescore", "referee.verification.verify",
        "referee.verification.keep", "referee.checking.check_apart", "site.write.write_site",
    ):  # fmt: skip
        monkeypatch.setattr(f"splitzoo.bench.{place}", stop)
    monkeypatch.setattr("splitzoo.zoo.data.fetch_dataset", stop)


@fuzz
@given(
    st.lists(st.sampled_from([str(word) for word in WORDS]), max_size=7),
    st.sampled_from(list(COMMANDS)),
)
@pytest.mark.usefixtures("idle")
def test_an_odd_command_line_ends_with_a_status_and_a_line(words: list[str], command: str) -> None:
    err = io.StringIO()
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
        try:
            status: Any = main([command, *words])
        except SystemExit as end:
            status = end.code
    assert status in (0, 1, 2)
    assert status == 0 or ": error: " in err.getvalue() or "splitzoo: " in err.getvalue()
    assert "Traceback" not in err.getvalue()


CHECKPOINT = (PATH.parent / "checkpoints" / "lenet_inverse_conv1-same_set.safetensors").read_bytes()


@fuzz
@given(SEEDS)
def test_a_malformed_checkpoint_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    draw = random.Random(seed)
    end = 8 + int.from_bytes(CHECKPOINT[:8], "little")
    content = bytearray(CHECKPOINT)
    kind = draw.random()
    if kind < 0.4:  # a header that is JSON still
        header = damaged(json.loads(CHECKPOINT[8:end]), seed).encode("utf-8", "surrogatepass")
        content[:end] = len(header).to_bytes(8, "little") + header
    elif kind < 0.6:  # a header of another length
        content[:8] = draw.choice((0, 1, end, 2**31, 2**63, 2**64 - 1)).to_bytes(8, "little")
    elif kind < 0.8:
        del content[draw.randrange(len(content)) :]
    else:
        for _ in range(draw.choice((1, 3, 100))):
            content[draw.randrange(end)] = draw.randrange(256)
    path = tmp_path_factory.getbasetemp() / "damaged.safetensors"
    path.write_bytes(content)
    try:
        network = load_inverse("lenet", "conv1", path=path)
    except CheckpointError as error:
        complaint = str(error)
    else:
        complaint = ""
    if complaint:
        assert str(path) in complaint
        return
    assert all(torch.isfinite(each).all() for each in network.state_dict().values())
    assert network(torch.zeros(1, 8, 24, 24)).shape == (1, 1, 28, 28)


@dataclass(frozen=True, kw_only=True)
class Answering(Attack):
    """Recovers whatever it is told."""

    name = ""
    requires = frozenset({Capability.EDGE})
    title = "Answering"
    citation = "-"
    answer: Any

    def online(self, state: Any, features: Tensor, draws: Draws) -> Tensor:
        answer: Tensor = self.answer
        return answer


TENSORS = st.builds(
    lambda shape, dtype, value, change: change(torch.zeros(shape).to(dtype) + value),
    st.sampled_from([(2, 1, 28, 28)] * 9 + [(), (0,), (2,), (1, 1, 28, 28), (2, 28, 28, 1)]),
    st.sampled_from(
        [torch.float32] * 5
        + [torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.bool, torch.complex64]
    ),
    st.sampled_from([0, 1, 0.5, -1e-6, 1 + 1e-6, 255, math.nan, math.inf, -math.inf, 1e30]),
    st.sampled_from(
        [
            lambda each: each,
            lambda each: each.to_sparse() if each.dim() else each,
            lambda each: each.to("meta"),
            lambda each: each.numpy() if each.dtype != torch.bfloat16 else None,
            lambda each: each.tolist(),
            lambda each: each.requires_grad_() if each.is_floating_point() else each,
        ]
    ),
)


@fuzz
@given(st.one_of(TENSORS, st.sampled_from(HOSTILE)))
def test_an_odd_answer_is_refused_or_is_images(answer: Any) -> None:
    target = load_split("lenet", "conv1", weights=None)
    prepared = Answering(answer=answer).prepare(Adversary(get_setting("white_box"), target))
    try:
        images = prepared.reconstruct(torch.zeros(2, 8, 24, 24))
    except ContractError as error:
        complaint = str(error)
    else:
        complaint = ""
    if complaint:
        assert "Answering" in complaint
        return
    assert images.shape == (2, 1, 28, 28)
    assert images.dtype == torch.float32
    assert not images.requires_grad
    assert ((images >= 0) & (images <= 1)).all()


def test_what_no_record_can_describe_is_refused() -> None:
    for architecture in ({"foo": "x"}, {"shadow": "lenet/conv1"}, {"judge": "mnist", "a": "b"}):
        with pytest.raises(CheckpointError, match="architecture"):
            build(architecture)
