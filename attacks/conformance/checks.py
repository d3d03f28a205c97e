"""The checks that every attack passes, one after another: what each holds, and how it is tried.

A check that fails says in one line what was found and what to do about it. One that rests on a
failed one is not tried.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import MISSING, dataclass, fields, is_dataclass

import torch
from torch import Tensor

from ...zoo import ContractError
from ...zoo.loading import content_of_network
from ..base import Attack
from ..learned import LearnedAttack
from ..settings import SETTINGS, Capability
from .second_device import CannotFollowError, second_device
from .tiny import PLACES
from .trial import ALL, FaultError, RaisedError, RefusedError, Trial, described, lacks_a_grant
from .watch import GENERATORS

#: What rounding may make of an image that a short descent recovers: two of 256 levels.
ROUNDING = 2 / 255


@dataclass(frozen=True)
class Check:
    """One thing that an attack keeps to.

    Attributes:
        name: in a word.
        holds: what is so where it passes.
        examine: raises FaultError where it is not.
        rests_on: the check without which this one means nothing.
    """

    name: str
    holds: str
    examine: Callable[[Trial], None]
    rests_on: str = ""


@dataclass(frozen=True)
class Finding:
    """How a check went: "passed", "failed" or "not tried", and a line about it."""

    check: str
    outcome: str
    line: str


def battery(
    attack: type[Attack], starting: Callable[[str], object] = lambda name: None
) -> Iterator[Finding]:
    """Try an attack on tiny targets; a finding for each check, as soon as it is there.

    `starting` is told each check's name before it begins.
    """
    trial, passed = Trial(attack), {""}
    for check in CHECKS:
        if check.rests_on not in passed:
            yield Finding(check.name, "not tried", f"it rests on {check.rests_on!r}")
            continue
        starting(check.name)
        try:
            check.examine(trial)
        except FaultError as fault:
            yield Finding(check.name, "failed", " ".join(str(fault).split()))
        else:
            passed.add(check.name)
            yield Finding(check.name, "passed", check.holds)


def _states(trial: Trial) -> None:
    attack = trial.attack
    for name in ("title", "citation"):
        value = getattr(attack, name, None)
        if not (isinstance(value, str) and value.strip()):
            raise FaultError(f"its {name} is {value!r}; state it as a text")
    requires = getattr(attack, "requires", None)
    if not isinstance(requires, frozenset) or not all(isinstance(r, Capability) for r in requires):
        raise FaultError("its `requires` is no frozenset of Capability; write frozenset({…})")
    version = attack.version
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise FaultError(f"its version is {version!r}; state a whole number from 1 on")


def _built(trial: Trial) -> None:
    attack = trial.attack
    if not is_dataclass(attack) or "__dataclass_fields__" not in vars(attack):
        raise FaultError("it is no dataclass; put @dataclass(frozen=True, kw_only=True) before it")
    if inspect.isabstract(attack):
        raise FaultError(f"it lacks {', '.join(sorted(attack.__abstractmethods__))}; write it")
    for field in fields(attack):
        plain = field.default is None or isinstance(field.default, bool | int | float | str)
        if field.default is MISSING or not plain:
            raise FaultError(
                f"its field {field.name} has no default that is a number, a word, True, False or "
                "None; give it one"
            )
    for how, given in (("with its defaults", {}), ("with `brief`", attack.brief)):
        try:
            attack(**given)
        except Exception as error:
            raise FaultError(f"it cannot be made {how}: {described(error, attack)}") from error


def _capabilities(trial: Trial) -> None:
    try:
        _ = trial.home
    except FaultError as fault:
        if lacks_a_grant(fault):
            raise FaultError(f"{fault}; add it to `requires`, or do without") from None


def _runs(trial: Trial) -> None:
    try:
        _ = trial.home
    except RaisedError as fault:
        if not isinstance(fault.error, ContractError):
            raise


def _images(trial: Trial) -> None:
    _ = trial.images


def _shapes(trial: Trial) -> None:
    for place in PLACES:
        if place is not trial.home.place:
            try:
                trial.start(place).answer()
            except RaisedError as fault:
                raise FaultError(
                    f"{fault}; take every size from adversary.input_shape, feature_shape and "
                    "num_classes, or raise InputError for a target that it cannot attack"
                ) from None
            except RefusedError:
                pass


def _settings(trial: Trial) -> None:
    for setting in SETTINGS.values():
        if setting.missing(trial.attack.requires):
            continue
        try:
            trial.start(trial.home.place, setting).answer()
        except FaultError as fault:
            raise FaultError(
                f"in {setting.name}, which grants more than it requires: {fault}; ask "
                "adversary.setting.allows(…) before anything that `requires` does not name"
            ) from None


def _seeds(trial: Trial) -> None:
    again = trial.start(trial.home.place).answer()
    if not torch.equal(trial.images, again):
        raise FaultError(
            f"the same seed gave other images the second time, {_apart(trial.images, again)}; "
            "draw from `generator` offline and from `draws` online, never from torch's, numpy's or "
            "`random`'s global generator, and keep nothing outside the state of `offline`"
        )


def _again(trial: Trial) -> None:
    again = trial.home.answer()
    if not torch.equal(trial.images, again):
        raise FaultError(
            f"the same features gave other images when they came again, "
            f"{_apart(trial.images, again)}; let `online` leave its state and itself as they are"
        )


def _batches(trial: Trial) -> None:
    size = trial.home.prepared.batch
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise FaultError(f"images_at_a_time says {size!r}; return a whole number from 1 on")
    for size in (1, 3):
        parts = [ALL[start : start + size] for start in range(0, len(ALL), size)]
        found = torch.cat([trial.home.answer(rows) for rows in parts])
        if not _close(trial.images, found):
            raise FaultError(
                f"images attacked {size} at a time come out otherwise than {len(ALL)} at a time, "
                f"{_apart(trial.images, found)}; let no image depend on who shares its batch: no "
                "batch statistics (call .eval()), sums over the batch in a loss in place of means"
            )


def _order(trial: Trial) -> None:
    order = [3, 0, 4, 1, 2]
    found = trial.home.answer(order)
    if not _close(trial.images[order], found):
        raise FaultError(
            "the same images in another order come out otherwise, "
            f"{_apart(trial.images[order], found)}; let no image depend on its place in the batch, "
            "which is drawn by chance"
        )


def _features(trial: Trial) -> None:
    if trial.wrote_into_features:
        raise FaultError("it writes into the features that it is given; work on features.clone()")


def _networks(trial: Trial) -> None:
    if trial.altered:
        raise FaultError(
            f"it alters its adversary's {_listed(trial.altered)}, weights or mode; "
            "work on copy.deepcopy of it"
        )


def _globals(trial: Trial) -> None:
    drawn = trial.changed & set(GENERATORS)
    if drawn:
        raise FaultError(
            f"it draws from, or seeds, {_listed(drawn)}; draw from `generator` and `draws`, or "
            "within `torch.random.fork_rng()` behind a seed taken from `generator`"
        )
    if trial.changed:
        raise FaultError(f"it leaves {_listed(trial.changed)} changed; put back what it changes")


def _learned(trial: Trial) -> None:
    attack = trial.short()
    if not isinstance(attack, LearnedAttack):
        return
    home = trial.home
    with trial.calling(home.place.words, home.adversary):
        network, _ = attack.train(home.adversary)
        content_of_network(network, attack.architecture(home.adversary))
        with torch.random.fork_rng(devices=[]):
            read = attack.build(home.adversary).eval().requires_grad_(False)
        read.load_state_dict(network.state_dict())
        adopted = attack.prepare(home.adversary, network=read).answer(home.features, ALL)
    if not _close(trial.images, adopted):
        raise FaultError(
            "a network that was stored recovers other images than one that was just trained, "
            f"{_apart(trial.images, adopted)}; keep all that `online` needs of it in its "
            "parameters and buffers"
        )


def _device(trial: Trial) -> None:
    for place in PLACES:
        with elsewhere() as device:
            try:
                trial.start(place, device=device).answer()
            except RefusedError:
                pass
            except FaultError as fault:
                if isinstance(fault, RaisedError) and isinstance(fault.error, CannotFollowError):
                    continue
                raise FaultError(
                    f"on a device that is not the CPU: {fault}; make tensors on adversary.device "
                    "or features.device, and move what is drawn on the CPU there"
                ) from None


def elsewhere() -> AbstractContextManager[torch.device]:
    """A device that is not the CPU: the machine's, or one made of Python."""
    if torch.cuda.is_available():
        return nullcontext(torch.device("cuda"))
    return second_device()


