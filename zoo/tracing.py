"""A module's graph, and cutting it behind a node (torch.fx)."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, fx, nn

#: What a functional call in place is replaced by, so that no half changes what it is given.
_PURE: dict[Any, Callable[..., Any]] = {
    operator.iadd: operator.add,
    operator.isub: operator.sub,
    operator.imul: operator.mul,
    operator.itruediv: operator.truediv,
}
#: Two numbers of images: what differs between them depends on the batch.
_BATCHES = (2, 3)


class NotSizeError(ValueError):
    """A number that crosses the cut is no size that the cloud could read from the features."""


class Traced:
    """The graph of a module that maps one batch of images to an output.

    Raises whatever tracing or running the module raises; ValueError for a graph without output.
    """

    def __init__(self, module: nn.Module, example: Tensor) -> None:
        tracer = _Tracer()
        self.graph = tracer.trace(module)
        self.module = fx.GraphModule(module, self.graph)
        self.paths = tracer.returned
        self.values = [_run(self.module, _batch(example, count)) for count in _BATCHES]
        (self.images,) = (node for node in self.graph.nodes if node.op == "placeholder")
        (self.output,) = (node for node in self.graph.nodes if node.op == "output")
        self.data = self._data()

    def _data(self) -> set[fx.Node]:
        """Nodes whose value holds a tensor that depends on the images' pixels.

        Sizes do not, nor parameters, nor what is made of these alone, such as a class token that
        is repeated for each image.
        """
        found = {self.images}
        for node in self.graph.nodes:
            depends = any(each in found for each in node.all_input_nodes)
            if depends and _holds_tensor(self.values[0].get(node)):
                found.add(node)
        return found

    def node(self, name: str) -> fx.Node | None:
        """The node that a submodule's path stands for, its last call's answer, or a node's name."""
        if name in self.paths:
            return self.paths[name]
        return next((node for node in self.graph.nodes if _plain(node) == name), None)

    def name(self, node: fx.Node) -> str:
        """What to call a node: the outermost submodule that returned it, or its own name."""
        paths = [path for path, each in self.paths.items() if each is node]
        return min(paths, key=len, default=_plain(node))

    def crossing(self, cut: fx.Node) -> list[fx.Node]:
        """What else than the cut's value would have to cross to the cloud; in order."""
        return self._cloud(cut)[1]

    def separators(self) -> Iterator[str]:
        """Names of the nodes whose value alone separates the graph, in order."""
        for node in self.graph.nodes:
            inner = node in self.data and node not in (self.images, self.output)
            if inner and self.is_batch(node) and not self.crossing(node):
                yield self.name(node)

    def is_batch(self, node: fx.Node) -> bool:
        """Whether a node answers one floating-point tensor N×…."""
        found = [values[node] for values in self.values]
        return all(
            isinstance(value, Tensor) and value.is_floating_point() and value.shape[:1] == (count,)
            for value, count in zip(found, _BATCHES, strict=True)
        )

    def _cloud(self, cut: fx.Node) -> tuple[set[fx.Node], list[fx.Node]]:
        """Nodes to be computed behind the cut, and those before it that they would need."""
        edge = _with_ancestors(cut)
        inside, crossing, waiting = set[fx.Node](), set[fx.Node](), [self.output]
        while waiting:
            node = waiting.pop()
            if node in inside:
                continue
            inside.add(node)
            for each in node.all_input_nodes:
                if each is cut or self._is_size(each):
                    continue
                if each in self.data and each in edge:
                    crossing.add(each)
                else:
                    waiting.append(each)
        return inside, [node for node in self.graph.nodes if node in crossing]

    def _is_size(self, node: fx.Node) -> bool:
        return node.op != "get_attr" and not _holds_tensor(self.values[0].get(node))

    def halves(self, cut: fx.Node) -> tuple[nn.Module, nn.Module]:
        """Edge and cloud of a cut that nothing crosses. NotSizeError as the class says."""
        edge, wanted = fx.Graph(), _with_ancestors(cut)
        copies: dict[fx.Node, fx.Node] = {}
        for node in self.graph.nodes:
            if node in wanted:
                copies[node] = _pure(edge.node_copy(node, copies.__getitem__))
        edge.output(copies[cut])

        cloud, (inside, _) = fx.Graph(), self._cloud(cut)
        features = cloud.placeholder("features")
        known: dict[fx.Node, Any] = {cut: features}

        def here(node: fx.Node) -> Any:
            if node not in known:
                known[node] = self._read(cloud, features, node)
            return known[node]

        for node in self.graph.nodes:
            if node in inside and node is not self.output:
                known[node] = _pure(_copied(cloud, node, here))
        cloud.output(fx.map_arg(self.output.args[0], here))
        return fx.GraphModule(self.module, edge), fx.GraphModule(self.module, cloud)

    def _read(self, cloud: fx.Graph, features: fx.Node, node: fx.Node) -> Any:
        """A size of the edge's, as the cloud reads it: a constant, or from the features' batch."""
        pair = [values[node] for values in self.values]
        return _expression(cloud, features, pair[0], pair[1])


