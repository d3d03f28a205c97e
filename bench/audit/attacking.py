"""Running the attackers against one cut, within its share of the time."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import asdict

from torch import Tensor

from ...attacks import Attack, LearnedAttack, MeanImage, ResidualDecoder
from ...zoo.whole import first_line
from ...zoo.words import duration
from ..referee.deterministic import deterministic
from .advice import ADVERSARIES
from .attacker import Attacker, Decoded, LeftOutError, Planned
from .attackers import ATTACKERS
from .bound import noise_needed
from .cost import cost_of
from .cuts import Cut
from .pace import Stopwatch
from .record import Attacked, CutAudit
from .scores import picks_its_own, scores_of, stored
from .strength import CAN_RUN, FAMILIES, SOLVED


def audit_cut(
    cut: Cut, key: str, seconds: float, say: Callable[[str], None]
) -> tuple[CutAudit, dict[str, Tensor]]:
    """Attack one cut for some `seconds`; return what was found, and the images by attack."""
    watch = Stopwatch(cut.device)
    subject = cut.subject
    full = subject.target(cut.target.split, full=True)
    cost = cost_of(full, subject.example()[:1])
    noise = noise_needed(cut.target.edge, cut.scored.floats().to(cut.device))
    attacked: list[Attacked] = []
    images: dict[str, Tensor] = {}
    decoder: Decoded | None = None
    waiting = [each for each in ATTACKERS if each.applies(cut)]
    hindered = [(each.family, each.hindrance(cut)) for each in waiting]
    left_out = [f"{FAMILIES[family]}: {why}" for family, why in hindered if why]
    for each in left_out:
        say(f"left out: {each}")
    waiting = [each for each in waiting if each.hindrance(cut) is None]
    while waiting:
        attacker, shares = waiting[0], sum(each.share for each in waiting)
        waiting, said = waiting[1:], FAMILIES[attacker.family]
        left, crowding = max(0.0, seconds - watch.seconds), watch.crowding
        try:
            planned = attacker.plan(cut, left * attacker.share / shares / crowding, decoder)
            say(f"{planned.attack.title}, about {duration(planned.seconds * crowding)}")
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always", RuntimeWarning)
                found, recovered, learned = _carried_out(cut, attacker, planned)
            left_out += [f"{said} warns: {each.message}" for each in warned[:1]]
        except LeftOutError as reason:
            left_out.append(f"{said}: {reason}")
            say(f"left out: {left_out[-1]}")
            continue
        except Exception as error:  # a user's module may do anything
            left_out.append(f"{said}: it failed with {first_line(error)}")
            say(f"left out: {left_out[-1]}")
            continue
        decoder = decoder or learned
        attacked.append(found)
        images[found.key] = recovered
        if min(found.ssim) >= SOLVED:  # whoever can run it needs no other
            waiting = [each for each in waiting if attacker.family not in CAN_RUN[each.family]]
    return (
        CutAudit(
            at=cut.target.split,
            key=key,
            feature_shape=list(cut.target.feature_shape),
            cost=cost,
            attacked=sorted(attacked, key=lambda each: list(ADVERSARIES).index(each.family)),
            left_out=left_out,
            seconds=round(watch.seconds, 3),
            noise=noise,
        ),
        images,
    )


def _carried_out(
    cut: Cut, attacker: Attacker, planned: Planned
) -> tuple[Attacked, Tensor, Decoded | None]:
    """Run an attack; what came of it, the images, and the decoder that it learned, if any."""
    attack, began = planned.attack, time.perf_counter()
    adversary = cut.adversary(planned.setting, planned.most)
    with deterministic():
        network = planned.network
        if network is None and isinstance(attack, LearnedAttack):
            network, _ = attack.train(adversary, seed=cut.seed)
        prepared = attack.prepare(adversary, seed=cut.seed, network=network)
        recovered = stored(prepared.reconstruct(cut.features()))
    found = _scored(
        cut,
        prepared.attack,
        recovered,
        family=attacker.family,
        setting=planned.setting,
        given=attacker.given(cut, planned),
        seconds=time.perf_counter() - began,
        queries=adversary.queries,
    )
    if network is None or type(attack) is not ResidualDecoder:
        return found, recovered, None
    return found, recovered, Decoded(network, asdict(attack), planned.setting, planned.most)


def floor_of(cut: Cut) -> Attacked:
    """What the mean of the held images scores: an answer that depends on no feature."""
    setting = "black_box_same_dist"
    answer = MeanImage().prepare(cut.adversary(setting)).reconstruct(cut.features())
    given = "nothing of what is sent; the mean of the images that it holds"
    return _scored(
        cut,
        MeanImage(),
        stored(answer),
        family="floor",
        setting=setting,
        given=given,
        seconds=0.0,
        queries=0,
    )


def _scored(
    cut: Cut,
    attack: Attack,
    recovered: Tensor,
    *,
    family: str,
    setting: str,
    given: str,
    seconds: float,
    queries: int,
) -> Attacked:
    secret, judge = cut.scored.pixels, cut.subject.judge
    return Attacked(
        family=family,
        setting=setting,
        attack=attack.name,
        title=attack.title,
        version=attack.version,
        given=given,
        fields=asdict(attack),
        seconds=round(seconds, 3),
        queries=queries,
        own=picks_its_own(secret, recovered),
        label=judge.reads(recovered, cut.scored.labels) if judge else None,
        **scores_of(secret, recovered),
    )
