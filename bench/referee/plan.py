"""Which attack runs on which scenario: the paper's tables, and whatever else is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from ...attacks import SETTINGS, get_attack, get_setting
from ...zoo import Defence, Published, UnknownNameError, get_network, networks, published
from ..paper import SWEEP, TABLES, columns
from ..scenarios import Scenario
from .runs import Run

#: What stands side by side on the page behind every layer of a network, as (setting, network,
#: attack), the strongest adversary first: the paper's (Figures 11 and 12), and ours.
SWEEPS = (
    ("white_box_same_dist", "lenet", "refined_descent"),
    ("white_box", "lenet", "refined_descent"),
    ("black_box_same_set", "lenet", "decoder"),
    ("query_free_same_set_same_net", "lenet", "shadow_decoder"),
    SWEEP,
    ("white_box_same_dist", "cifar_cnn", "refined_descent"),
    ("black_box_same_set", "cifar_cnn", "decoder"),
)


def paper_runs() -> list[Run]:
    """Every cell of Tables 3, 4, 6 and 8, with the attack that the paper ran there."""
    return [
        Run(Scenario(get_setting(table.setting), published(target)), table.attack)
        for table in TABLES
        for target in columns()
    ]


def sweep_runs(sweep: tuple[str, str, str] = SWEEP) -> list[Run]:
    """A sweep's cell behind each layer, in their order; those of Figures 11 and 12 unless told."""
    setting, network, attack = sweep
    return [
        Run(Scenario(get_setting(setting), Published(network, split)), attack)
        for split in get_network(network).splits
    ]


def planned_runs() -> list[Run]:
    """Everything that a full benchmark runs, each once."""
    return list(dict.fromkeys(paper_runs() + sweep_runs()))


def further_runs() -> list[Run]:
    """Runs beyond the paper with published networks; a copy of relu32's edge gained little."""
    targets = {
        "decoder": ("lenet/relu2", "cifar_cnn/relu22", "cifar_cnn/relu32"),
        "copied_descent": ("lenet/relu2", "cifar_cnn/relu22"),
    }
    settings = ("black_box_same_set", "black_box_same_dist", "black_box_rand_set")
    return [
        Run(Scenario(get_setting(setting), published(target)), attack)
        for attack, there in targets.items()
        for target in there
        for setting in settings
    ]


def all_runs(attacks: Iterable[str]) -> list[Run]:
    """These attacks on every split of every network, in every setting that allows them."""
    return [
        Run(Scenario(setting, Published(network.name, split)), attack)
        for attack in attacks
        for setting in SETTINGS.values()
        if not setting.missing(get_attack(attack).requires)
        for network in networks().values()
        for split in network.splits
    ]


def refused_runs(attacks: Iterable[str]) -> list[Run]:
    """These attacks on every split in the settings that do not allow them, for the refusal."""
    return [
        Run(Scenario(setting, Published(network.name, split)), attack)
        for attack in attacks
        for setting in SETTINGS.values()
        if setting.missing(get_attack(attack).requires)
        for network in networks().values()
        for split in network.splits
    ]


def chosen_runs(only: Sequence[str], attacks: Sequence[str] = ()) -> list[Run]:
    """The runs that a caller means by `--only` and `--attack`.

    Without either, the plan. Words choose from the plan, or, where nothing of it has them all,
    from every scenario there is, with the attacks that the paper ran in its setting. Named attacks
    run on the plan's scenarios that allow them, or on whatever scenario the words name.
    """
    plan = planned_runs()
    if not attacks:
        faithful = list(dict.fromkeys(run.attack for run in plan))
        beyond = [
            run
            for run in all_runs(faithful)
            if any((t.setting, t.attack) == (run.scenario.setting.name, run.attack) for t in TABLES)
        ]
        return select(only, plan, beyond)
    scenarios = dict.fromkeys(run.scenario for run in plan)
    on_plan = [
        Run(each, name)
        for name in attacks
        for each in scenarios
        if not each.setting.missing(get_attack(name).requires)
    ]
    return select(only, on_plan, all_runs(attacks), refused_runs(attacks))


def select(only: Sequence[str], *among: Sequence[Run]) -> list[Run]:
    """The runs of the first group that match, pattern by pattern; all of the first without one.

    A pattern is one or more words joined by "/", each a setting or its family, a network, a
    split or an attack, and a run matches if it has them all: "lenet", "query_free/cifar_cnn",
    "relu22/rmle". UnknownNameError names a word that is none of these, or a combination that
    nothing has.
    """
    if not only:
        return list(among[0])
    every = [each.words for group in among for each in group]
    words = set().union(*every)
    chosen: dict[Run, None] = {}
    for pattern in only:
        wanted = [word for word in pattern.split("/") if word]
        if unknown := [word for word in wanted if word not in words]:
            beside = [each for each in every if set(wanted) & words <= each] or every
            known = dict.fromkeys(word for each in beside for word in sorted(each))
            kind = "setting, network, split or attack"
            raise UnknownNameError(kind, unknown[0], known, "splitzoo list")
        for group in among:
            matching = [each for each in group if set(wanted) <= each.words]
            if matching and wanted:
                chosen.update(dict.fromkeys(matching))
                break
        else:
            cells = [each.key for each in among[0]]
            raise UnknownNameError("scenario", pattern, cells, "splitzoo list")
    order = [each for group in among for each in group if each in chosen]
    return list(dict.fromkeys(order))


def on_profile(
    runs: Iterable[Run],
    profile: str,
    *,
    seed: int = 0,
    defence: Defence | None = None,
    overrides: tuple[tuple[str, Any], ...] = (),
) -> list[Run]:
    """The runs on another profile's images, with a seed, a defence and chosen fields."""
    return [
        replace(
            run,
            scenario=replace(run.scenario.on(profile), defence=defence),
            seed=seed,
            overrides=overrides,
        )
        for run in runs
    ]
