"""Cutting a module in the graph that torch.fx traces: each half holds only what it runs."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from .errors import InputError
from .whole import Whole, first_line, instead, repeated, unfit, writes_in_place


class _Tracer(fx.Tracer):
    """Records the node that each submodule gave last, and how many nodes there were by then.

    Submodules that are traced through are recorded too.
    """

    proxy_buffer_attributes = True

    def __init__(self) -> None:
        super().__init__()
        self.returned: dict[str, tuple[fx.Node | None, int]] = {}

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        output = super().call_module(m, forward, args, kwargs)
        node = output.node if isinstance(output, fx.Proxy) else None
        self.returned[self.path_of_module(m)] = node, len(self.graph.nodes)
        return output

    def create_args_for_root(
        self, root_fn: Any, is_module: bool, concrete_args: Any = None
    ) -> tuple[Any, list[Any]]:
        """One input, the images, whatever else `forward` takes with a default."""
        return root_fn, [self.root, self.create_proxy("placeholder", "input", (), {})]


class _Recorder(fx.Interpreter):
    """Keeps the value of each node, tensors as their shape and type."""

    def __init__(self, root: nn.Module, graph: fx.Graph) -> None:
        super().__init__(root, graph=graph)
        self.values: dict[fx.Node, Any] = {}

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        self.values[n] = fx.node.map_aggregate(value, _shadow)
        return value


def _shadow(value: Any) -> Any:
    return value.to("meta") if isinstance(value, Tensor) else value


@dataclass(frozen=True)
class Graph:
    """A traced module: its nodes, and which of them each submodule gave last.

    `seen` maps a number of images to the nodes' values on as many, tensors without contents.
    `data` are the nodes that depend on the pixels, beyond the number and size of the images.
    """

    root: nn.Module
    nodes: list[fx.Node]
    returned: dict[str, fx.Node | None]
    seen: dict[int, dict[fx.Node, Any]]
    data: set[fx.Node]
    ancestors: dict[fx.Node, set[fx.Node]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for node in self.nodes:
            before = node.all_input_nodes
            self.ancestors[node] = set(before).union(*(self.ancestors[each] for each in before))

    def has(self, at: str) -> bool:
        return at in self.returned or any(node.name == at for node in self.nodes[1:-1])

    def label(self, node: fx.Node) -> str | None:
        """The name under which `cut` finds a node; None for one that a submodule's name hides."""
        paths = [path for path, last in self.returned.items() if last is node]
        if paths:
            return min(paths, key=lambda path: path.count("."))
        return None if node.name in self.returned else node.name

    def separating(self) -> list[str]:
        """The names of all places behind which the module can be cut, in order."""
        ending = [node for node in self._bottlenecks() if not self.hindrance(node)]
        return [name for name in map(self.label, ending) if name is not None]

    def _bottlenecks(self) -> list[fx.Node]:
        """The nodes over which no pixels pass from an earlier to a later one."""
        place = {node: place for place, node in enumerate(self.nodes)}
        reaching, last_use, found = {self.nodes[-1]}, dict[fx.Node, int](), []
        for node in reversed(self.nodes):
            uses = [place[user] for user in node.users if user in reaching]
            if uses and node in self.data:
                reaching.add(node)
                last_use[node] = max(uses)
        furthest = 0
        for node in filter(last_use.__contains__, self.nodes):
            if furthest <= place[node]:
                found.append(node)
            furthest = max(furthest, last_use[node])
        return found

    def hindrance(self, at: fx.Node) -> str | None:
        """Why the module cannot be cut behind a node, or None where it can."""
        if at is self.nodes[0]:
            return "it gives the images themselves"
        if at not in self.data:
            return "its value does not depend on the pixels"
        for count, values in self.seen.items():
            fault = unfit(values[at], count)
            if fault:
                return fault
        available = self.available(at)
        if self.nodes[-1] in available:
            return None
        names = [self._crossing_name(node) for node in self._crossing(at, available)]
        return f"{' and '.join(names)} would cross the cut beside it"

    def available(self, at: fx.Node) -> dict[fx.Node, bool]:
        """What the cloud can have from the features at a node: True to compute, False a size."""
        found: dict[fx.Node, bool] = {}
        for node in self.nodes:
            if node is at or node.op == "get_attr":
                found[node] = True
            elif node.op == "placeholder":
                continue
            elif all(each in found for each in node.all_input_nodes):
                found[node] = True
            elif node not in self.data and _is_size(self._seen(node)):
                found[node] = False
        return found

    def _seen(self, node: fx.Node) -> dict[int, Any]:
        return {count: values[node] for count, values in self.seen.items()}

    def _crossing(self, at: fx.Node, available: Iterable[fx.Node]) -> list[fx.Node]:
        """The nodes of the edge, in order, that the cloud would need besides the features."""
        edge = {self.nodes[0], *self.ancestors[at]}
        queue, seen = [self.nodes[-1]], set()
        while queue:
            for node in queue.pop().all_input_nodes:
                if node not in seen and node not in available:
                    seen.add(node)
                    if node not in edge and node in self.data:
                        queue.append(node)
        passed = self.data - edge
        return [node for node in self.nodes if node in seen and node not in passed]

    def _crossing_name(self, node: fx.Node) -> str:
        if node is self.nodes[0]:
            return "the images"
        return f"node {node.name}" if (name := self.label(node)) is None else repr(name)

    def halves(self, at: str) -> tuple[nn.Module, nn.Module]:
        """Edge and cloud at a name of the graph; raises InputError where it does not separate."""
        node = self.returned[at] if at in self.returned else self._named(at)
        if node is None:
            hindrance: str | None = "it does not give one tensor"
        else:
            hindrance = self.hindrance(node)
        if node is None or hindrance:
            raise InputError(f"cannot cut at {at!r}: {hindrance}; {instead(self.separating())}")
        return self._half(self._edge(node)), self._half(self._cloud(node))

    def _named(self, name: str) -> fx.Node:
        return next(node for node in self.nodes if node.name == name)

    def _half(self, graph: fx.Graph) -> nn.Module:
        return deepcopy(fx.GraphModule(self.root, graph)).eval()

    def _edge(self, at: fx.Node) -> fx.Graph:
        """What the features need, and the module's own checks on the way."""
        kept = {self.nodes[0], at, *self.ancestors[at]}
        for node in self.nodes:
            if node.target is torch._assert and self.ancestors[node] & self.data <= kept:
                kept |= {node, *self.ancestors[node]}
        graph = fx.Graph(tracer_cls=_Tracer)
        copies: dict[fx.Node, fx.Node] = {}
        for node in self.nodes:
            if node in kept:
                copies[node] = graph.node_copy(node, copies.__getitem__)
        graph.output(copies[at])
        return graph

    def _cloud(self, at: fx.Node) -> fx.Graph:
        """What the outputs need behind the features; sizes from before are computed anew."""
        available = self.available(at)
        queue, needed = [self.nodes[-1]], {self.nodes[-1]}
        while queue:
            node = queue.pop()
            if node is not at and available[node]:
                queue += [each for each in node.all_input_nodes if each not in needed]
                needed.update(node.all_input_nodes)
        graph = fx.Graph(tracer_cls=_Tracer)
        features = graph.placeholder("input")
        copies: dict[fx.Node, Any] = {at: features}
        for node in self.nodes:
            if node not in needed or node is at:
                continue
            if available[node]:
                copies[node] = graph.node_copy(node, copies.__getitem__)
            else:
                copies[node] = _size_of(features, self._seen(node))
        return graph