def _close(first: Tensor, second: Tensor) -> bool:
    """Whether no image differs; of its pixels the root of the mean square counts, since one that
    goes astray behind a kink is rounding too."""
    return bool((first - second).square().flatten(1).mean(1).sqrt().max() <= ROUNDING)


def _apart(first: Tensor, second: Tensor) -> str:
    return f"by up to {(first - second).abs().max():.2g} of the range"


def _listed(names: Iterable[str]) -> str:
    return " and ".join(sorted(names))


CHECKS = (
    Check("states", "says what it requires, its title and citation", _states),
    Check("built", "is a frozen dataclass of plain fields, all with defaults", _built, "states"),
    Check("capabilities", "uses no more than it requires", _capabilities, "built"),
    Check("runs", "raises nothing on a tiny target", _runs, "capabilities"),
    Check("images", "returns one float32 image in [0, 1] for each features", _images, "runs"),
    Check("shapes", "runs on other shapes and numbers of classes", _shapes, "images"),
    Check("settings", "runs in every setting that grants enough", _settings, "images"),
    Check("seeds", "recovers the same from the same seed", _seeds, "images"),
    Check("again", "keeps nothing from batch to batch", _again, "seeds"),
    Check("batches", "no image depends on another of its batch", _batches, "again"),
    Check("order", "no image depends on its place in the batch", _order, "again"),
    Check("learned", "a network it learned can be used again", _learned, "seeds"),
    Check("device", "runs on a device that is not the CPU", _device, "images"),
    Check("features", "leaves the features as they are", _features, "images"),
    Check("networks", "leaves its adversary's networks as they are", _networks, "images"),
    Check("globals", "leaves the process as it is", _globals, "images"),
)
