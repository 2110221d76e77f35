"""A network file as a module: its graph, run node by node in torch operations."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.interchange.batch_axis import axis_of, batch_axis, placed, without
from students.interchange.graph import Graph, Node, Run, UnsupportedVariant
from students.interchange.onnx_file import check_file, read_graph
from students.interchange.operators import builder_of
from students.interchange.rewrite import with_biases
from students.interchange.rewrite_integer import with_float_products
from students.interchange.rewrite_quantised import with_quantisers
from students.interchange.shape_only import with_weights

UNBUILDABLE = (
    ArithmeticError, AssertionError, AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError,
)  # fmt: skip
"""What building raises on nodes whose inputs, attributes or stored shapes no checker knows: those of QONNX."""

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
        first = batch_axis(graph)
        group = graph.inputs[0].axes[first] if graph.inputs[0].axes else None
        self.group = group  # examples in one call that the file was exported for; None: any number
        self._axes = (first, *(axis_of(port, group) for port in graph.inputs[1:]))
        self._result_axes = tuple(axis_of(port, group) for port in graph.results)
        self._modules_of: dict[str, nn.Module] = {}
        attached: set[int] = set()
        self._stored: dict[str, tuple[nn.Module, str]] = {}
        for node in graph.nodes:
            if id(modules[node.name]) not in attached:
                _attach(self, node.layer or node.name, modules[node.name])
            attached.add(id(modules[node.name]))
        self._modules_of = modules
        wanted = {name for node in self.graph.nodes for name in node.inputs} | set(graph.outputs)
        self._stored = {
            name: _stored(self, name, tensor) for name, tensor in graph.constants.items() if name in wanted
        }

    @property
    def input_axes(self) -> tuple[int | None, ...]:
        """Shape of one example; None where the file leaves an axis open."""
        return without(self.graph.inputs[0].axes, self._axes[0])

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return tuple(port.name for port in self.graph.inputs)

    def shape_of(self, name: str) -> tuple[int | None, ...]:
        """Return the shape of one example of an input; None where the file leaves an axis open."""
        place = self.signals.index(name)
        return without(self.graph.inputs[place].axes, self._axes[place])

    def forward(self, *signals: Tensor, **named: Tensor) -> Any:
        """Return the graph's output, or a tuple of them, examples on the first axis.

        Parameters
        ----------
        signals, named : Tensor, shape (examples, ...)
            One for each input, in order or by name; axes of size one that the file has may be left out.
        """
        given = dict(zip(self.signals, signals, strict=False)) | named
        if len(signals) + len(named) != len(self.signals) or set(given) != set(self.signals):
            raise StudentError(
                f"{len(signals) + len(named)} inputs for a network of {len(self.signals)}", where=self.graph.source,
                remedy="Give: " + ", ".join(f"{port.name} {port.axes}" for port in self.graph.inputs),
            )
        ready = [
            placed(given[port.name], port, axis, self.graph.source)
            for port, axis in zip(self.graph.inputs, self._axes, strict=True)
        ]
        outputs = self._in_groups(ready)
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def _in_groups(self, ready: list[Tensor]) -> list[Tensor]:
        """Return the outputs for signals as the graph has them, run for as many examples at a time as it can take."""
        group, examples = self.group, ready[0].shape[self._axes[0]] if ready[0].dim() else 1
        places = [*self._result_axes, *[0] * len(self.graph.outputs)]
        if group is None or group == examples:
            parts = [self._once(ready)]
        elif examples % group:
            raise StudentError(
                f"{examples} examples, where the file was exported for {group} at a time", where=self.graph.source,
                remedy=f"Give a multiple of {group} (--decodes {group}), or export the network for one or any number",
            )
        else:
            split = [one.split(group, axis) for one, axis in zip(ready, self._axes, strict=True)]
            parts = [self._once(list(some)) for some in zip(*split, strict=True)]
        moved = [[_first(one, axis) for one, axis in zip(part, places, strict=False)] for part in parts]
        return moved[0] if len(moved) == 1 else [torch.cat(pieces) for pieces in zip(*moved, strict=True)]

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
        A file that cannot be read, operators that cannot be run (all of them at once), no input.
    """
    plain = with_weights(read_graph(path))
    if not plain.inputs:
        raise StudentError("it has no input", where=plain.source, remedy="Export a network that takes a signal")
    check_file(path)
    return network_of(plain)


def network_of(plain: Graph) -> OnnxGraph:
    """Return a graph as it was read as a network, in evaluation mode.

    Raises
    ------
    StudentError
        Operators that cannot be run, all of them at once.
    """
    try:
        graph = with_biases(with_quantisers(with_float_products(plain)))
        _refuse_unknown(graph)
        return OnnxGraph(graph).eval()
    except UnsupportedVariant as why:
        raise StudentError(
            f"its integer operators cannot be run: {why}", where=plain.source, remedy="Export it with stored scales"
        ) from None
    except UNBUILDABLE as error:
        raise StudentError(
            f"its nodes do not fit their operators ({type(error).__name__}: {error})", where=plain.source,
            remedy="Export the network again",
        ) from error


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
    """Return a module for every node, or raise with all that have none; turns of one layer share theirs."""
    modules: dict[str, nn.Module] = {}
    shared: dict[tuple[str, ...], nn.Module] = {}
    problems: list[tuple[Node, str]] = []
    for node in graph.nodes:
        builder, turn = builder_of(node), _turn(node)
        if node.layer and turn in shared:
            modules[node.name] = shared[turn]
            continue
        try:
            if builder is None:
                raise UnsupportedVariant("not implemented")
            run = builder(node)
            modules[node.name] = shared[turn] = run if isinstance(run, nn.Module) else OnnxNode(run)
        except UnsupportedVariant as why:
            problems.append((node, str(why)))
    if problems:
        raise _cannot(graph, problems)
    return modules


def _turn(node: Node) -> tuple[str, ...]:
    """Return what a node's module is made of: layer, operator, attributes, and the names of what it stores."""
    kept = {name: value for name, value in node.attributes.items() if not isinstance(value, Tensor)}
    stored = [name if name in node.constants else "" for name in node.inputs]
    return (node.layer, node.domain, node.operator, repr(sorted(kept.items(), key=str)), *stored)


def _first(output: Tensor, axis: int) -> Tensor:
    return output.movedim(axis, 0) if 0 < axis < output.dim() else output


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


def _attach(root: nn.Module, name: str, module: nn.Module) -> None:
    owner, last = _place(root, name)
    owner.add_module(last, module)


def _stored(root: nn.Module, name: str, tensor: Tensor) -> tuple[nn.Module, str]:
    owner, last = _place(root, name)
    if tensor.is_floating_point():
        owner.register_parameter(last, nn.Parameter(tensor, requires_grad=False))
    else:
        owner.register_buffer(last, tensor)
    return owner, last
