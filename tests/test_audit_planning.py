"""What an audit's adversaries are given, and whether what they plan takes no longer than it may."""

from __future__ import annotations

import math

import pytest
import torch
from splitzoo.attacks import ShadowDecoder
from splitzoo.bench.audit import shadowing
from splitzoo.bench.audit.asking import asked, learned_from
from splitzoo.bench.audit.attacker import LeftOutError
from splitzoo.bench.audit.cuts import Cut, Subject
from splitzoo.bench.audit.descending import descents
from splitzoo.bench.audit.division import Division
from splitzoo.bench.audit.record import Attacked
from splitzoo.bench.audit.shadowing import Shadows
from splitzoo.bench.audit.strength import effort_of, had
from splitzoo.zoo import Images
from torch import nn

CPU = torch.device("cpu")


def cut_of(held: int, channels: int = 4) -> Cut:
    """A cut of a network for two classes; the images come class by class, as folders do."""
    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (held + 8, 1, 8, 8), dtype=torch.uint8)
    images = Images(pixels, torch.arange(held + 8) * 2 // (held + 8))
    module = nn.Sequential(
        nn.Conv2d(1, channels, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(64 * channels, 2)
    )
    division = Division(images.subset(torch.arange(held)), images.subset(torch.arange(8)), 0)
    subject = Subject(module, "two", (8, 8), division, None, True, CPU)
    return Cut(subject, subject.target("1"), 0)


def test_who_is_given_fewer_images_is_given_some_of_every_class() -> None:
    cut = cut_of(1000)
    labels = cut.adversary(Shadows.SETTING, 100).data.labels
    assert len(labels) == 100
    assert 30 < int(labels.sum()) < 70
    assert len(cut.adversary(Shadows.SETTING, 1000).data) == 1000
    assert torch.equal(cut.adversary(Shadows.SETTING, 100).data.labels, labels)


@pytest.mark.parametrize("held", [32, 100, 571, 750, 3257, 9000])
@pytest.mark.parametrize("steps", [30, 46, 300, 1500, 6000])
def test_what_is_asked_makes_whole_epochs_of_the_steps_that_there_is_time_for(
    held: int, steps: int
) -> None:
    attack, most = asked(cut_of(held), ShadowDecoder(steps=steps))
    assert most is not None
    assert most <= held
    assert most >= 0.6 * min(held, 32 * steps)
    assert attack.queries % learned_from(most) == 0
    assert attack.queries <= max(32, 20_000)
    assert attack.steps % math.ceil(attack.queries / 32) == 0
    assert 0.7 * steps <= attack.steps <= 1.1 * steps


@pytest.mark.parametrize("held", [40, 700, 3840, 5000])
@pytest.mark.parametrize(("step", "decoding"), [(0.01, 0.05), (1.0, 0.1), (0.1, 1.0), (1.0, 2.4)])
def test_shadows_take_no_longer_than_they_may_and_the_least_that_is_asked_for_is_enough(
    held: int, step: float, decoding: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadowing, "seconds_of_a_step", lambda *_: step)
    monkeypatch.setattr(shadowing, "seconds_of_learning", lambda *_: decoding)
    monkeypatch.setattr(shadowing, "seconds_of_asking", lambda _: 0.0)
    cut = cut_of(held)
    with pytest.raises(LeftOutError) as refused:
        Shadows().plan(cut, 1.0, None)
    least = refused.value.needs
    planned = Shadows().plan(cut, 1.01 * least, None)  # what it was told would do
    for seconds in (1.01 * least, 5 * least, 100 * least):
        planned = Shadows().plan(cut, seconds, None)
        attack = planned.attack
        assert isinstance(attack, ShadowDecoder)
        epoch = math.ceil((planned.most or 0) / 64)
        trained = attack.shadows * math.ceil(attack.shadow_steps / epoch) * epoch
        assert planned.seconds == pytest.approx(trained * step + attack.steps * decoding)
        assert planned.seconds <= seconds
    assert attack.shadows == 12


@pytest.mark.parametrize(
    ("steps", "shadow_steps", "effort"),
    [(1000, 60, 240 / 10_000), (30, 2500, 0.03), (2000, 5000, 1.0)],
)
def test_neither_shadows_nor_their_decoder_may_have_been_hasty(
    steps: int, shadow_steps: int, effort: float
) -> None:
    fields = {"steps": steps, "shadows": 4, "shadow_steps": shadow_steps}
    hasty = Attacked(
        family="query_free",
        setting="",
        attack="shadow_decoder",
        title="Shadow decoder",
        version=1,
        given="",
        fields=fields,
        seconds=1.0,
        queries=0,
        psnr=[],
        ssim=[],
        own=[],
        label=None,
    )
    assert effort_of(hasty) == pytest.approx(effort)
    had_steps = f"{steps + 4 * shadow_steps:,} of the usual 11,000 training steps"
    assert had(hasty).startswith(had_steps)


def test_a_descent_counts_what_comes_before_it() -> None:
    cut = cut_of(200)
    with pytest.raises(LeftOutError) as refused:
        descents(cut, 1.0, 7.0, 0.01, 200)
    assert refused.value.needs == pytest.approx(7.0 + 60 * 0.01 * 8)  # eight images are scored
    for seconds in (1.01 * refused.value.needs, 100.0, 10_000.0):
        fields, expected = descents(cut, seconds, 7.0, 0.01, 200)
        assert 7.0 < expected <= seconds
    assert fields == {"iterations": 1500, "prior_weight": None, "tv_weight": None}
