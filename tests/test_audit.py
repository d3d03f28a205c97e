"""An audit of a user's own network: from a file and a folder to a report and advice."""

from __future__ import annotations

import base64
import io
import json
import time
from argparse import ArgumentTypeError
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from splitzoo.bench import psnr, ssim
from splitzoo.bench.audit import descending, schedule
from splitzoo.bench.audit import run as running
from splitzoo.bench.audit.advice import Point, advise, front, points, recommend
from splitzoo.bench.audit.attackers import Decoder, Descent, Shadows
from splitzoo.bench.audit.attacking import floor_of
from splitzoo.bench.audit.bound import fisher_trace, noise_needed
from splitzoo.bench.audit.copied import Copied
from splitzoo.bench.audit.cost import cost_of, parameters_used
from splitzoo.bench.audit.cuts import Cut, Subject, outermost, spaced
from splitzoo.bench.audit.division import divide
from splitzoo.bench.audit.exact import is_affine
from splitzoo.bench.audit.judging import LabelReader, judge_of
from splitzoo.bench.audit.network import module_of
from splitzoo.bench.audit.pace import Stopwatch
from splitzoo.bench.audit.pictures import strip
from splitzoo.bench.audit.reading import read_images
from splitzoo.bench.audit.record import Attacked, Audit, Cost, CutAudit, Limits
from splitzoo.bench.audit.run import audit_module
from splitzoo.bench.audit.scores import picks_its_own
from splitzoo.bench.audit.strength import tells_more
from splitzoo.bench.cli import main
from splitzoo.bench.commands.audit import amount, fraction, image_size
from splitzoo.zoo import InputError, split_module
from torch import nn
from torchvision.models import VisionTransformer

NETWORK = """
import torch
from torch import nn

def build(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(512, 2)
    )

def unsound():
    module = build()
    module[0].weight.data[0, 0, 0, 0] = float("nan")
    return module

class Tangled(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 1)

    def forward(self, images):
        if images.sum() > 0:  # torch.fx cannot trace it
            return self.layer(images).flatten(1) + images.flatten(1)
        return images.flatten(1)

class Picky(nn.Module):
    def forward(self, images):
        return images.view(1, -1)

def number():
    return 3

def needy(size):
    return nn.Linear(size, 2)

def half():
    return build().half()

def leaves():
    raise SystemExit(3)

class Several(nn.Sequential):
    def __init__(self):
        super().__init__(*build())

    def forward(self, images):
        return super().forward(images), 1

def texts():
    return ["no image"] * 5

broken = "no function"
"""


