"""An attack in a worker recovers what it recovers here, and has nothing there to cheat with."""

from __future__ import annotations

import os
import socket
import textwrap
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from splitzoo.attacks import configured
from splitzoo.bench import scenario
from splitzoo.bench.referee.attacking import Kept, Recovery, attack_images
from splitzoo.bench.referee.isolated import attack_isolated
from splitzoo.bench.referee.outside import as_class
from splitzoo.bench.referee.sandbox import sandbox, secrets
from splitzoo.bench.referee.wire import AttackFailedError, Wire, WireError
from splitzoo.bench.referee.workers import Limits, worker

CPU = torch.device("cpu")
HEAD = """
import gc, os, socket, sys, time
from dataclasses import dataclass
import torch
from splitzoo.attacks import Attack, Capability, get_setting

@dataclass(frozen=True, kw_only=True)
class Mine(Attack):
    title, citation = "Mine", "nobody"
    requires = frozenset({Capability.QUERY})
"""


@pytest.mark.parametrize(
    ("where", "name", "fields"),
    [
        ("white_box/lenet/conv1", "rmle", {"iterations": 30}),
        ("black_box_rand_set/lenet/conv1", "affine_inversion", {}),
        ("black_box_rand_set/lenet/relu2", "inverse_network", {"steps": 4, "noise_images": 70}),
    ],
)
def test_a_worker_recovers_the_same_images_for_as_many_queries(
    where: str, name: str, fields: dict[str, object]
) -> None:
    """Held against the same attack in this process, image by image, though their order differs."""
    there = scenario(where, "paper10")
    attack = configured(name, there.target.name, there.setting.name, fields)
    images = there.evaluation().images
    here = attack_images(attack, there, images, device=CPU)
    apart = attack_isolated(attack, there, images, device=CPU, limits=Limits())
    assert (here.pixels.int() - apart.pixels.int()).abs().max() <= 1
    assert (apart.queries, apart.network) == (here.queries, here.network)


def outsider(
    folder: Path,
    body: str,
    *,
    where: str = "black_box_rand_set/lenet/conv1",
    limits: Limits | None = None,
    kept: Kept | None = None,
) -> Recovery:
    """What an attack with these methods, of a file, recovers in a worker."""
    path = folder / "mine.py"
    path.write_text(HEAD + textwrap.indent(textwrap.dedent(body), "    "), "utf-8")
    there = scenario(where, "paper10")
    said = {"name": "", "type": "Mine", "title": "Mine", "citation": "nobody", "version": 1}
    return attack_isolated(
        as_class(f"{path}:Mine", {**said, "requires": ["QUERY"], "fields": {}})(),
        there,
        there.evaluation().images,
        device=CPU,
        limits=limits or Limits(),
        kept=kept,
    )


SNOOP = """
def offline(self, adversary, generator):
    found = []
    for path in {secrets!r}:
        if any(os.scandir(path) if os.path.isdir(path) else ()):
            found.append(path)
    try:
        socket.create_connection(("{host}", {port}), 1)
        found.append("network")
    except OSError:
        pass
    adversary.setting = get_setting("white_box")
    try:
        if adversary.edge is not None:
            found.append("edge")
    except Exception:
        pass
    held = {{id(each) for each in adversary.cloud.parameters()}}
    for each in gc.get_objects():
        if isinstance(each, torch.nn.Parameter) and id(each) not in held:
            found.append("weights")
        if isinstance(each, torch.Tensor) and each.shape[1:] == adversary.input_shape:
            found.append("images")
    frame = sys._getframe()
    while frame is not None:
        found += [name for name in frame.f_locals if name in ("secrets", "scenario", "target")]
        frame = frame.f_back
    raise RuntimeError("found: " + (", ".join(found) or "nothing"))
"""


