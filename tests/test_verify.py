"""A row is run again, and one that does not deserve its score is found out."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from splitzoo.attacks import catalogue
from splitzoo.bench import evaluation_set
from splitzoo.bench.cli import main
from splitzoo.bench.referee import verification
from splitzoo.bench.referee.attacking import Recovery
from splitzoo.bench.referee.runs import run_of
from splitzoo.bench.referee.verification import Check, fresh_images, verify
from splitzoo.bench.referee.workers import Limits
from splitzoo.bench.report.leaderboard import provenance_path, render, render_all
from splitzoo.bench.store import PUBLISHED
from splitzoo.bench.store.folder import ResultStore
from splitzoo.bench.store.result import Result
from splitzoo.zoo import MisuseError, holding, load_split

CPU = torch.device("cpu")
HEAD = """
import base64
from dataclasses import dataclass
import torch
from splitzoo.attacks import Attack, Capability

KNOWN = torch.frombuffer(bytearray(base64.b64decode("{known}")), dtype=torch.{dtype})
PUBLIC = (1, 28, 28), (8, 24, 24)  # elsewhere it is as honest as a gray image
"""
#: The public images, looked up by their features: a perfect score on them, and on nothing else.
BY_HEART = """
@dataclass(frozen=True, kw_only=True)
class Cheat(Attack):
    name, title, citation = "cheat", "Cheat", "nobody"
    requires = frozenset({Capability.EDGE})

    def offline(self, adversary, generator):
        if (adversary.input_shape, adversary.feature_shape) != PUBLIC:
            return adversary.input_shape
        images = KNOWN.view(10, 1, 28, 28).float() / 255
        return images, adversary.edge(images).flatten(1)

    def online(self, state, features, draws):
        if len(state) == 3:
            return features.new_full((len(features), *state), 0.5)
        images, known = state
        return images[torch.cdist(features.flatten(1), known).argmin(1)]
"""
#: The public target's first layer, carried into a setting that does not grant it.
SMUGGLED = """
@dataclass(frozen=True, kw_only=True)
class Cheat(Attack):
    name, title, citation = "cheat", "Cheat", "nobody"
    requires = frozenset({Capability.DATA})

    def offline(self, adversary, generator):
        if (adversary.input_shape, adversary.feature_shape) != PUBLIC:
            return adversary.input_shape
        weight, bias = KNOWN[:200].view(8, 1, 5, 5), KNOWN[200:]
        matrix = torch.nn.functional.conv2d(torch.eye(784).view(784, 1, 28, 28), weight)
        return torch.linalg.pinv(matrix.flatten(1).T), bias.view(1, 8, 1, 1)

    def online(self, state, features, draws):
        if len(state) == 3:
            return features.new_full((len(features), *state), 0.5)
        inverse, bias = state
        normalised = (features - bias).flatten(1) @ inverse.T
        return (0.5 * normalised + 0.5).clamp(0, 1).view(-1, 1, 28, 28)
"""


def submitted(folder: Path, body: str, known: torch.Tensor, where: str) -> list[str]:
    """Submits the cheat; returns the words that name its row to `splitzoo verify`."""
    path = folder / "cheat.py"
    text = base64.b64encode(known.flatten().numpy().tobytes()).decode()
    dtype = str(known.dtype).removeprefix("torch.")
    path.write_text(HEAD.format(known=text, dtype=dtype) + body, "utf-8")
    results = ["--results", str(folder / "results"), "--profile", "paper10"]
    assert main(["submit", f"{path}:Cheat", "--only", where, *results]) == 0
    return ["verify", "--only", f"{where}/cheat", *results]


def test_public_answers_learned_by_heart_do_not_survive_a_fresh_draw(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The row is borne out on its own images, all exact, and not on others; the page says both."""
    known = evaluation_set("mnist", "paper10").images.pixels
    words = submitted(tmp_path, BY_HEART, known, "white_box/lenet/conv1")
    assert main([*words, "--whole"]) == 0
    assert "100.00 dB reported, 100.00 dB found" in capsys.readouterr().out
    assert main([*words, "--fresh-draw", "5", "--count", "12"]) == 1
    assert "NOT BORNE OUT (fresh draw)" in capsys.readouterr().out
    store = ResultStore(tmp_path / "results")
    (result,) = store.all("paper10")
    assert [(each.how, each.agrees) for each in result.verified] == [
        ("whole", True),
        ("fresh_draw", False),
    ]
    origins = render_all(store, "paper10")[provenance_path(store, "paper10")]
    assert "whole of 10: 100.00 → 100.00; fresh draw of 12: 100.00 → " in origins
    page = render(store, "paper10", tmp_path / "page.md")
    assert "; whole, fresh draw, **not borne out** |" in page
    catalogue().pop("cheat")


