"""Cut any PyTorch module in two: an edge, images -> features, and a cloud, features -> outputs.

A module that torch.fx can trace is cut in its graph, so that each half holds only what it runs.
Any other is cut by hooks: the edge holds the whole module and stops it at the cut, and the cloud
runs it on blank images, without the weights that only the edge uses, with the features put in at
the cut. Either way the halves are returned only after they gave, bit for bit, what the whole gives.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .errors import InputError, UnknownNameError
from .hooking import calls_of, hooked, hooked_fault, without_the_edge
from .tracing import Graph, traced
from .whole import Whole, instead, whole_of


@dataclass(frozen=True)
class Cut:
    """A module in two halves, both in eval mode and independent of the caller's module.

    Attributes:
        edge: images N×... -> features, one floating-point tensor N×...
        cloud: features -> outputs; `cloud(edge(x))` is the whole's output, bit for bit.
        at: the submodule or graph node whose output the features are.
        how: "graph" or "hooks". The cloud holds the weights that it uses and no others; an edge
            that was cut by hooks holds the whole module.
    """

    edge: nn.Module
    cloud: nn.Module
    at: str
    how: str


@torch.no_grad()
def cut(module: nn.Module, at: str, example: Tensor) -> Cut:
    """Cut a module behind `at`, a submodule's path ("layer2.0") or a graph node ("add_3").

    A submodule that runs several times is cut at its last call, and hides a node of its name.
    `example` is a batch of images N×... that the module accepts; any N must do, since other
    batch sizes are tried. The module itself is left as it is. Raises UnknownNameError for a
    name that the module lacks, and InputError where the example does not fit, the module is not
    deterministic, or more than one tensor would cross the cut.
    """
    whole = whole_of(module, example)
    graph = traced(whole)
    if isinstance(graph, Graph) and graph.has(at):
        edge, cloud = graph.halves(at)
        fault = whole.fault(edge, cloud)
        if fault is None:
            return Cut(edge, cloud, at, "graph")
        if at not in whole.submodules():
            raise InputError(f"cannot cut at {at!r}: {fault}; {instead(graph.separating())}")
    if at not in whole.submodules():
        known = [] if isinstance(graph, str) else graph.separating()
        known = list(dict.fromkeys([*whole.submodules(), *known]))
        raise UnknownNameError(f"place to cut {type(module).__name__}", at, known)
    copy = whole.copy()
    edge, cloud = hooked(whole, copy, at, calls_of(whole, copy).get(at, 0))
    fault = hooked_fault(whole, edge, cloud)
    if fault is None:
        cloud = without_the_edge(whole, edge, cloud)
        fault = whole.fault(edge, cloud)
    if fault is None:
        return Cut(edge, cloud, at, "hooks")
    why = f" (cut by hooks, since {graph})" if isinstance(graph, str) else ""
    raise InputError(f"cannot cut at {at!r}: {fault}{why}; {instead(_separating(whole, graph))}")


@torch.no_grad()
def places(module: nn.Module, example: Tensor) -> list[str]:
    """The names at which `cut` can cut the module, in the order in which they are computed.

    Each is a submodule's path (the outermost that ends there) or else a graph node's name; where
    the module cannot be traced, only submodules. Raises InputError as `cut` does.
    """
    whole = whole_of(module, example)
    return _separating(whole, traced(whole))


def _separating(whole: Whole, graph: Graph | str) -> list[str]:
    if isinstance(graph, Graph):
        return graph.separating()
    copy = whole.copy()
    places = [(at, *hooked(whole, copy, at, call)) for at, call in calls_of(whole, copy).items()]
    return [at for at, edge, cloud in places if hooked_fault(whole, edge, cloud) is None]
