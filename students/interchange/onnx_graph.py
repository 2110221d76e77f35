"""A network file as a module: its graph, run node by node in torch operations."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.interchange.batch_axis import batch_axis, placed, without
from students.interchange.graph import Graph, Node, Run, UnsupportedVariant
from students.interchange.onnx_file import check_file, read_graph
from students.interchange.operators import builder_of
from students.interchange.rewrite import with_biases
from students.interchange.rewrite_quantised import with_quantisers


class OnnxNode(nn.Module):
    """One node of a graph without weights of its own; what it does is counted under its name.

    Parameters
    ----------
    run : callable
    """

    names_layers = True

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run

    def forward(self, *inputs: Tensor | None) -> Any:
        """Return the node's outputs."""
        return self.run(*inputs)


class OnnxGraph(nn.Module):
    """A graph whose stored tensors are its parameters and buffers, under their names in the file.

    Parameters
    ----------
    graph : Graph

    Raises
    ------
    StudentError
        Nodes that cannot be run, all of them by name.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        modules = _built(graph)
        self.graph = replace(graph, constants={}, nodes=tuple(_bare(node, modules[node.name]) for node in graph.nodes))
        # All attributes come before the file's names, which then take free ones.
        self._reads = Counter(name for node in self.graph.nodes for name in node.inputs)
        self._axes = tuple(batch_axis(graph, port.name) for port in graph.inputs)
        self._modules_of: dict[str, nn.Module] = {}
        self._stored: dict[str, tuple[nn.Module, str]] = {}
        self._modules_of = {name: _attached(self, name, module) for name, module in modules.items()}
        wanted = {name for node in self.graph.nodes for name in node.inputs} | set(graph.outputs)
        self._stored = {
            name: _stored(self, name, tensor) for name, tensor in graph.constants.items() if name in wanted
        }

    @property
    def input_axes(self) -> tuple[int | None, ...]:
        """Shape of one example; None where the file leaves an axis open."""
        return without(self.graph.inputs[0].axes, self._axes[0])

    def forward(self, *signals: Tensor) -> Any:
        """Return the graph's output, or a tuple of them.

        Parameters
        ----------
        signals : Tensor, shape (examples, ...)
            One for each input; axes of size one that the file has may be left out.
        """
        if len(signals) != len(self.graph.inputs):
            raise StudentError(
                f"{len(signals)} inputs for a network of {len(self.graph.inputs)}", where=self.graph.source,
                remedy="Give: " + ", ".join(port.name for port in self.graph.inputs),
            )
        ready = [
            placed(one, port, axis, self.graph.source)
            for one, port, axis in zip(signals, self.graph.inputs, self._axes, strict=True)
        ]
        group, examples = self.group, ready[0].shape[self._axes[0]] if ready[0].dim() else 1
        if group is None or group == examples:
            outputs = self._once(ready)
            return outputs[0] if len(outputs) == 1 else tuple(outputs)
        if examples % group:
            raise StudentError(
                f"{examples} examples, where the file was exported for {group} at a time", where=self.graph.source,
                remedy=f"Give a multiple of {group} (--decodes {group}), or export the network for one or any number",
            )
        # Exported for so many examples at a time, so that is how a batch of them runs.
        split = [one.split(group, axis) for one, axis in zip(ready, self._axes, strict=True)]
        parts = [self._once(list(examples)) for examples in zip(*split, strict=True)]
        joined = [torch.cat(pieces, self._joins(pieces[0], group)) for pieces in zip(*parts, strict=True)]
        return joined[0] if len(joined) == 1 else tuple(joined)

    @property
    def group(self) -> int | None:
        """Return the number of examples that the file was exported for; None where it takes any."""
        first = self.graph.inputs[0]
        return first.axes[self._axes[0]] if first.axes else None

    def _joins(self, output: Tensor, group: int) -> int:
        """Return the axis of an output along which groups of examples are joined."""
        axis = self._axes[0]
        return axis if output.dim() > axis and output.shape[0] != group == output.shape[axis] else 0

    def _once(self, signals: list[Tensor]) -> list[Tensor]:
        values: dict[str, Any] = {port.name: signal for port, signal in zip(self.graph.inputs, signals, strict=True)}
        left = Counter(self._reads)
        for node in self.graph.nodes:
            inputs = [self._value(values, name) for name in node.inputs]
            result = self._modules_of[node.name](*inputs)
            outputs = result if isinstance(result, tuple | list) else (result,)
            values.update((name, tensor) for name, tensor in zip(node.outputs, outputs, strict=False) if name)
            for name in node.inputs:
                left[name] -= 1
                if not left[name] and name not in self.graph.outputs:
                    values.pop(name, None)
        return [self._value(values, name) for name in self.graph.outputs]

    def _value(self, values: dict[str, Any], name: str) -> Any:
        if not name:
            return None
        if name in self._stored:
            owner, attribute = self._stored[name]
            return getattr(owner, attribute)
        return values[name]


def read_onnx(path: Path) -> OnnxGraph:
    """Return the network of an ONNX or QONNX file, in evaluation mode.

    Raises
    ------
    StudentError
        A file that cannot be read, operators that cannot be run (all of them at once), several inputs.
    """
    graph = with_biases(with_quantisers(read_graph(path)))
    if len(graph.inputs) != 1:
        names = ", ".join(f"{port.name} {port.axes}" for port in graph.inputs) or "none"
        raise StudentError(
            f"a network of one input can be read; its inputs: {names}", where=graph.source,
            remedy="Export a network that takes one signal; states start inside it",
        )
    _refuse_unknown(graph)
    check_file(path)
    return OnnxGraph(graph).eval()


def _refuse_unknown(graph: Graph) -> None:
    unknown = [(node, "not implemented") for node in graph.nodes if builder_of(node) is None]
    if unknown:
        raise _cannot(graph, unknown)


def _cannot(graph: Graph, nodes: list[tuple[Node, str]]) -> StudentError:
    listed = "; ".join(
        f"{node.name} ({node.domain + '.' if node.domain else ''}{node.operator}: {why})" for node, why in nodes
    )
    return StudentError(
        f"{len(nodes)} of {len(graph.nodes)} nodes cannot be run: {listed}", where=graph.source,
        remedy="Export the network without them; docs/files.md lists what can be run",
    )


def _built(graph: Graph) -> dict[str, nn.Module]:
    """Return a module for every node, or raise with all that have none."""
    modules: dict[str, nn.Module] = {}
    problems: list[tuple[Node, str]] = []
    for node in graph.nodes:
        builder = builder_of(node)
        try:
            if builder is None:
                raise UnsupportedVariant("not implemented")
            run = builder(node)
            modules[node.name] = run if isinstance(run, nn.Module) else OnnxNode(run)
        except UnsupportedVariant as why:
            problems.append((node, str(why)))
    if problems:
        raise _cannot(graph, problems)
    return modules


def _bare(node: Node, module: nn.Module) -> Node:
    """Return a node without the file's tensors, and without the inputs that its module stores itself."""
    stores = getattr(module, "stores", frozenset())
    inputs = tuple("" if place in stores else name for place, name in enumerate(node.inputs))
    kept = {name: value for name, value in node.attributes.items() if not isinstance(value, Tensor)}
    return replace(node, constants={}, inputs=inputs, attributes=kept)


def _place(root: nn.Module, name: str) -> tuple[nn.Module, str]:
    """Return the submodule and the free attribute for a dotted name, so that its path in the module is the name."""
    *folders, last = [part or "_" for part in name.split(".")] or ["_"]
    owner = root
    for folder in folders:
        if owner._modules.get(folder) is None:
            free = _free(owner, folder)
            owner.add_module(free, nn.Module())
            owner = owner.get_submodule(free)
        else:
            owner = owner.get_submodule(folder)
    return owner, _free(owner, last)


def _free(owner: nn.Module, name: str) -> str:
    while hasattr(owner, name):
        name += "_"
    return name


def _attached(root: nn.Module, name: str, module: nn.Module) -> nn.Module:
    owner, last = _place(root, name)
    owner.add_module(last, module)
    return module


def _stored(root: nn.Module, name: str, tensor: Tensor) -> tuple[nn.Module, str]:
    owner, last = _place(root, name)
    if tensor.is_floating_point():
        owner.register_parameter(last, nn.Parameter(tensor, requires_grad=False))
    else:
        owner.register_buffer(last, tensor)
    return owner, last