def traced(whole: Whole) -> Graph | str:
    """The module's graph, or why there is none that gives what the module gives."""
    root = whole.copy()
    tracer = _Tracer()
    try:
        graph = tracer.trace(root)
        _without_views(graph)
        written = {name for name, m in whole.module.named_modules() if writes_in_place(m)}
        returned = _last_returned(tracer, _without_in_place(graph, written))
        larger = whole.batches[1]
        fewer = repeated(whole.batches[0], 3 if len(larger) == 4 else 2)
        seen, found = {}, None
        for images in (fewer, larger):
            recorder = _Recorder(root, graph)
            found = recorder.run(images.clone())
            seen[len(images)] = recorder.values
    except Exception as error:
        whole.check_settled()
        return f"torch.fx cannot trace it: {first_line(error)}"
    if not isinstance(found, Tensor) or not torch.equal(found, whole.outputs[1]):
        whole.check_settled()
        return "its trace by torch.fx does not give what it gives"
    order = {node: place for place, node in enumerate(graph.nodes)}
    last = len(order)
    ordered = sorted(returned, key=lambda path: order.get(cast(fx.Node, returned[path]), last))
    returned = {path: returned[path] for path in ordered}
    return Graph(root, list(order), returned, seen, _pixels(graph))


#: What asks a tensor for its size and kind only, and never for its contents.
_ASKS = frozenset({"size", "dim", "numel", "stride", "shape", "ndim", "device", "dtype"})


def _pixels(graph: fx.Graph) -> set[fx.Node]:
    """The nodes whose value depends on the contents of the images."""
    found: set[fx.Node] = set()
    for node in graph.nodes:
        asked = node.args[1] if node.target is getattr else node.target
        if node.op == "placeholder" or (
            node.target is not torch._assert
            and not (node.op in ("call_method", "call_function") and asked in _ASKS)
            and not found.isdisjoint(node.all_input_nodes)
        ):
            found.add(node)
    return found