@pytest.mark.parametrize("tool", ["bwrap", "unshare"])
def test_a_worker_has_no_secret_to_find(
    tool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither on the disk, in its memory, on its stack, over a network, nor by another setting.

    Where the system has no sandbox, the disk and the network are open, and results say so.
    """
    monkeypatch.setenv("SPLITZOO_SANDBOX", tool)
    sandbox.cache_clear()
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()[:2]
        body = SNOOP.format(secrets=[str(each) for each in secrets()], host=host, port=port)
        body += "def online(self, state, features, draws): pass\n"
        with pytest.raises(AttackFailedError) as caught:
            outsider(tmp_path, body)
    found = str(caught.value).removeprefix("RuntimeError: found: ").split(", ")
    if sandbox().isolation == "sandbox":
        assert found == ["nothing"]
    else:
        assert {"edge", "weights", "images", "secrets", "scenario"}.isdisjoint(found)
    sandbox.cache_clear()


ASKS = """
def offline(self, adversary, generator):
    for _ in range(3):
        adversary.query(torch.rand(10, *adversary.input_shape))
        adversary.queries = 0
    return adversary.input_shape
def online(self, state, features, draws):
    return draws.uniform(*state)
"""


def test_the_referee_counts_queries_and_ends_them(tmp_path: Path) -> None:
    assert outsider(tmp_path, ASKS).queries == 30
    with pytest.raises(AttackFailedError, match="budget of 20 queries is spent"):
        outsider(tmp_path, ASKS, limits=Limits(queries=20))
    with pytest.raises(
        AttackFailedError, match="which query_free_same_set_same_net does not grant"
    ):
        outsider(tmp_path, ASKS, where="query_free_same_set_same_net/lenet/conv1")


COUNTS = """
def offline(self, adversary, generator):
    return [0, adversary.input_shape]
def images_at_a_time(self, adversary):
    return 3
def online(self, state, features, draws):
    numbers = torch.arange(state[0], state[0] + len(features))
    state[0] += len(features)
    return (numbers / 255).view(-1, 1, 1, 1).expand(-1, *state[1]).float()
"""


def test_what_came_from_the_hub_is_hidden_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert tmp_path in secrets()


ASKS_LATER = """
def offline(self, adversary, generator):
    adversary.query(torch.zeros(3, *adversary.input_shape))
    return adversary
def images_at_a_time(self, adversary):
    return 4
def online(self, state, features, draws):
    state.query(torch.zeros(2 * len(features), *state.input_shape))
    return torch.zeros(len(features), *state.input_shape)
"""


def test_what_is_asked_of_the_edge_later_counts_too(tmp_path: Path) -> None:
    """Three offline and two for each image; of a run that was killed, those before it as well."""
    whole = outsider(tmp_path, ASKS_LATER)
    assert whole.queries == 3 + 20
    kept = Kept(tmp_path / "kept.safetensors", {"run": 1})
    kept.save(whole.pixels[:4], 1.0, whole.order, 8)
    assert outsider(tmp_path, ASKS_LATER, kept=kept).queries == 3 + 20


def test_images_come_in_an_order_that_says_nothing(tmp_path: Path) -> None:
    """Each image's answer is put back where the image belongs; the order is another each time."""
    runs = [outsider(tmp_path, COUNTS) for _ in range(2)]
    for run in runs:
        assert run.order is not None
        shown = torch.randperm(10, generator=torch.Generator().manual_seed(run.order))
        assert run.pixels[shown, 0, 0, 0].tolist() == list(range(10))
    assert not torch.equal(runs[0].pixels, runs[1].pixels)


def test_a_worker_goes_on_in_the_order_in_which_it_was_killed(tmp_path: Path) -> None:
    whole = outsider(tmp_path, COUNTS)
    shown = torch.randperm(10, generator=torch.Generator().manual_seed(whole.order or 0))
    kept = Kept(tmp_path / "kept.safetensors", {"run": 1})
    kept.save(whole.pixels[shown][:4] + 100, 1.0, whole.order)
    resumed = outsider(tmp_path, COUNTS, kept=kept)
    assert resumed.order == whole.order
    assert resumed.pixels[shown, 0, 0, 0][:4].tolist() == [100, 101, 102, 103]
    assert len(resumed.pixels) == 10


@pytest.mark.parametrize(
    ("online", "limits", "said"),
    [
        ("os._exit(3)", {}, "crashed"),
        ("time.sleep(60)", {"seconds": 6.0}, "took more than the 6 s"),
        ("torch.ones(3 << 28)", {"memory": 2 << 30}, "alloc"),
        ("return torch.full((len(features), 1, 28, 28), torch.nan)", {}, "NaN"),
        ("return torch.full((len(features), 1, 28, 28), 1.5)", {}, r"\[0, 1\]"),
        ("return torch.zeros(len(features), 1, 28, 27)", {}, "28"),
        ("return torch.zeros(len(features), 1, 28, 28).double()", {}, "float64"),
        ("return 'images'", {}, "str"),
    ],
)
def test_a_failure_is_an_outcome_with_its_reason(
    online: str, limits: dict[str, float], said: str, tmp_path: Path
) -> None:
    body = f"def online(self, state, features, draws):\n    {online}\n"
    started = time.monotonic()
    with pytest.raises(AttackFailedError, match=said):
        outsider(tmp_path, body, limits=replace(Limits(seconds=90.0), **limits))
    assert time.monotonic() - started < 60


ON_THE_WIRE = """
def say(self, *words, **values):
    frame = sys._getframe()
    while "wire" not in frame.f_locals:
        frame = frame.f_back
    frame.f_locals["wire"].send(*words, **values)
    time.sleep(60)
def offline(self, adversary, generator):
    {offline}
def online(self, state, features, draws):
    {online}
"""


@pytest.mark.parametrize(
    ("offline", "online", "said"),
    [
        ("pass", "self.say('images', body=b'junk')", "sent no tensors as 'images'"),
        ("pass", "self.say('query', body=b'junk')", "sent no tensors as 'query'"),
        ("self.say('ready', calibrated={'x': float('nan')})", "pass", "no finite number"),
        ("self.say('ready', learned={'sha256': 'x'})", "pass", "no network"),
    ],
)
def test_what_a_worker_smuggles_onto_the_wire_is_its_failure(
    offline: str, online: str, said: str, tmp_path: Path
) -> None:
    """And none of the benchmark's, which goes on with the next scenario."""
    with pytest.raises(AttackFailedError, match=said):
        outsider(
            tmp_path,
            ON_THE_WIRE.format(offline=offline, online=online),
            limits=Limits(seconds=40.0),
        )


def test_a_line_that_breaks_is_the_workers_failure() -> None:
    for reason, said in (
        ("it has gone", "the worker (has gone|crashed)"),
        ("its time was up", "took more than the 30 s"),
    ):
        with pytest.raises(AttackFailedError, match=said), worker(Limits(seconds=30.0), []):
            raise WireError(reason)


def test_a_reader_that_dawdles_is_late_too() -> None:
    """Who takes a little at a time keeps every write from timing out, and must not gain by it."""
    ours, theirs = socket.socketpair()
    ended = threading.Event()

    def dawdle() -> None:
        while not ended.wait(0.01):
            theirs.recv(4096)

    reader = threading.Thread(target=dawdle)
    reader.start()
    try:
        with pytest.raises(WireError, match="time was up"):
            Wire(ours, time.monotonic() + 0.5).send("long", body=bytes(64 << 20))
    finally:
        ended.set()
        ours.close()
        reader.join()
        theirs.close()


def test_what_was_finished_in_another_order_is_made_again(tmp_path: Path) -> None:
    """In this process images come as they are, in a worker by chance: neither goes on from the
    other, which would credit one image with another's reconstruction."""
    whole = outsider(tmp_path, COUNTS)
    kept = Kept(tmp_path / "kept.safetensors", {"run": 1})
    kept.save(torch.full_like(whole.pixels[:4], 200), 1.0)
    assert outsider(tmp_path, COUNTS, kept=kept).pixels.max() < 200
    kept.save(torch.full_like(whole.pixels[:4], 200), 1.0, 7)
    assert len(kept.load(whole.pixels.shape)[0]) == 0
    assert len(kept.load_ordered(whole.pixels.shape)[0]) == 4


def test_a_worker_leaves_nothing_for_the_next(tmp_path: Path) -> None:
    """The weights of a white-box scenario would answer a black-box one."""
    if sandbox().isolation != "sandbox":
        pytest.skip("the system has no sandbox")
    body = """
    def online(self, state, features, draws):
        for folder in ("/dev/shm", "/tmp"):
            path = os.path.join(folder, "left-by-a-worker")
            if os.path.exists(path):
                raise RuntimeError("found " + path)
            open(path, "w").close()
        raise RuntimeError("left something")
    """
    for _ in range(2):
        with pytest.raises(AttackFailedError, match="left something"):
            outsider(tmp_path, body)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=64), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_nothing_that_a_worker_says_hurts_the_referee(content: bytes, text: int, body: int) -> None:
    """Random bytes, and frames that claim to be longer than there is memory for."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        lengths = text.to_bytes(8, "little") + body.to_bytes(8, "little")
        theirs.sendall(lengths + content)
        theirs.close()
        with pytest.raises(WireError):
            _ = Wire(ours).receive().tensors


def test_a_worker_inherits_nothing_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hidden")
    body = """
    def online(self, state, features, draws):
        raise RuntimeError(os.environ.get("SECRET_TOKEN", "no token") + os.environ["HOME"])
    """
    with pytest.raises(AttackFailedError, match="no token/tmp"):
        outsider(tmp_path, body)
    assert os.environ["SECRET_TOKEN"] == "hidden"