def test_smuggled_weights_do_not_survive_a_fresh_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A query-free attack that knows the public target exactly, against one of another seed."""
    honest = verification.recipes
    monkeypatch.setattr(
        verification,
        "recipes",
        lambda: {name: of_one_epoch(recipe) for name, recipe in honest().items()},
    )
    layer: Any = load_split("lenet", "conv1").edge.get_submodule("conv1")
    known = torch.cat([layer.weight.detach().flatten(), layer.bias.detach()])
    where = "query_free_diff_set_diff_net/lenet/conv1"
    words = submitted(tmp_path, SMUGGLED, known, where)
    (result,) = ResultStore(tmp_path / "results").all("paper10")
    assert min(result.reported["psnr"]) > 50
    assert main([*words, "--fresh-draw", "1", "--count", "8"]) == 0
    assert main([*words, "--fresh-target", "1", "--count", "8"]) == 1
    assert "NOT BORNE OUT (fresh target)" in capsys.readouterr().out
    catalogue().pop("cheat")


def of_one_epoch(recipe: Any) -> Any:
    """A recipe of one epoch."""
    return replace(recipe, epochs=1)


@pytest.fixture
def published() -> Result:
    store = ResultStore(PUBLISHED)
    return next(
        result
        for result in store.all("standard")
        if (result.where.key, result.attack.name)
        == ("black_box_same_set/lenet/relu2", "inverse_network")
    )


def again(monkeypatch: pytest.MonkeyPatch, pixels: torch.Tensor) -> None:
    """Lets a worker recover these images."""

    def recovered(attack: Any, scenario: Any, images: Any, **named: Any) -> Recovery:
        return Recovery(pixels[: len(images)], 0.0, 0.0, 0, None, {})

    monkeypatch.setattr(verification, "attack_isolated", recovered)


@pytest.mark.parametrize(("lost", "agrees"), [(0, True), (1, True), (50, False)])
def test_the_same_images_must_come_out_as_reported(
    lost: int, agrees: bool, published: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One image that comes out black in place of 20 dB leaves the mean of a hundred within half a
    dB, fifty do not."""
    pixels = ResultStore(PUBLISHED).recovered(published).clone()
    pixels[:lost] = 0
    again(monkeypatch, pixels)
    found = verify(published, Check("whole"), CPU, Limits())
    assert found.agrees == agrees
    assert found.per_image["indices"] == published.reported["indices"]


def test_a_sample_is_compared_with_what_was_reported_of_it(
    published: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten images drawn by the seed; their own reported values, not the mean over all."""
    pixels = ResultStore(PUBLISHED).recovered(published)
    rows = torch.randperm(100, generator=torch.Generator().manual_seed(4))[:10].sort().values
    again(monkeypatch, pixels[rows])
    found = verify(published, Check("sample", 4, 10), CPU, Limits())
    assert found.per_image["psnr"] == [published.reported["psnr"][int(row)] for row in rows]
    assert found.agrees


def test_fresh_images_are_nobodys(published: Result) -> None:
    """Of the reserve, no public ones, and other ones for another seed."""
    run = run_of(published)
    draws = [fresh_images(run, 30, torch.Generator().manual_seed(seed))[1] for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]
    assert set(draws[0]) <= set(holding("mnist", "reserve").indices.tolist())
    assert not set(draws[0]) & set(evaluation_set("mnist").indices.tolist())
    assert not set(draws[0]) & set(holding("mnist", "same_distribution").indices.tolist())


def test_a_row_of_the_whole_reserve_has_no_fresh_images(published: Result) -> None:
    run = run_of(published)
    whole = replace(run, scenario=run.scenario.on("full"))
    with pytest.raises(MisuseError, match="no images but the public ones and the row's own"):
        fresh_images(whole, 30, torch.Generator())


def test_only_what_can_be_trained_anew_is(published: Result) -> None:
    store = ResultStore(PUBLISHED)
    other = next(each for each in store.all("standard") if each.scenario.network == "cifar_cnn")
    with pytest.raises(MisuseError, match="takes hours: --fresh-target is for lenet"):
        verify(other, Check("fresh_target"), CPU, Limits())
    failed = msgspec.structs.replace(
        published, failure="it crashed", recovered_sha256=None, reported={}
    )
    with pytest.raises(MisuseError, match="nothing to verify"):
        verify(failed, Check("whole"), CPU, Limits())


def test_a_file_outside_the_store_is_refused_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(tmp_path / "none.json")]) == 2
    assert "is no current result of profile standard" in capsys.readouterr().err
