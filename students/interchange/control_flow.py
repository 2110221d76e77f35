"""ONNX's control flow written out: loops as often as they turn, where that is stored, and branches that are stored.

A node of a loop's body is there once for each turn and is one layer, on weights that are stored once. What is decided
by numbers of the signal (a computed condition, a computed number of turns) has no one count: refused with that reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from students.interchange.extras import optional_package

FLOW = frozenset(("If", "Loop", "Scan"))
LAYER = "layer of a body: "
"""Begins the note of a node that was written once for each turn; the name of the layer in the body follows."""
MOST_NODES = 50_000
"""Written out of all loops of a file."""
FIRST_SCAN = 9
"""Operator set since which a Scan has no axis of examples of its own."""
UNSQUEEZE_BY_INPUT = 13
"""Operator set since which its axes are an input."""


DAMAGED = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)
"""What loops raise that do not fit their bodies."""


class Undecided(Exception):  # noqa: N818  control flow inside this file
    """A loop or branch that only the numbers decide; the text says why."""


def has_control_flow(model: Any) -> bool:
    """Return whether a model's own graph has loops or branches."""
    return any(node.op_type in FLOW for node in model.graph.node)


def written_out(onnx: Any, model: Any) -> Any:
    """Return a copy of a model without loops and branches; one that is undecided says why in place of its operator."""
    sizes = _sizes(onnx, model)
    version = next((int(one.version) for one in model.opset_import if not one.domain), 1)
    writer = _Writer(onnx, version, sizes)
    writer.stored = {one.name: one for one in model.graph.initializer}
    writer.nodes_of(model.graph.node, {}, "", "")
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.node[:], result.graph.initializer[:]
    result.graph.node.extend(writer.nodes)
    result.graph.initializer.extend(writer.stored.values())
    return result


def _sizes(onnx: Any, model: Any) -> Mapping[str, tuple[int | None, ...]]:
    """Return the axes of the graph's tensors, as far as they are known."""
    shape_inference = optional_package("onnx.shape_inference", "reading an ONNX file")
    try:
        graph = shape_inference.infer_shapes(model).graph
    except (shape_inference.InferenceError, ValueError):  # what the file itself says is left
        graph = model.graph
    found: dict[str, tuple[int | None, ...]] = {}
    for one in (*graph.input, *graph.value_info, *graph.output):
        shape = one.type.tensor_type.shape
        found[one.name] = tuple(axis.dim_value if axis.HasField("dim_value") else None for axis in shape.dim)
    return found | {one.name: tuple(one.dims) for one in graph.initializer}


