"""A TensorFlow Lite file as a network: its operators written as ONNX's, integer ones as float ones between quantisers.

Signals keep their channels last. A tensor with a scale is put on its grid where an operator makes it, unless the
operator only moves numbers of that grid. Float signals that meet integer weights (dynamic range quantisation) are
quantised as they come.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from energy_models.errors import StudentError
from students.interchange.graph import Graph, Node, Port, UnsupportedVariant
from students.interchange.onnx_graph import OnnxGraph, network_of
from students.interchange.operators.quantised import OWN_DOMAIN
from students.interchange.tflite_arena import arena_bytes, lifetimes
from students.interchange.tflite_file import DAMAGED, FlatGraph, FlatOperator, FlatTensor, read_flat
from students.interchange.tflite_operators import CLIPS, OPERATORS, TANH

VERSION = 13
"""Of the ONNX operator set whose nodes are written."""
UNREAD = "tflite"
"""Domain of operators that are not implemented, for the list of them."""


def read_tflite(path: Path) -> OnnxGraph:
    """Return the network of a TensorFlow Lite file, in evaluation mode.

    Raises
    ------
    StudentError
        A file that cannot be read, operators that cannot be run (all of them at once), no input.
    """
    flat = read_flat(path)
    if not flat.inputs or not flat.outputs:
        raise StudentError("it has no input or no output", where=str(path), remedy="Convert a network that takes one")
    try:
        graph = Writer(flat).graph()
    except DAMAGED as error:
        raise StudentError(
            f"its operators do not fit their tensors ({type(error).__name__}: {error})", where=str(path),
            remedy="Convert the network again",
        ) from error
    return network_of(graph)


class Writer:
    """The nodes and constants that a file's operators are written as.

    Parameters
    ----------
    flat : FlatGraph
    """

    def __init__(self, flat: FlatGraph) -> None:
        self.flat = flat
        self.nodes: list[Node] = []
        self.constants: dict[str, Tensor] = {}
        self._name = _unique([one.name or "tensor" for one in flat.tensors])
        self._operator = ""
        self._same = {
            operator.outputs[0]: operator.inputs[0]
            for operator in flat.operators
            if operator.name == "DEQUANTIZE" and flat.tensors[operator.inputs[0]].values is not None
        }  # floats made of stored weights: those weights
        self._made: dict[int, str] = {}  # the name under which a tensor's numbers are found, once they are floats

        self._more_inputs: list[Port] = []  # states that operators keep, and their next values
        self._more_results: list[Port] = []

    def graph(self) -> Graph:
        """Return the whole graph."""
        for place in self.flat.inputs:
            tensor = self.tensor(place)
            self._operator = f"{self._name[place]}/quantise"
            if tensor.scale is not None and tensor.dtype.kind in "iu":
                self._on_grid(self._name[place], tensor, place)
        for number, operator in enumerate(self.flat.operators):
            if operator.outputs[0] in self._same:
                continue
            self._operator = f"{operator.name}_{number}"
            self._write(operator)
        ports = (*(self._port(place) for place in self.flat.inputs), *self._more_inputs)
        outputs = tuple(self.read(place) for place in self.flat.outputs)
        used = frozenset((*(name for node in self.nodes for name in node.inputs), *outputs))
        nodes = tuple(self._finished(node, used) for node in self.nodes)
        results = tuple(
            Port(name, self._port(place).axes, torch.float32)
            for name, place in zip(outputs, self.flat.outputs, strict=True)
        )
        outputs, results = (*outputs, *(one.name for one in self._more_results)), (*results, *self._more_results)
        arena = arena_bytes(lifetimes(self.flat))
        return Graph(nodes, self.constants, ports, outputs, self.flat.source, results, arena_bytes=arena)

    def _finished(self, node: Node, used: frozenset[str]) -> Node:
        return Node(
            node.name, node.operator, node.domain, node.version, node.inputs, node.outputs, node.attributes,
            self.constants, used,
        )  # fmt: skip

    def _write(self, operator: FlatOperator) -> None:
        write: Callable[[Writer, FlatOperator], None] | None = OPERATORS.get(operator.name)
        try:
            if write is None:
                raise UnsupportedVariant("")
            kept = any(self.tensor(at).state == "kept" for at in operator.inputs if at >= 0)
            if kept and not getattr(write, "keeps_state", False):
                raise UnsupportedVariant("keeps a state")
            write(self, operator)
        except UnsupportedVariant as why:
            said = f"{operator.name}: {why}" if str(why) else operator.name
            outputs = tuple(self._name[at] for at in operator.outputs)
            self.nodes.append(Node(self._operator, said, UNREAD, VERSION, (), outputs))

    def tensor(self, place: int) -> FlatTensor:
        """Return a tensor of the file."""
        return self.flat.tensors[self._same.get(place, place)]

    def constant(self, operator: FlatOperator, place: int) -> Tensor:
        """Return the stored numbers of an operator's input."""
        values = self.tensor(operator.inputs[place]).values
        if values is None:
            raise UnsupportedVariant(f"its input {place} is computed")
        return values

    def whole(self, operator: FlatOperator, place: int) -> list[int]:
        """Return a stored input as whole numbers."""
        return [int(one) for one in self.constant(operator, place).flatten().tolist()]

    def node(self, operator: str, inputs: list[str], domain: str = "", outputs: int = 1, **attributes: Any) -> str:
        """Add a node; return the name of its first output."""
        name = self._operator
        taken = {node.name for node in self.nodes}
        while name in taken:
            name += "_"
        made = tuple(f"{name}:{place}" for place in range(outputs))
        self.nodes.append(Node(name, operator, domain, VERSION, tuple(inputs), made, attributes))
        return made[0]

    def store(self, name: str, values: Tensor) -> str:
        """Add a constant of our own; return its name."""
        while name in self.constants:
            name += "_"
        self.constants[name] = values
        return name

    def read(self, place: int) -> str:
        """Return the name of a tensor's real numbers; integers of a stored one are dequantised once."""
        place = self._same.get(place, place)
        if place in self._made:
            return self._made[place]
        tensor, name = self.tensor(place), self._name[place]
        if tensor.values is None:
            return name
        self._made[place] = self.stored(place, tensor.values)
        return self._made[place]

    def stored(self, place: int, values: Tensor, axis: int | None = None) -> str:
        """Return the name of the real numbers of a stored tensor, given with its axes in another order."""
        tensor = self.tensor(place)
        name = self.store(self._name[place], values)
        if tensor.scale is None or tensor.zero is None or values.is_floating_point():
            return self.node("Cast", [name], dtype=torch.float32) if values.dtype == torch.float16 else name
        scale = self.store(f"{name}/scale", tensor.scale)
        inputs = [name, scale]
        if bool(tensor.zero.any()):
            inputs.append(self.store(f"{name}/zero", tensor.zero))
        return self.node("DequantizeLinear", inputs, axis=tensor.axis if axis is None else axis)

    def write(self, operator: FlatOperator, made: str, place: int = 0, *, moved_from: int | None = None) -> None:
        """Say under which name an operator's output is found; put it on its grid unless it was moved from there."""
        at = operator.outputs[place]
        tensor, function = self.tensor(at), operator.options.get("FusedActivationFunction", 0)
        whole = tensor.scale is not None and tensor.dtype.kind in "iu"
        moved = moved_from is not None and _alike(tensor, self.tensor(moved_from))
        if whole and not moved and function in CLIPS:
            self._clipped(made, tensor, at, CLIPS[function])
            return
        self._made[at] = made = self._activated(function, made)
        if whole and not moved:
            self._on_grid(made, tensor, at)

    def on_grid(self, made: str, at: int) -> str:
        """Return the name of numbers put on the grid of a tensor of the file."""
        self._on_grid(made, self.tensor(at), at)
        return self._made[at]

    def known_on_grid(self, made: str, at: int) -> str:
        """Return the name of numbers that are on the grid of a tensor of the file already."""
        tensor = self.tensor(at)
        whole = np.iinfo(tensor.dtype)
        ends = {"low": int(whole.min), "high": int(whole.max)}
        return self._own("OnGrid", [made, *self._steps(made, tensor)], tensor, **ends)

    def _own(self, operator: str, inputs: list[str], tensor: FlatTensor, **attributes: Any) -> str:
        """Add a quantiser of our own, as wide as a tensor's integers."""
        whole = np.iinfo(tensor.dtype)
        sign = {"bits": int(whole.bits), "signed": int(whole.min < 0)}
        return self.node(operator, inputs, OWN_DOMAIN, **sign, **attributes)

    def further_input(self, at: int, axes: tuple[int | None, ...]) -> str:
        """Return the name of an input of the network that stands for a tensor kept from call to call."""
        self._more_inputs.append(Port(self._name[at], axes, torch.float32))
        return self._name[at]

    def further_output(self, made: str, axes: tuple[int | None, ...]) -> None:
        """Give numbers as a further output of the network."""
        self._more_results.append(Port(made, axes, torch.float32))

    def _activated(self, function: int, made: str) -> str:
        if not function:
            return made
        if function == TANH:
            return self.node("Tanh", [made])
        if function not in CLIPS:
            raise UnsupportedVariant(f"fused activation {function}")
        low, high = CLIPS[function]
        return self.node("Relu", [made]) if math.isinf(high) else self.node("Clip", [made], min=low, max=high)

    def _clipped(self, made: str, tensor: FlatTensor, at: int, between: tuple[float, float]) -> None:
        """Put numbers on the part of a grid that a fused function leaves: both are ends of one requantisation."""
        scale, zero = self._steps(made, tensor)
        whole, step, offset = np.iinfo(tensor.dtype), float(self.constants[scale]), float(self.constants[zero])
        low, high = (min(max(one / step, whole.min - offset), whole.max - offset) for one in between)
        ends = {"low": round(low + offset), "high": round(high + offset), "rounds_first": 1}
        before = {"before": "Relu"} if between[0] == 0 else {}
        self._made[at] = self._own("QuantisedPair", [made, scale, zero], tensor, **ends, **before)

    def _on_grid(self, made: str, tensor: FlatTensor, at: int) -> None:
        scale, zeros = self._steps(made, tensor)
        codes = self.node("QuantizeLinear", [made, scale, zeros])
        self._made[at] = self.node("DequantizeLinear", [codes, scale, zeros])

    def _steps(self, made: str, tensor: FlatTensor) -> tuple[str, str]:
        """Return the names of a signal's scale and zero point."""
        if tensor.scale is None or tensor.zero is None or tensor.scale.numel() != 1:
            raise UnsupportedVariant("a signal with one scale for each channel")
        whole = np.iinfo(tensor.dtype)
        kind = torch.from_numpy(np.zeros(1, dtype=tensor.dtype)).dtype
        zero = torch.clamp(tensor.zero, whole.min, whole.max).to(kind)
        return self.store(f"{made}/scale", tensor.scale), self.store(f"{made}/zero", zero)

    def _port(self, place: int) -> Port:
        tensor = self.tensor(place)
        axes: tuple[int | None, ...] = tensor.shape
        if tensor.any_number == "examples" and axes:
            axes = (None, *axes[1:])
        floats = tensor.dtype.kind == "f" or tensor.scale is not None
        kind = torch.float32 if floats else torch.from_numpy(np.zeros(1, dtype=tensor.dtype)).dtype
        return Port(self._name[place], axes, kind)


def _alike(one: FlatTensor, other: FlatTensor) -> bool:
    """True where two tensors have one grid."""
    if one.scale is None or other.scale is None or one.zero is None or other.zero is None:
        return False
    return one.dtype == other.dtype and torch.equal(one.scale, other.scale) and torch.equal(one.zero, other.zero)


def _unique(names: list[str]) -> list[str]:
    found: list[str] = []
    taken: set[str] = set()
    for given in names:
        name = given
        while name in taken:
            name += "_"
        taken.add(name)
        found.append(name)
    return found