def _is_size(seen: dict[int, Any]) -> bool:
    """Whether a value is a constant or linear in the number of images, from two examples."""
    (few, low), (many, high) = seen.items()
    if isinstance(low, tuple) and isinstance(high, tuple):
        pairs = zip(low, high, strict=False)
        return len(low) == len(high) and all(_is_size({few: a, many: b}) for a, b in pairs)
    if type(low) is int and type(high) is int:
        return (high - low) % (many - few) == 0
    plain = (bool, float, str, torch.dtype, torch.device, type(None))
    return isinstance(low, plain) and type(low) is type(high) and low == high


def _size_of(features: fx.Node, seen: dict[int, Any]) -> Any:
    """A size as a constant, or as an expression linear in the features' batch size."""
    (few, low), (many, high) = seen.items()
    if isinstance(low, tuple):
        return tuple(_size_of(features, {few: a, many: b}) for a, b in zip(low, high, strict=True))
    graph = features.graph
    if isinstance(low, torch.device):
        return graph.call_function(getattr, (features, "device"))
    if low == high:
        return low
    slope = (high - low) // (many - few)
    size = graph.call_method("size", (features, 0))
    scaled = size if slope == 1 else graph.call_function(operator.mul, (size, slope))
    rest = low - few * slope
    return graph.call_function(operator.add, (scaled, rest)) if rest else scaled


def _without_views(graph: fx.Graph) -> None:
    """Let views of another shape be copies where they must: no half then minds in which order what
    it is given, or its weights, lie in memory."""
    for node in graph.nodes:
        kinds = [*node.args[1:], *node.kwargs.values()]
        reads_anew = any(isinstance(each, torch.dtype) for each in kinds)
        if node.op == "call_method" and node.target == "view" and not reads_anew:
            node.target = "reshape"


def _without_in_place(graph: fx.Graph, written: set[str]) -> list[tuple[int, fx.Node, fx.Node]]:
    """Replace operations that write into their first argument by those that do not.

    What read that argument afterwards reads the result instead, as it did through memory; the
    submodules named in `written` have been changed already. Returns (place, argument, result).
    """
    replaced = []
    order = {node: place for place, node in enumerate(graph.nodes)}
    for node, place in order.items():
        if not _writes(node) and (node.op != "call_module" or node.target not in written):
            continue
        argument = node.all_input_nodes[0]
        replaced.append((place, argument, node))
        for user in list(argument.users):
            if order.get(user, 0) > place:
                user.replace_input_with(argument, node)
        if node.kwargs.get("inplace") is True:
            node.kwargs = {**node.kwargs, "inplace": False}
        elif _pure(node) is not None:
            node.target = _pure(node)
        elif node.op != "call_module":
            with graph.inserting_before(node):
                own = graph.call_method("clone", (argument,))
            node.replace_input_with(argument, own)
    return replaced


def _last_returned(
    tracer: _Tracer, replaced: list[tuple[int, fx.Node, fx.Node]]
) -> dict[str, fx.Node | None]:
    """The node that each submodule gave, after what it wrote in place before it returned."""
    found = {}
    for path, (node, until) in tracer.returned.items():
        for place, argument, result in replaced:
            if node is argument and place < until:
                node = result
        found[path] = node
    return found


def _writes(node: fx.Node) -> bool:
    """Whether a function or method writes into its first argument, by its name or its flag."""
    if node.op not in ("call_method", "call_function") or not node.all_input_nodes:
        return False
    name = _called(node)
    in_place = name.endswith("_") and not name.endswith("__") and not _is_operator(node)
    return in_place or node.kwargs.get("inplace") is True or _pure(node) is not None


def _pure(node: fx.Node) -> Any:
    """The operation that gives what an in-place one gives, or None where there is none."""
    name = _called(node)
    if _is_operator(node):
        pure = name[1:] if name.startswith("i") else ""
        return getattr(operator, pure, None) or getattr(operator, f"{pure}_", None)
    if not name.endswith("_") or name.endswith("__"):
        return None
    if node.op == "call_method":
        return name[:-1] if callable(getattr(Tensor, name[:-1], None)) else None
    return getattr(F, name[:-1], None) or getattr(torch, name[:-1], None)


def _called(node: fx.Node) -> str:
    return str(getattr(node.target, "__name__", node.target))


def _is_operator(node: fx.Node) -> bool:
    return getattr(node.target, "__module__", None) == operator.iadd.__module__
