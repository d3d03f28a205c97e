"""torch.hub as a user meets it: list, help, load, from a folder and from GitHub's zip."""

from __future__ import annotations

import copy
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from splitzoo.bench import evaluation_set
from splitzoo.zoo import (
    INVERSES,
    get_network,
    load_copy,
    load_inverse,
    load_network,
    load_split,
    manifest,
    networks,
)


def run_python(code: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=cwd, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def served(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A repository that GitHub serves as a zip: torch.hub's real code but for the download."""
    archive = tmp_path / "served.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("splitzoo-1.0/", "")
        for path in sorted(checkout.rglob("*")):
            file.write(path, Path("splitzoo-1.0") / path.relative_to(checkout))

    def download(url: str, destination: str, *args: Any, **kwargs: Any) -> None:
        assert "owner/splitzoo/zipball/" in url
        Path(destination).write_bytes(archive.read_bytes())

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    return "owner/splitzoo:v1.0"


FROM_GITHUB: dict[str, Any] = {"trust_repo": True, "skip_validation": True, "verbose": False}


def test_every_network_is_an_entry_point_and_nothing_else_is(served: str) -> None:
    entries = torch.hub.list(served, **FROM_GITHUB)
    expected = {f"{n.name}_split_{split}" for n in networks().values() for split in n.splits}
    assert len(expected) == 11 + 18 + 14
    expected |= {target.replace("/", "_inverse_") for target in INVERSES}
    expected |= {f"lenet_shadow_{split}" for split in networks()["lenet"].splits}
    expected |= {f"cifar_cnn_shadow_{split}" for split in ("conv11", "relu22", "relu32")}
    decoded = {"lenet_decoder_relu2", "cifar_cnn_decoder_relu22", "cifar_cnn_decoder_relu32"}
    copied = {"lenet_copy_relu2", "cifar_cnn_copy_relu22"}
    assert set(entries) == expected | decoded | copied | {"mnist_judge", "cifar10_judge"}


def test_help_says_what_goes_in_and_out(served: str) -> None:
    options = {k: v for k, v in FROM_GITHUB.items() if k != "verbose"}
    text = torch.hub.help(served, "cifar_cnn_split_relu22", **options)
    assert "N×3×32×32" in text
    assert "weights" in text


def test_a_split_loads_in_one_line(repository: Path, digits: torch.Tensor) -> None:
    model: Any = torch.hub.load(str(repository), "lenet_split_relu2", source="local")
    expected = load_split("lenet", "relu2")
    assert torch.equal(model(digits), expected(digits))


def test_weights_none_is_a_fresh_network(repository: Path) -> None:
    load: Any = torch.hub.load
    torch.manual_seed(1)
    fresh = load(str(repository), "lenet_split_relu2", source="local", weights=None)
    published = load(str(repository), "lenet_split_relu2", source="local")
    assert not torch.equal(fresh.edge.conv1.weight, published.edge.conv1.weight)


def test_what_attackers_bring_loads_by_its_weights(repository: Path) -> None:
    load: Any = torch.hub.load
    features = torch.rand(2, 16, 8, 8)
    inverse = load(str(repository), "lenet_inverse_relu2", source="local", weights="rand_set")
    expected = load_inverse("lenet", "relu2", weights="rand_set")
    assert torch.equal(inverse(features), expected(features))
    shadow = load(
        str(repository), "lenet_shadow_relu2", source="local", weights="diff_set_diff_net"
    )
    assert shadow(torch.rand(2, 1, 28, 28)).shape == features.shape
    judge = load(str(repository), "mnist_judge", source="local")
    assert judge(torch.rand(2, 1, 28, 28)).shape == (2, 10)
    with pytest.raises(ValueError, match=r"known are .*queried_same_set, None"):
        load(str(repository), "lenet_shadow_relu2", source="local", weights="other")


def test_every_checkpoint_loads_by_its_name(repository: Path) -> None:
    """ENTRY-WEIGHTS as `splitzoo list` has it; a target by its splits, a judge by its name."""
    load: Any = torch.hub.load
    for record in manifest().records.values():
        entry, _, weights = record.name.partition("-")
        if record.kind == "target":
            entry += f"_split_{get_network(record.name).splits[-1]}"
        expected = load_network(record.name).state_dict()
        which = {"weights": weights} if weights else {}
        loaded = load(str(repository), entry, source="local", **which).state_dict()
        assert loaded.keys() == expected.keys(), record.name
        assert all(torch.equal(loaded[key], expected[key]) for key in expected), record.name


def test_every_entry_of_attackers_loads_what_the_readme_names_first(repository: Path) -> None:
    load: Any = torch.hub.load
    first = {"inverse": "same_set", "shadow": "same_set_same_net"}
    first |= {"decoder": "same_set", "copy": "same_set"}
    for entry in {name.partition("-")[0] for name in manifest().records if "-" in name}:
        (weights,) = (first[kind] for kind in first if f"_{kind}_" in entry)
        loaded = load(str(repository), entry, source="local").state_dict()
        expected = load_network(f"{entry}-{weights}").state_dict()
        assert loaded.keys() == expected.keys(), entry
        assert all(torch.equal(loaded[key], expected[key]) for key in expected), entry


def test_a_copy_answers_like_the_edge_that_it_is_of(repository: Path) -> None:
    load: Any = torch.hub.load
    digits = evaluation_set("mnist").images.pixels[::10] / 255
    edge = load(str(repository), "lenet_split_relu2", source="local").edge
    copied = load(str(repository), "lenet_copy_relu2", source="local", weights="rand_set")
    with torch.no_grad():
        features = edge(digits)
        error = (copied.edge(digits) - features).square().sum() / features.square().sum()
        assert error < 0.01
        assert (copied(features) - digits).square().mean() < 0.02  # 17 dB
    with pytest.raises(ValueError, match=r"unknown copy .* known are lenet_copy_relu2, cifar"):
        load_copy("lenet", "pool1")
    fresh = load(str(repository), "lenet_copy_relu2", source="local", weights=None)
    assert not torch.equal(fresh.edge(digits), copied.edge(digits))


def test_arguments_are_keyword_only(repository: Path) -> None:
    with pytest.raises(TypeError):
        torch.hub.load(str(repository), "lenet_split_relu2", "default", source="local")


def test_two_checkouts_in_one_process_do_not_mix(checkout: Path, repository: Path) -> None:
    """Another revision has a layer of another width; each checkout must serve its own."""
    lenet = checkout / "zoo" / "targets" / "lenet.py"
    source = lenet.read_text("utf-8")
    lenet.write_text(source.replace("nn.Linear(120, 84)", "nn.Linear(120, 85)"), "utf-8")
    sizes = run_python(
        f"""
import torch
for repo in ({str(repository)!r}, {str(checkout)!r}, {str(repository)!r}):
    model = torch.hub.load(repo, "lenet_split_relu2", source="local", weights=None)
    print(model.cloud.fc2.out_features)
""",
        checkout.parent,
    )
    assert sizes.split() == ["84", "85", "84"]


def test_a_checkout_replaced_in_place_is_imported_anew(checkout: Path) -> None:
    """What force_reload=True does to the cached repository."""
    sizes = run_python(
        f"""
import os, pathlib, torch
repo = pathlib.Path({str(checkout)!r})
load = lambda: torch.hub.load(str(repo), "lenet_split_relu2", source="local", weights=None)
print(load().cloud.fc2.out_features)
lenet = repo / "zoo" / "targets" / "lenet.py"
lenet.write_text(lenet.read_text("utf-8").replace("nn.Linear(120, 84)", "nn.Linear(120, 8)"))
os.utime(repo / "hubconf.py", ns=(1, 1))
print(load().cloud.fc2.out_features)
""",
        checkout.parent,
    )
    assert sizes.split() == ["84", "8"]


def test_a_users_own_zoo_module_is_left_alone(tmp_path: Path, repository: Path) -> None:
    (tmp_path / "zoo.py").write_text("animals = 3\n", "utf-8")
    out = run_python(
        f"""
import sys
sys.path.insert(0, "")
import zoo, torch
torch.hub.load({str(repository)!r}, "lenet_split_relu2", source="local")
import zoo as again
print(again.animals, zoo is again, sorted(set(sys.modules) & {{"attacks", "bench"}}))
""",
        tmp_path,
    )
    assert out.split() == ["3", "True", "[]"]


def test_what_comes_from_the_hub_survives_saving_into_another_process(
    repository: Path, tmp_path: Path
) -> None:
    """Also where Splitzoo is not installed: the file itself says which checkout to ask."""
    load: Any = torch.hub.load
    names = {"lenet_split_relu2": (1, 28, 28), "resnet20_split_block21": (3, 32, 32)}
    names |= {"mnist_judge": (1, 28, 28), "lenet_shadow_relu2": (1, 28, 28)}
    for name, shape in names.items():
        model = load(str(repository), name, source="local")
        images = torch.rand(2, *shape)
        twin = copy.deepcopy(model)
        with torch.no_grad():
            assert torch.equal(twin(images), model(images))
            torch.save({"model": model, "images": images, "answer": model(images)}, tmp_path / name)
    code = f"""
import sys
sys.meta_path[:] = [f for f in sys.meta_path if "editable" not in type(f).__module__ + repr(f)]
import torch
for name in {list(names)!r}:
    kept = torch.load(name, weights_only=False)
    with torch.no_grad():
        assert torch.equal(kept["model"](kept["images"]), kept["answer"]), name
    print(type(kept["model"]).__module__.partition(".")[0][:10])
"""
    assert set(run_python(code, tmp_path).split()) == {"_splitzoo_"}