@dataclass(slots=True)
class _Writer:
    """Nodes and stored tensors as they are written; `env` maps a body's names to those outside."""

    onnx: Any
    version: int
    sizes: Mapping[str, tuple[int | None, ...]]
    stored: dict[str, Any] = field(default_factory=dict[str, Any])
    nodes: list[Any] = field(default_factory=list[Any])
    made: dict[str, Any] = field(default_factory=dict[str, Any])

    def nodes_of(self, nodes: Iterable[Any], env: dict[str, str], prefix: str, base: str) -> None:
        """Write nodes, their names and results behind a prefix; results are added to `env`.

        What a body stores is written once, behind `base`, the path of the body without turns.
        """
        for place, node in enumerate(nodes):
            own = node.name or f"{node.op_type}_{place}"
            if base and len(self.nodes) > MOST_NODES:
                raise Undecided(f"more than {MOST_NODES} nodes in all")
            if node.op_type not in FLOW:
                self._copy(node, env, (prefix, base, own))
                continue
            before = len(self.nodes)
            try:
                write = {"If": self._if, "Loop": self._loop, "Scan": self._scan}[node.op_type]
                outputs = write(node, dict(env), f"{prefix}{own}", f"{base}{own}/")
            except (Undecided, *DAMAGED) as why:
                del self.nodes[before:]
                refused = self._copy(node, env, (prefix, base, own))
                said = str(why) if isinstance(why, Undecided) else f"it does not fit its body: {why!r}"
                refused.op_type = f"{node.op_type} ({said})"
                continue
            for inner, outer in zip(outputs, node.output, strict=False):
                if outer:
                    env[outer] = f"{prefix}{outer}"
                    self._node("Identity", [inner], f"{prefix}{own}/{outer}", output=env[outer])

    def _copy(self, node: Any, env: dict[str, str], where: tuple[str, str, str]) -> Any:
        prefix, base, own = where
        tensor = next((one.t for one in node.attribute if one.name == "value"), None)
        if base and node.op_type == "Constant" and tensor is not None:
            env[node.output[0]] = self._keep(tensor, f"{base}{node.output[0]}")
            return None
        made = self.onnx.NodeProto()
        made.CopyFrom(node)
        made.name = f"{prefix}{own}"
        made.doc_string = f"{LAYER}{base}{own}" if base else ""
        made.input[:] = [env.get(one, one) for one in node.input]
        for one in node.output:
            env[one] = f"{prefix}{one}" if one else ""
        made.output[:] = [env[one] for one in node.output]
        return self._add(made)

    def _add(self, node: Any) -> Any:
        self.nodes.append(node)
        self.made.update((one, node) for one in node.output)
        return node

    def _keep(self, tensor: Any, name: str) -> str:
        """Store a tensor of a body under a name, once."""
        if name not in self.stored:
            kept = self.onnx.TensorProto()
            kept.CopyFrom(tensor)
            kept.name = name
            self.stored[name] = kept
        return name

    def _node(self, operator: str, inputs: list[str], name: str, output: str = "", **attributes: Any) -> str:
        output = output or f"{name}:0"
        self._add(self.onnx.helper.make_node(operator, inputs, [output], name=name, **attributes))
        return output

    def _store(self, name: str, values: Any) -> str:
        self.stored[name] = self.onnx.numpy_helper.from_array(np.asarray(values), name)
        return name

    def _body(self, graph: Any, env: dict[str, str], prefix: str, base: str) -> list[str]:
        """Write a body once; return the names of its outputs."""
        for one in graph.initializer:
            env[one.name] = self._keep(one, f"{base}{one.name}")
        self.nodes_of(graph.node, env, prefix, base)
        return [str(env.get(one.name, one.name)) for one in graph.output]

    def _number(self, name: Any) -> Any:
        """Return a stored tensor of one number; None for a computed one."""
        found, made = self.stored.get(name), self.made.get(name)
        if found is None and made is not None and made.op_type == "Identity":
            return self._number(made.input[0])
        if found is None and made is not None and made.op_type == "Constant":
            found = next((one.t for one in made.attribute if one.name == "value"), None)
        if found is None:
            return None
        values = self.onnx.numpy_helper.to_array(found)
        return values.item() if values.size == 1 else None

    def _if(self, node: Any, env: dict[str, str], name: str, base: str) -> list[str]:
        condition = self._number(env.get(node.input[0], node.input[0]))
        if condition is None:
            raise Undecided("which branch runs depends on the numbers")
        branch = _graph_of(node, "then_branch" if condition else "else_branch")
        return self._body(branch, env, f"{name}/", base)

    def _loop(self, node: Any, env: dict[str, str], name: str, base: str) -> list[str]:
        body, given = _graph_of(node, "body"), [str(env.get(one, one)) for one in node.input]
        turns = self._number(given[0]) if given[0] else None
        if turns is None:
            raise Undecided("how often it turns depends on the numbers")
        if len(given) > 1 and given[1] and self._number(given[1]) is not True:
            raise Undecided("whether it starts depends on the numbers")
        states, kept = given[2:], list[list[str]]()
        if not 0 < turns <= MOST_NODES:
            raise Undecided(f"it turns {turns} times")
        truth = self._store(f"{base}true", np.array(True))
        for turn in range(turns):
            number = self._store(f"{base}{turn}", np.array(turn, np.int64))
            inner = env | dict(zip((one.name for one in body.input), (number, truth, *states), strict=True))
            going, *results = self._body(body, inner, f"{name}/{turn}/", base)
            if self._number(going) is not True:
                raise Undecided("when it ends depends on the numbers")
            states, outputs = results[: len(states)], results[len(states) :]
            kept.append(outputs)
        parts = zip(*kept, strict=True)
        return [*states, *(self._stacked(list(one), f"{name}/{place}", 0) for place, one in enumerate(parts))]

    def _scan(self, node: Any, env: dict[str, str], name: str, base: str) -> list[str]:
        body, count = (
            _graph_of(node, "body"),
            next(int(one.i) for one in node.attribute if one.name == "num_scan_inputs"),
        )
        if self.version < FIRST_SCAN:
            raise Undecided("it has an axis of examples of its own")
        given = [str(env.get(one, one)) for one in node.input]
        states, signals = given[: len(given) - count], given[len(given) - count :]
        axes, back = (_whole(node, f"scan_input_{what}", count) for what in ("axes", "directions"))
        turns = self._turns(signals, axes)
        kept = list[list[str]]()
        for turn in range(turns):
            pieces = list[str]()
            for which, (signal, axis) in enumerate(zip(signals, axes, strict=True)):
                place = turns - 1 - turn if back[which] else turn
                at = self._store(f"{base}{place}", np.array(place, np.int64))
                pieces.append(self._node("Gather", [signal, at], f"{name}/{turn}/input_{which}", axis=axis))
            inner = env | dict(zip((one.name for one in body.input), (*states, *pieces), strict=True))
            results = self._body(body, inner, f"{name}/{turn}/", base)
            states = results[: len(states)]
            kept.append(results[len(states) :])
        places, turned = (_whole(node, f"scan_output_{what}", len(kept[0])) for what in ("axes", "directions"))
        stacked = list[str]()
        for which, parts in enumerate(zip(*kept, strict=True)):
            ordered = list(parts)[::-1] if turned[which] else list(parts)
            stacked.append(self._stacked(ordered, f"{name}/{which}", places[which]))
        return [*states, *stacked]

    def _turns(self, signals: list[str], axes: list[int]) -> int:
        lengths = set[int | None]()
        for one, axis in zip(signals, axes, strict=True):
            sizes = self.sizes.get(one, ())
            lengths.add(sizes[axis] if -len(sizes) <= axis < len(sizes) else None)
        found = lengths.pop() if len(lengths) == 1 else None
        if not found or found > MOST_NODES:
            raise Undecided("how often it turns is not stored: the file leaves the length of its input open")
        return found

    def _stacked(self, parts: list[str], name: str, axis: int) -> str:
        """Return the results of all turns along a new axis."""
        pieces = list[str]()
        for place, one in enumerate(parts):
            if self.version >= UNSQUEEZE_BY_INPUT:
                at = self._store(f"{name}/axis", np.array([axis], np.int64))
                pieces.append(self._node("Unsqueeze", [one, at], f"{name}/{place}/unsqueeze"))
            else:
                pieces.append(self._node("Unsqueeze", [one], f"{name}/{place}/unsqueeze", axes=[axis]))
        return self._node("Concat", pieces, f"{name}/concat", axis=axis)


def _graph_of(node: Any, name: str) -> Any:
    found = next((one.g for one in node.attribute if one.name == name), None)
    if found is None:
        raise Undecided(f"it has no {name}")
    return found


def _whole(node: Any, name: str, count: int) -> list[int]:
    """Return a list of whole numbers among a node's attributes; zeros where it is absent."""
    found = next(([int(one) for one in each.ints] for each in node.attribute if each.name == name), [])
    return found or [0] * count