class _Tracer(fx.Tracer):
    """Remembers which node each submodule returned last."""

    def __init__(self) -> None:
        super().__init__()
        self.returned: dict[str, fx.Node] = {}

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        answer = super().call_module(m, forward, args, kwargs)
        if isinstance(answer, fx.Proxy):
            _, _, path = self.path_of_module(m).partition(".")  # within the module that is cut
            if path:
                self.returned[path] = answer.node
        return answer


def _plain(node: fx.Node) -> str:
    """A node's name, without that of what the module is wrapped in."""
    return node.name.removeprefix("module_")


def _run(module: fx.GraphModule, images: Tensor) -> dict[fx.Node, Any]:
    """The value of every node for these images."""
    values: dict[fx.Node, Any] = {}

    class Keeping(fx.Interpreter):
        def run_node(self, n: fx.Node) -> Any:
            value = super().run_node(n)
            values[n] = value
            return value

    with torch.no_grad():
        Keeping(module, garbage_collect_values=False).run(images)
    return values


def _batch(example: Tensor, count: int) -> Tensor:
    return example[torch.arange(count) % len(example)]


def _holds_tensor(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(_holds_tensor(each) for each in value)
    if isinstance(value, dict):
        return any(_holds_tensor(each) for each in value.values())
    return isinstance(value, Tensor)


def _with_ancestors(node: fx.Node) -> set[fx.Node]:
    found, waiting = set[fx.Node](), [node]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting += each.all_input_nodes
    return found


def _copied(graph: fx.Graph, node: fx.Node, here: Callable[[fx.Node], Any]) -> fx.Node:
    """A copy of a node in another graph, where an argument may have become a plain value."""
    args, kwargs = fx.map_arg(node.args, here), fx.map_arg(node.kwargs, here)
    return graph.create_node(node.op, node.target, args, kwargs, node.name)


def _pure(node: fx.Node) -> fx.Node:
    """The node, changed so that it does not write into what it is given."""
    if node.op == "call_function":
        node.target = _PURE.get(node.target, node.target)
        if node.kwargs.get("inplace"):
            node.kwargs = {**node.kwargs, "inplace": False}
    elif node.op == "call_method":
        name = str(node.target)
        if name.endswith("_") and not name.endswith("__") and hasattr(Tensor, name[:-1]):
            node.target = name[:-1]
    return node


def _expression(graph: fx.Graph, features: fx.Node, two: Any, three: Any) -> Any:
    """A value that was `two` for two images and `three` for three, for any number of them."""
    if isinstance(two, list | tuple):  # a torch.Size among them
        pairs = zip(two, three, strict=True)
        return tuple(_expression(graph, features, *pair) for pair in pairs)
    if isinstance(two, torch.device):
        return graph.call_function(getattr, (features, "device"))
    if isinstance(two, int) and isinstance(three, int) and two != three:
        each = three - two
        count = graph.call_method("size", (features, 0))
        product = graph.call_function(operator.mul, (count, each))
        return graph.call_function(operator.add, (product, two - _BATCHES[0] * each))
    if two != three:
        raise NotSizeError(f"{two!r} for {_BATCHES[0]} images, {three!r} for {_BATCHES[1]}")
    return two
