"""The worker: runs one attack with what it is sent, and sees nothing else.

The referee starts it as a process of its own, in a sandbox where there is one. The worker holds
the grant of its setting and whatever it asks for across the line; an edge that it does not hold
answers from the other side, where queries are counted. What it says there is believed only as far
as it can be checked.
"""

from __future__ import annotations

import io
import pickle
import resource
import socket
from collections.abc import Callable
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from ...attacks import Adversary, Attack, LearnedAttack, load_attack
from ...attacks.adversary import Grant
from ...attacks.conformance.checks import battery
from ...zoo import CapabilityError, Images, SplitzooError, pick_device, pick_precision
from ...zoo.loading import content_of_network
from ...zoo.resume import Conditions
from .deterministic import deterministic
from .wire import Message, Wire

#: Images that are asked of the edge at a time, and bytes that the worker may write to a file.
ASKED_AT_ONCE, LONGEST_FILE = 256, 1 << 26


@dataclass(frozen=True)
class Task:
    """What the referee begins with, the one message that is pickled.

    Attributes:
        reference: "path/to/file.py:MyAttack", or a name of the catalogue.
        fields: hyperparameters.
        grant: what the setting grants.
        network: what an earlier training of the attack returned; None for none.
    """

    reference: str
    fields: dict[str, Any]
    grant: Grant
    device: str
    threads: int
    seed: int
    network: nn.Module | None = None


def packed(task: Task) -> bytes:
    """A task as the worker's first message carries it."""
    buffer = io.BytesIO()
    pickle.dump(task, buffer)
    return buffer.getvalue()


def main(line: int, memory: int) -> None:
    """Do what the referee's first message asks for; say "failed" and why if that cannot be done."""
    limit(memory)
    wire = Wire(socket.socket(fileno=line))
    try:
        first = wire.receive()
        if first.kind == "describe":
            wire.send("described", **described(load_attack(first.values["reference"])))
        elif first.kind == "check":
            examine(load_attack(first.values["reference"]), wire)
        else:
            run(pickle.loads(first.body), wire)
    except Exception as error:
        wire.send("failed", reason=in_a_line(error))


def limit(memory: int) -> None:
    """Let the system refuse more than so many bytes of data, and any file worth the name."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (LONGEST_FILE, LONGEST_FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory:
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))


def in_a_line(error: BaseException) -> str:
    """What went wrong, in at most 300 characters; the kind of error where it is not our own."""
    said = " ".join(str(error).split())[:300]
    return said if isinstance(error, SplitzooError) else f"{type(error).__name__}: {said}"


def described(attack: type[Attack]) -> dict[str, Any]:
    """What a referee must know of an attack that it does not load itself."""
    defaults = {each.name: each.default for each in fields(attack) if each.default is not MISSING}
    return {
        "name": attack.name,
        "type": attack.__name__,
        "title": attack.title,
        "citation": attack.citation,
        "version": attack.version,
        "requires": sorted(capability.name for capability in attack.requires),
        "fields": defaults,
    }


def examine(attack: type[Attack], wire: Wire) -> None:
    """Say how each check of the conformance battery goes."""
    torch.set_num_threads(1)  # tiny targets: more cost time
    for finding in battery(attack, lambda name: wire.send("starting", check=name)):
        wire.send("finding", **asdict(finding))
    wire.send("done")


def run(task: Task, wire: Wire) -> None:
    """Prepare the attack, then answer batches of features with images until told to stop."""
    torch.set_num_threads(task.threads)
    device = pick_device(task.device)
    attack = load_attack(task.reference)(**task.fields)
    adversary = Adversary.granted(
        task.grant, device=device, answer=asker(wire, device), data=lambda: images_of(wire)
    )
    with deterministic():
        network, learned = task.network, {}
        if network is None and isinstance(attack, LearnedAttack):
            conditions = Conditions(pick_precision("auto", device))
            network, _ = attack.train(adversary, seed=task.seed, conditions=conditions)
            digest = content_of_network(network, attack.architecture(adversary))
            learned = {"sha256": digest, "precision": conditions.precision}
        prepared = attack.prepare(adversary, seed=task.seed, network=network)
        given, chosen = asdict(attack), asdict(prepared.attack)
        calibrated = {name: chosen[name] for name in chosen if chosen[name] != given[name]}
        wire.send("ready", batch=prepared.batch, learned=learned, calibrated=calibrated)
        while (message := wire.receive()).kind == "features":
            found = prepared.answer(message.tensors["features"], message.values["numbers"])
            wire.send("images", {"images": found})


def asker(wire: Wire, device: torch.device) -> Callable[[Tensor], Tensor]:
    """The victim's edge, from here: images N×C×H×W -> features, a few hundred at a time."""

    def ask(images: Tensor) -> Tensor:
        answers = []
        for part in images.split(ASKED_AT_ONCE):
            wire.send("query", {"images": part.float()})
            answers.append(allowed(wire.receive()).tensors["features"])
        return torch.cat(answers).to(device)

    return ask


def images_of(wire: Wire) -> Images:
    """The images that the setting grants."""
    wire.send("data")
    tensors = allowed(wire.receive()).tensors
    return Images(tensors["pixels"], tensors["labels"])


def allowed(answer: Message) -> Message:
    """The answer; CapabilityError where the referee refused."""
    if answer.kind == "refused":
        raise CapabilityError(answer.values["reason"])
    return answer