@pytest.fixture
def net(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(NETWORK, "utf-8")
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Forty-eight smooth pictures of 16×16, in a folder for each of two classes."""
    folder = tmp_path / "photos"
    draw = np.random.default_rng(0)
    for number in range(48):
        coarse = draw.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        file = folder / ("dark", "light")[number % 2] / f"{number:02}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(coarse).resize((16, 16), Image.Resampling.BICUBIC).save(file)
    return folder


def read(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "results.json").read_text("utf-8"))
    return found


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    err = capsys.readouterr().err
    lines = [line for line in err.splitlines() if line.startswith("splitzoo: error: ")]
    assert len(lines) == 1, err
    assert err.strip().splitlines()[-1] == lines[0]
    assert "Traceback" not in err
    return lines[0]


def hasten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every attack be brief, however large the budget."""
    for attacker in (Decoder, Shadows):
        monkeypatch.setattr(attacker, "MOST", 60)
    monkeypatch.setattr(Shadows, "SHADOWS", (4, 4))
    for bound in ("LEAST", "MOST"):
        monkeypatch.setattr(Copied, bound, 20)
    monkeypatch.setattr(descending, "MOST", 60)
    monkeypatch.setattr(Decoder, "WIDTHS", {16: 30})
    monkeypatch.setattr(Shadows, "STEPS", (60, 60))


def test_an_audit_from_file_and_folder_to_report(
    net: Path,
    photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hasten(monkeypatch)
    (photos / "dark" / "torn.png").write_bytes(b"no picture")
    out = tmp_path / "out"
    asked = ["audit", f"{net}:build", "--images", str(photos), "--at", "1,2", "--budget", "3h"]
    assert main([*asked, "--out", str(out), "--device", "cpu"]) == 0
    assert "report" in capsys.readouterr().out
    found = read(out)
    assert [cut["at"] for cut in found["cuts"]] == ["1", "2"]
    assert (found["images"]["held"], found["images"]["scored"]) == (36, 12)
    assert found["images"]["skipped"] == ["dark/torn.png (UnidentifiedImageError)"]
    first = found["cuts"][0]
    assert first["cost"]["bytes"] == 8 * 16 * 16 * 4
    assert first["cost"]["multiply_adds"] == 8 * 3 * 9 * 16 * 16
    assert first["cost"]["parameters"] == 8 * 3 * 9 + 8
    ran = [(each["family"], each["attack"]) for each in first["attacked"]]
    assert sorted(ran) == [
        ("black_box", "copied_descent"),
        ("black_box", "decoder"),
        ("query_free", "shadow_decoder"),
        ("white_box", "refined_descent"),
    ]
    pictures = read_images(photos)
    secret = divide(pictures, 20, 0).scored.pixels.double() / 255
    for cut in found["cuts"]:
        images = load_file(out / "cuts" / f"{cut['at']}.safetensors")
        for each in cut["attacked"]:
            recovered = images[f"{each['family']}.{each['attack']}"].double() / 255
            assert each["psnr"] == pytest.approx(psnr(secret, recovered), abs=1e-4)
            assert each["ssim"] == pytest.approx(ssim(secret, recovered), abs=1e-6)
        most = max(sum(each["ssim"]) for each in cut["attacked"])
        assert most > 2 * sum(found["floor"]["ssim"])  # it leaks, and that shows
    report = (out / "report.md").read_text("utf-8")
    assert "What Sequential of net.py leaks" in report
    assert "Files that were skipped: dark/torn.png" in report
    assert "No cut of this network that was tried hides its input" in report
    assert "the edge with its weights" in report
    check_page(out, ["1", "2"])


def at_once(cut: Cut, key: str, *_: Any) -> tuple[CutAudit, dict[str, torch.Tensor]]:
    """An audit of a cut that attacks with the mean image alone."""
    found = msgspec.structs.replace(floor_of(cut), family="white_box")
    cost = Cost(bytes=1, multiply_adds=2, parameters=3, milliseconds=4.0)
    at = cut.target.split
    images = {found.key: cut.scored.pixels}
    shape = list(cut.target.feature_shape)
    return CutAudit(at, key, shape, cost, [found], seconds=300.0), images


def audited(net: Path, photos: Path, out: Path, at: str, budget: float = 800.0) -> Audit:
    module, images = module_of(f"{net}:build"), read_images(photos)
    return audit_module(module, images, out, at=at.split(","), budget=budget)


def test_an_interrupted_audit_goes_on_where_it_stopped(
    net: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, ran = tmp_path / "out", list[str]()

    def stopped(cut: Any, *rest: Any) -> Any:
        ran.append(cut.target.split)
        if len(ran) == 2:
            raise KeyboardInterrupt
        return at_once(cut, *rest)

    monkeypatch.setattr(running, "audit_cut", stopped)
    monkeypatch.setattr(schedule, "least_seconds", lambda cut: 0.1)
    with pytest.raises(KeyboardInterrupt):
        audited(net, photos, out, "0,2")
    found = read(out)
    assert [cut["at"] for cut in found["cuts"]] == ["0"]
    assert found["left_out"] == ["2, which was not reached"]
    before = (out / "cuts" / "0.safetensors").read_bytes()
    audit = audited(net, photos, out, "0,2")
    assert ran == ["0", "2", "2"]
    assert [cut.at for cut in audit.cuts] == ["0", "2"]
    assert (out / "cuts" / "0.safetensors").read_bytes() == before
    (out / "cuts" / "0.safetensors").write_bytes(before[:-1])  # torn
    audited(net, photos, out, "0")
    assert ran == ["0", "2", "2", "0"]
    for file in photos.rglob("0*.png"):
        file.unlink()  # other images are another audit
    audited(net, photos, out, "0")
    assert ran[4:] == ["0"]


def test_more_cuts_than_the_budget_bears_are_left_out_and_named(
    net: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "least_seconds", lambda cut: 300.0)
    monkeypatch.setattr(running, "audit_cut", at_once)
    audit = audited(net, photos, tmp_path / "out", "0,1,2")
    assert [cut.at for cut in audit.cuts] == ["0", "2"]
    assert audit.left_out == [
        "1, for which the budget does not suffice; all of these take 6 min more"
    ]
    again = audited(net, photos, tmp_path / "out", "0,1,2")  # too little is left for the third
    assert [cut.at for cut in again.cuts] == ["0", "2"]


def test_an_attack_that_fails_is_left_out_with_its_reason(
    net: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise RuntimeError("no room\nat all")

    hasten(monkeypatch)
    for attacker in (Copied, Descent, Shadows):
        monkeypatch.setattr(attacker, "plan", fails)
    (cut,) = audited(net, photos, tmp_path, "1", budget=9000.0).cuts
    assert [each.family for each in cut.attacked] == ["black_box"]
    assert "white-box: it failed with RuntimeError: no room" in cut.left_out


def test_an_affine_edge_is_solved_by_who_holds_it_and_by_who_may_ask_it(
    net: Path, photos: Path, tmp_path: Path
) -> None:
    for file in sorted(photos.rglob("*.png"))[8:]:
        file.unlink()
    module = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(1176, 2))
    module[0].weight.data.normal_(generator=torch.Generator().manual_seed(0))
    audit = audit_module(module, read_images(photos), tmp_path, at=["0"], budget=9000.0)
    found = {each.family: each for each in audit.cuts[0].attacked}
    for family in ("white_box", "black_box"):
        assert found[family].attack == "affine_inversion"
        assert min(found[family].psnr) > 50
    assert found["black_box"].queries == 3 * 16 * 16 + 1
    assert len(audit.cuts[0].attacked) == 2  # a decoder and a descent would recover no more


def test_an_edge_is_affine_if_it_answers_a_mean_with_a_mean(net: Path, photos: Path) -> None:
    subject = Subject(
        module_of(f"{net}:build"),
        "net",
        (16, 16),
        divide(read_images(photos), 9, 0),
        ((0.5,) * 3, (0.2,) * 3),
        True,
        torch.device("cpu"),
    )
    assert is_affine(Cut(subject, subject.target("0"), 0))
    assert not is_affine(Cut(subject, subject.target("1"), 0))


def test_a_query_free_adversary_needs_labels_that_are_the_networks_classes(
    net: Path,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (photos / "third").mkdir()
    Image.new("RGB", (16, 16)).save(photos / "third" / "0.png")  # the network has two classes
    hasten(monkeypatch)
    (cut,) = audited(net, photos, tmp_path, "1", budget=9000.0).cuts
    assert {each.family for each in cut.attacked} == {"white_box", "black_box"}
    (reason,) = cut.left_out
    assert reason.startswith("query-free: it needs labels: put the images into a sub-folder")
    assert f"left out: {reason}" in capsys.readouterr().err


POINTS = [
    Point("early", 0.9, 100, 10),
    Point("same work, more bytes", 0.9, 200, 10),  # beaten by early
    Point("middle", 0.5, 50, 20),
    Point("twin", 0.5, 50, 20),  # neither beats the other
    Point("late", 0.2, 80, 40),
    Point("latest", 0.1, 80, 90),
    Point("wasteful", 0.2, 90, 50),  # beaten by late
]


def test_the_front_holds_what_nothing_beats() -> None:
    assert front(POINTS) == ["early", "middle", "twin", "late", "latest"]
    unlike = Point("unlike", 0.01, 1, 1, doubt="no white-box attack ran there")
    assert front([*POINTS, unlike]) == front(POINTS)  # it neither stands there nor beats


def test_a_cut_in_doubt_is_not_recommended_and_says_why() -> None:
    unlike = Point("unlike", 0.01, 1, 1, doubt="no white-box attack ran there")
    assert recommend([*POINTS, unlike], Limits(), "a cloud")[0] == "late"
    at, why = recommend([*POINTS, unlike], Limits(max_ssim=0.05), "a cloud")
    assert at is None
    assert "Behind unlike little is recovered, but no white-box attack ran there" in why


def test_what_the_mean_image_scores_is_within_any_limit() -> None:
    blank = Point("blank", 0.4, 1, 1, nothing=True)  # all images are alike
    at, why = recommend([blank, Point("clear", 0.9, 1, 1)], Limits(), "a cloud")
    assert at == "blank"
    assert "no more than the mean image" in why


OF_FAMILY = {
    "white_box": "refined_descent",
    "black_box": "decoder",
    "query_free": "shadow_decoder",
    "floor": "mean_image",
}


def attack(
    family: str,
    ssim: list[float],
    steps: int = 2500,
    label: list[bool] | None = None,
    name: str = "",
) -> Attacked:
    """The figures of an attack, the family's usual one unless another is named."""
    given = "the answers to 11,154 queries with 980 images of yours; no weights of the edge"
    return Attacked(
        family=family,
        setting="",
        attack=name or OF_FAMILY[family],
        title="Decoder",
        version=1,
        given=given,
        fields={"steps": steps},
        seconds=1.0,
        queries=0,
        psnr=[0.0] * len(ssim),
        ssim=ssim,
        own=[False] * len(ssim),
        label=label,
    )


def cut_with(at: str, *attacked: Attacked) -> CutAudit:
    return CutAudit(at, "", [1], Cost(1, 1, 1, 1.0), list(attacked))


def test_cuts_are_compared_if_the_same_attacks_met_them() -> None:
    cuts = [
        cut_with("both", attack("white_box", [0.9, 0.8]), attack("black_box", [0.5, 0.4])),
        cut_with("black-box alone", attack("black_box", [0.2, 0.3])),
        cut_with("hasty", attack("white_box", [0.1, 0.2], steps=200)),
        cut_with("hasty, and it leaks", attack("white_box", [0.8, 0.6], steps=200)),
    ]
    floor = attack("floor", [0.1, 0.1])
    assert [each.doubt for each in points(cuts, floor)] == [
        "",
        "no Refined descent ran there",
        "200 of the usual 2,500 training steps of Decoder are too few to show anything",
        "",
    ]
    assert [each.doubt for each in points(cuts, floor, "black_box")] == ["", ""]
    assert not points(cuts[1:2], floor)[0].doubt  # nobody met more
    copied = cut_with("copied", attack("black_box", [0.6, 0.7], name="copied_descent"))
    assert [each.doubt for each in points([*cuts[1:2], copied], floor, "black_box")] == [
        "no Copied descent ran there",
        "",
    ]


def test_an_attack_tells_more_than_the_mean_image_if_the_difference_is_sure() -> None:
    floor = attack("floor", [0.1, 0.2, 0.3, 0.4])
    assert not tells_more(floor, floor)
    assert not tells_more(attack("white_box", [0.3, 0.1, 0.2, 0.5]), floor)  # 0.03 ± 0.26
    assert tells_more(attack("white_box", [0.2, 0.31, 0.4, 0.5]), floor)
    clearer = msgspec.structs.replace(floor, own=[True, True, True, True])
    assert tells_more(clearer, floor)
    assert tells_more(msgspec.structs.replace(floor, psnr=[1.0, 1.1, 1.2, 0.9]), floor)


@pytest.mark.parametrize(
    ("limits", "at", "words"),
    [
        (Limits(), "late", "0.20 there, within the limit of 0.3"),
        (Limits(max_ssim=0.15), "latest", "limit of 0.15"),
        (Limits(max_ssim=0.6), "middle", "limit of 0.6"),
        (Limits(max_edge_macs=30), None, "No cut within 30 multiply-adds hides its input"),
        (Limits(max_bytes=60), None, "Least leaks behind middle, with 0.50"),
        (Limits(max_bytes=10, max_edge_macs=5), None, "10 bytes and 5 multiply-adds"),
        (Limits(max_ssim=0.05), None, "No cut of this network that was tried hides its input"),
    ],
)
def test_the_cheapest_cut_within_the_limits_is_recommended(
    limits: Limits, at: str | None, words: str
) -> None:
    chosen, why = recommend(POINTS, limits, "a cloud")
    assert chosen == at
    assert words in why


def test_nothing_is_recommended_where_attacks_had_too_little_time() -> None:
    floor = attack("floor", [0.0, 0.05])

    def advised(steps: int, family: str = "black_box") -> tuple[str | None, str]:
        cuts = [cut_with("a", attack("black_box", [0.1, 0.2], steps=steps))]
        return advise(cuts, floor, family, Limits())

    at, why = advised(100)
    assert at is None
    assert "100 of the usual 2,500 training steps of Decoder are too few to show" in why
    at, why = advised(400)
    assert at == "a"
    assert "They had 400 of the usual 2,500" in why
    at, why = advised(2500)
    assert at == "a"
    assert "usual" not in why
    assert advised(100, "query_free")[0] is None


def test_costs_are_those_of_a_count_by_hand() -> None:
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2),  # 16 -> 7: 4·3·9·49
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(196, 10),
        nn.Linear(10, 2),
    )
    images = torch.rand(2, 3, 16, 16)
    cost = cost_of(split_module(module, "3", images), images[:1])
    assert cost.multiply_adds == 4 * 3 * 9 * 49 + 196 * 10
    assert cost.bytes == 40
    assert cost.parameters == 4 * 3 * 9 + 4 + 196 * 10 + 10
    assert cost.milliseconds > 0


def test_attention_is_counted_too() -> None:
    module = VisionTransformer(
        image_size=16,
        patch_size=4,
        num_layers=1,
        num_heads=2,
        hidden_dim=8,
        mlp_dim=20,
        num_classes=3,
    )
    images = torch.rand(2, 3, 16, 16)
    target = split_module(module, "encoder.layers.encoder_layer_0", images)
    tokens = 16 + 1
    patches = 16 * 3 * 4 * 4 * 8
    attention = tokens * 8 * 3 * 8 + 2 * tokens * tokens * 8 + tokens * 8 * 8
    assert cost_of(target, images[:1]).multiply_adds == patches + attention + 2 * tokens * 8 * 20


def test_an_edge_that_holds_the_whole_module_counts_what_it_uses() -> None:
    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(12, 5)
            self.second = nn.Linear(5, 3)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            if images.sum() > 1e9:
                return images
            answer: torch.Tensor = self.second(self.first(images.flatten(1)).relu())
            return answer

    images = torch.rand(2, 3, 2, 2)
    edge = split_module(Branching(), "first", images).edge
    assert parameters_used(edge, images) == 12 * 5 + 5


def test_the_noise_that_is_needed_is_that_of_cramer_and_rao() -> None:
    images = torch.rand(3, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    turned = torch.linalg.qr(torch.randn(48, 48))[0]
    edge = nn.Sequential(nn.Flatten(), nn.Linear(48, 48, bias=False)).requires_grad_(False)
    edge[1].weight.copy_(3 * turned)
    assert fisher_trace(edge, images) == pytest.approx(9, rel=1e-4)  # JᵀJ is nine times the unit
    # With it, x̂ = Wᵀv / 9 is unbiased and errs by σ² / 9 a pixel: 20 dB where that is 1 / 100.
    size = float(edge(images).square().mean().sqrt())
    assert noise_needed(edge, images) == pytest.approx(0.3 / size, rel=1e-4)
    skewed = nn.Sequential(nn.Flatten(), nn.Linear(48, 7)).requires_grad_(False)
    exact = float(skewed[1].weight.square().sum()) / 48
    assert fisher_trace(skewed, images, probes=2000) == pytest.approx(exact, rel=0.05)
    assert noise_needed(nn.Sequential(nn.Flatten(), Rounded()), images) is None


class Rounded(nn.Module):
    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values.detach().round()


def test_a_reconstruction_picks_its_own_only_if_nothing_is_more_similar() -> None:
    secret = torch.randint(0, 256, (4, 3, 16, 16), dtype=torch.uint8)
    assert picks_its_own(secret, secret) == [True] * 4
    assert picks_its_own(secret, secret[[1, 0, 2, 3]]) == [False, False, True, True]
    assert picks_its_own(secret, torch.full_like(secret, 128)).count(True) <= 1
    twins = secret[[0, 0]]
    assert picks_its_own(twins, twins) == [False, False]


def test_no_image_is_on_both_sides_and_twins_count_once(photos: Path) -> None:
    (photos / "dark" / "again.png").write_bytes((photos / "dark" / "00.png").read_bytes())
    division = divide(read_images(photos), 20, 1)
    assert division.duplicates == 1
    sides = [
        {each.numpy().tobytes() for each in part.pixels}
        for part in (division.held, division.scored)
    ]
    assert not sides[0] & sides[1]
    assert (len(sides[0]), len(sides[1])) == (36, 12)
    assert divide(read_images(photos), 20, 1).sha256 == division.sha256
    assert divide(read_images(photos), 20, 2).sha256 != division.sha256


def test_sub_folders_are_labels_in_the_order_of_their_names(photos: Path) -> None:
    pictures = read_images(photos)
    assert pictures.classes == ("dark", "light")
    assert pictures.labels is not None
    assert [int(each) for each in pictures.labels] == [
        int(name.startswith("light")) for name in pictures.names
    ]
    Image.new("RGB", (16, 16)).save(photos / "loose.png")
    assert read_images(photos).labels is None


def test_a_broken_file_is_skipped_and_named(photos: Path) -> None:
    (photos / "dark" / "00.png").write_bytes(b"no picture")
    pictures = read_images(photos)
    assert len(pictures.pixels) == 47
    assert "00.png" in pictures.skipped[0]


def test_images_of_several_sizes_are_brought_to_one(photos: Path) -> None:
    Image.new("RGB", (40, 20), (9, 9, 9)).save(photos / "dark" / "wide.png")
    pictures = read_images(photos, size=(12, 14))
    assert tuple(pictures.pixels.shape) == (49, 3, 12, 14)
    wide = pictures.names.index(str(Path("dark") / "wide.png"))
    assert pictures.pixels[wide].unique().tolist() == [9]


def test_seconds_pass_faster_than_work_where_others_share_the_processor() -> None:
    watch, shared = Stopwatch(torch.device("cpu")), Stopwatch(torch.device("cpu"))
    while watch.seconds < 0.2 or time.process_time() - watch.computed < 0.15:
        sum(range(1000))
    before = shared.crowding
    assert before >= 1
    time.sleep(2)  # as if others computed
    assert shared.crowding > before + 1
    assert Stopwatch(torch.device("cuda")).crowding == 1


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (amount, "50M", 50_000_000),
        (amount, "1.5k", 1500),
        (amount, "4096", 4096),
        (amount, "0", None),
        (amount, "5T", None),
        (image_size, "32", (32, 32)),
        (image_size, "224x160", (224, 160)),
        (image_size, "8", None),
        (image_size, "9x99", None),
        (fraction, "0.3", 0.3),
        (fraction, "1", 1.0),
        (fraction, "1.2", None),
        (fraction, "nan", None),
    ],
)
def test_options_are_numbers_or_refused(parse: Any, text: str, value: Any) -> None:
    if value is not None:
        assert parse(text) == value
        return
    with pytest.raises(ArgumentTypeError, match="is no"):
        parse(text)


def test_arrays_are_read_as_they_were_written(tmp_path: Path) -> None:
    pixels = torch.randint(0, 256, (9, 3, 12, 12), dtype=torch.uint8)
    np.save(tmp_path / "x.npy", pixels.numpy())
    assert torch.equal(read_images(tmp_path / "x.npy").pixels, pixels)
    np.save(tmp_path / "x.npy", pixels.permute(0, 2, 3, 1).numpy())
    assert torch.equal(read_images(tmp_path / "x.npy").pixels, pixels)
    save_file(
        {"images": pixels.float() / 255, "labels": torch.arange(9) % 3},
        tmp_path / "x.safetensors",
    )
    pictures = read_images(tmp_path / "x.safetensors")
    assert torch.equal(pictures.pixels, pixels)
    assert pictures.classes == ("0", "1", "2")


class Dots:
    """A data set of nine images, each of one grey."""

    classes = ("dark", "middle", "light")

    def __init__(self, form: str = "pil") -> None:
        self.form = form

    def __len__(self) -> int:
        return 9

    def __getitem__(self, row: int) -> Any:
        if row == 4 and self.form == "broken":
            raise OSError("torn")
        pixels = np.full((12, 14, 3), 20 * row, dtype=np.uint8)
        if self.form in ("pil", "broken"):
            return Image.fromarray(pixels), row // 3
        values = torch.from_numpy(pixels).permute(2, 0, 1)
        return (values if self.form == "bytes" else values.float() / 255), torch.tensor(row // 3)


@pytest.mark.parametrize("form", ["pil", "bytes", "floats", "broken"])
def test_a_data_set_gives_its_images_with_their_labels(form: str) -> None:
    pictures = read_images(Dots(form))
    rows = [row for row in range(9) if (row, form) != (4, "broken")]
    assert pictures.pixels[:, 0, 0, 0].tolist() == [20 * row for row in rows]
    assert tuple(pictures.pixels.shape[1:]) == (3, 12, 14)
    assert pictures.labels is not None
    assert pictures.labels.tolist() == [row // 3 for row in rows]
    assert pictures.classes == Dots.classes
    assert pictures.skipped == (("image 4 (OSError)",) if form == "broken" else ())


def test_torchvisions_data_sets_are_called_with_plain_values(photos: Path, net: Path) -> None:
    read = read_images(f"torchvision.datasets.ImageFolder({str(photos)!r})")
    again = read_images(photos)
    assert torch.equal(read.pixels, again.pixels)
    assert read.labels is not None
    assert again.labels is not None
    assert torch.equal(read.labels, again.labels)
    assert read.classes == again.classes
    assert len(read_images("FakeData(size=5, image_size=(3, 16, 16), num_classes=2)").pixels) == 5
    listed = net.parent / "data.py"
    listed.write_text("import torch\nphotos = lambda: [(torch.rand(3, 16, 16), 1)] * 4", "utf-8")
    assert read_images(f"{listed}:photos").classes == ("0", "1")


def test_a_judge_reads_labels_at_the_size_that_it_takes(photos: Path, tmp_path: Path) -> None:
    pictures = read_images(photos)
    assert pictures.labels is not None
    path = tmp_path / "judge.py"
    path.write_text(
        "import torch\n"
        "class Bright(torch.nn.Module):\n"
        "    def forward(self, images):\n"
        "        assert images.shape[2:] == (16, 16)\n"
        "        light = images.mean((1, 2, 3))\n"
        "        return torch.stack([0.5 - light, light - 0.5], 1)\n",
        "utf-8",
    )
    judge = judge_of(f"{path}:Bright", pictures)
    mixed = torch.tensor([0, 255, 0], dtype=torch.uint8).view(3, 1, 1, 1).expand(3, 3, 16, 16)
    assert judge.reads(mixed, torch.tensor([0, 1, 1])) == [True, True, False]
    assert judge.reads(mixed[..., :8, :8], torch.tensor([0, 1, 1])) == [True, True, False]
    with pytest.raises(InputError, match="cannot judge images of 3×16×16"):
        LabelReader("odd", nn.Linear(3, 3), (16, 16)).reads(mixed, torch.tensor([0, 1, 1]))


def test_a_judges_verdict_stands_beside_the_figures(
    net: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "audit_cut", at_once)
    module, images = module_of(f"{net}:build"), read_images(photos)
    judge = LabelReader("the light meter", Bright(), (16, 16))
    audit_module(module, images, tmp_path, at=["2"], judge=judge)
    report = (tmp_path / "report.md").read_text("utf-8")
    secret = divide(images, 20, 0).scored
    right = ((secret.pixels.float().mean((1, 2, 3)) > 127.5) == secret.labels).sum()
    assert f"read by the light meter, which is not the attacked network: off {right} of" in report
    assert "label read" in report


class Bright(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        light = images.mean((1, 2, 3)) - 0.5
        return torch.stack([-light, light], 1)


def test_large_images_are_attacked_small_and_the_edge_is_the_same(tmp_path: Path) -> None:
    np.save(
        tmp_path / "x.npy",
        np.full((8, 96, 128, 3), 51, dtype=np.uint8)
        + np.arange(8, dtype=np.uint8)[:, None, None, None],
    )
    pictures = read_images(tmp_path / "x.npy", side=32)
    assert (pictures.full, tuple(pictures.pixels.shape[1:])) == ((96, 128), (3, 24, 32))
    module = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    division = divide(pictures, 2, 0)
    subject = Subject(
        module.eval(),
        "net",
        pictures.full,
        division,
        ((0.5,) * 3, (0.2,) * 3),
        False,
        torch.device("cpu"),
    )
    small, full = subject.target("1"), subject.target("1", full=True)
    images = division.scored.floats()
    enlarged = torch.nn.functional.interpolate(images, (96, 128), mode="bilinear")
    assert torch.allclose(small.edge(images), full.edge(enlarged), atol=1e-5)
    assert small.feature_shape == full.feature_shape == (2, 94, 126)


def test_cuts_are_evenly_spaced_and_none_repeats_the_one_before(net: Path, photos: Path) -> None:
    assert spaced("abcdefg", 3) == ["a", "d", "g"]
    assert spaced("ab", 3) == ["a", "b"]
    assert spaced("abc", 1) == ["b"]
    subject = Subject(
        module_of(f"{net}:build"),
        "net",
        (16, 16),
        divide(read_images(photos), 9, 0),
        None,
        True,
        torch.device("cpu"),
    )
    assert subject.places == ["0", "1", "2", "3"]  # 4 leaves nothing
    assert subject.chosen("all") == ["0", "1", "2"]  # 3 flattens what 2 gave
    assert subject.chosen(None) == ["0", "1", "2"]
    said = "1 of 4 places to cut, such as 3; --at all takes them all"
    assert subject.passed_over(["0", "1", "2"]) == said
    assert subject.passed_over(["0", "1", "2", "3"]) is None


def test_modules_that_are_least_nested_are_chosen_from_the_first_weights_on() -> None:
    block = nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU())
    module = nn.Sequential(nn.Identity(), *(block for _ in range(7)))
    names = ["0", "1.0", "1", *(f"{k}{end}" for k in range(2, 8) for end in (".0", ""))]
    assert outermost(names, module) == [str(number) for number in range(1, 8)]
    assert outermost(names[:6], module) == ["1.0", "1", "2.0", "2", "3.0"]
    assert outermost(["add", "add_1"], module) == ["add", "add_1"]


@pytest.mark.parametrize(
    ("network", "more", "status", "remedy"),
    [
        ("net.py:bild", [], 2, "it has build"),
        ("nowhere.py:build", [], 2, "give the network as path/to/net.py:build"),
        ("net", [], 2, "give path/to/net.py:build"),
        ("net.py:number", [], 2, "let it return a torch.nn.Module"),
        ("net.py:needy", [], 2, "called without arguments"),
        ("net.py:broken", [], 2, "name a function"),
        ("net.py:unsound", [], 2, "load sound weights"),
        ("net.py:Tangled", ["--at", "layer"], 2, "no place separates this module"),
        ("net.py:Picky", [], 2, "cannot be cut in two"),
        ("net.py:half", [], 2, "give it as .float()"),
        ("net.py:leaves", [], 2, "called without arguments: SystemExit"),
        ("net.py:build", ["--size", "20"], 2, "--size with its H×W"),
        ("net.py:build", ["--images", "gray.npy"], 2, "as many channels as it takes"),
        ("net.py:Several", ["--at", "0"], 2, "wrap it in a module that returns the tensor"),
        ("net.py:build", ["--at", "relu1"], 2, "unknown place to cut"),
        ("net.py:build", ["--at", "1,11"], 2, "did you mean '1'"),
        ("net.py:build", ["--budget", "0.01s"], 2, "give --budget of"),
        ("net.py:build", ["--mean", "0.5"], 2, "give 3 joined by commas"),
        ("net.py:build", ["--std", "1,1,0"], 2, "above nought"),
        ("net.py:build", ["--images", "empty"], 2, "holds no image; put"),
        ("net.py:build", ["--images", "broken"], 2, "no image that can be read"),
        ("net.py:build", ["--images", "mixed"], 2, "--size 16 (or HxW)"),
        ("net.py:build", ["--images", "few"], 2, "needs 4 or more"),
        ("net.py:build", ["--images", "tiny"], 2, "11×11 or more"),
        ("net.py:build", ["--images", "nowhere"], 2, "give --images FOLDER"),
        ("net.py:build", ["--images", "x.pt"], 2, "safetensors.torch.save_file"),
        ("net.py:build", ["--images", "Photos()"], 2, "give one that it has"),
        ("net.py:build", ["--images", "FakeData(size=print())"], 2, "give plain values alone"),
        ("net.py:build", ["--images", "FakeData(sighs=3)"], 2, "repair its arguments"),
        ("net.py:build", ["--images", "MNIST('empty')"], 2, "download=True"),
        ("net.py:build", ["--images", "net.py:number"], 2, "let it return a data set"),
        ("net.py:build", ["--images", "net.py:texts"], 2, "is no image and label"),
        ("net.py:build", ["--judge", "cifar"], 2, "give mnist or cifar10, or path/to/judge.py"),
        ("net.py:build", ["--judge", "mnist"], 2, "cannot judge images of 3×28×28"),
        ("net.py:build", ["--judge", "cifar10"], 2, "tells 10 classes apart, the images have 2"),
        ("net.py:build", ["--judge", "net.py:Picky"], 2, "N×C×H×W in [0, 1] to logits"),
        ("net.py:build", ["--judge", "cifar10", "--images", "unlabelled"], 2, "leave --judge out"),
        ("net.py:build", ["--images", "flat.npy"], 2, "give N×C×H×W"),
        ("net.py:build", ["--images", "far.npy"], 2, "do not normalise"),
        ("net.py:build", ["--weights", "w.pt"], 2, "convert it once"),
        ("net.py:build", ["--weights", "w.safetensors"], 1, "does not fit the network"),
        ("net.py:build", ["--weights", "shape.safetensors"], 1, "build the network with"),
        ("net.py:build", ["--weights", "torn.safetensors"], 1, "no safetensors file"),
    ],
)
def test_bad_input_is_answered_in_a_line_with_the_remedy(
    network: str,
    more: list[str],
    status: int,
    remedy: str,
    net: Path,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    bad_files(net)
    asked = ["audit", network, "--out", "out", "--device", "cpu"]
    if "--images" not in more:
        asked += ["--images", str(photos)]
    assert main([*asked, *more]) == status
    assert remedy in one_line(capsys)


def bad_files(net: Path) -> None:
    """Everything that is wrong, in the working folder."""
    for name in ("empty", "broken", "mixed", "few", "tiny", "unlabelled"):
        Path(name).mkdir()
    (Path("broken") / "a.png").write_bytes(b"no picture")
    for number in range(4):
        picture = Image.new("RGB", (16 + 4 * (number == 3), 16), (number, 0, 0))
        picture.save(Path("mixed") / f"{number}.png")
        Image.new("RGB", (8, 8), (number, 0, 0)).save(Path("tiny") / f"{number}.png")
        Image.new("RGB", (16, 16), (number, 0, 0)).save(Path("unlabelled") / f"{number}.png")
    Image.new("RGB", (16, 16)).save(Path("few") / "0.png")
    Path("x.pt").write_bytes(b"")
    Path("w.pt").write_bytes(b"")
    np.save("flat.npy", np.zeros((4, 16, 16), dtype=np.uint8))
    np.save("gray.npy", np.arange(9 * 256).reshape(9, 1, 16, 16) / 9 / 256)
    np.save("far.npy", np.full((4, 3, 16, 16), 2.0))
    state = module_of(f"{net}:build").state_dict()
    save_file({"0.weight": state["0.weight"]}, "w.safetensors")
    save_file({**state, "4.bias": torch.zeros(3)}, "shape.safetensors")
    Path("torn.safetensors").write_bytes(b"torn")


def test_weights_of_a_file_are_those_that_are_audited(net: Path, tmp_path: Path) -> None:
    state = {name: value + 1 for name, value in module_of(f"{net}:build").state_dict().items()}
    save_file(state, tmp_path / "w.safetensors")
    loaded = module_of(f"{net}:build", tmp_path / "w.safetensors").state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in state.items())


def test_images_that_a_mean_does_not_fit_are_refused(net: Path, photos: Path) -> None:
    with pytest.raises(InputError, match="--mean has 1 values"):
        audit_module(module_of(f"{net}:build"), read_images(photos), net.parent / "o", mean=[0.5])


class Page(HTMLParser):
    """What a page holds: its tags with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "line", "circle", "rect", "polyline"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def check_page(out: Path, cuts: list[str]) -> None:
    text = (out / "report.html").read_text("utf-8")
    page = Page(text)
    assert page.open == []
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe")
        for name in ("href", "src", "srcset"):
            assert (attributes.get(name) or "data:").startswith(("data:", "#cut-"))
    assert "url(" not in text
    assert "http" not in text
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) == len(cuts)
    for at, image in zip(cuts, images, strict=True):
        kind, _, data = str(image["src"]).partition(",")
        assert kind == "data:image/png;base64"
        picture = Image.open(io.BytesIO(base64.b64decode(data)))
        assert picture.size == (6 * 18 - 2, 5 * 18 - 2)  # six across, originals and four below
        assert f"behind {at}" in str(image["alt"])
        assert (out / "pictures" / f"{at}.png").read_bytes() == base64.b64decode(data)
        assert f"Behind {at}" in page.text
    scrolling = [attributes for _, attributes in page.tags if attributes.get("class") == "scroll"]
    assert len(scrolling) == 2 + len(cuts)  # the chart, the cuts, and the attacks on each
    assert all(each["tabindex"] == "0" and each["aria-label"] for each in scrolling)


def test_names_of_the_user_are_text_in_the_page(
    tmp_path: Path, net: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "audit_cut", at_once)
    name = "<script>alert('x')</script> & \"co\""
    module, images = module_of(f"{net}:build"), read_images(photos)
    audit_module(module, images, tmp_path, at=["2"], name=name)
    page = Page((tmp_path / "report.html").read_text("utf-8"))
    assert name in page.text
    assert "script" not in [tag for tag, _ in page.tags]


def test_a_strip_shows_rows_one_below_the_other() -> None:
    first = torch.zeros(3, 1, 12, 12, dtype=torch.uint8)
    second = torch.full((3, 1, 12, 12), 200, dtype=torch.uint8)
    picture = Image.open(io.BytesIO(strip([first, second])))
    assert picture.size == (3 * 14 - 2, 2 * 14 - 2)
    assert [picture.getpixel(place) for place in ((0, 0), (12, 0), (0, 13), (15, 14))] == [
        0,
        255,
        255,
        200,
    ]
