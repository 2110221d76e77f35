"""Codes that are moved before they are dequantised, or enter or leave a graph, as the numbers they stand for.

A quantiser is then whole where the codes are made, moves are those of numbers on its grid, and every
``DequantizeLinear`` of them does nothing.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from students.interchange.graph import DEFAULT_DOMAINS, Graph, Node, Port

MOVES = frozenset((
    "MaxPool", "GlobalMaxPool", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Concat", "Split", "Slice",
    "Gather", "Identity", "Dropout", "DepthToSpace", "SpaceToDepth", "Tile", "Expand",
))  # fmt: skip
"""Operators that give codes that they were given, or the greatest of some."""
INTEGERS = frozenset((torch.int8, torch.uint8, torch.int16, torch.int32))


def with_numbers_of_codes(graph: Graph) -> Graph:
    """Return the graph without tensors of codes, as far as all that reads them moves or dequantises them.

    An integer input is then the number its codes stand for, and is put on their grid.
    """
    steps = _steps(graph)
    if not steps:
        return graph
    ports = {port.name for port in graph.inputs if port.name in steps}
    nodes: list[Node] = []
    for name in (port.name for port in graph.inputs if port.name in ports):
        made = Node(f"{name}/quantise", "QuantizeLinear", "", 13, (name,), ())
        nodes += _pair(graph, made, steps[name], f"{name}/on")
    for node in graph.nodes:
        reads = tuple(f"{one}/on" if one in ports else one for one in node.inputs)
        if node.operator == "QuantizeLinear" and node.outputs[0] in steps:
            nodes += _pair(graph, replace(node, inputs=reads), node.inputs[1:], node.outputs[0])
        elif node.operator == "DequantizeLinear" and node.inputs[0] in steps:
            nodes.append(replace(node, operator="Identity", inputs=reads[:1], attributes={}))
        else:
            nodes.append(replace(node, inputs=reads))
    inputs = tuple(Port(one.name, one.axes, torch.float32) if one.name in ports else one for one in graph.inputs)
    return replace(graph, nodes=tuple(nodes), inputs=inputs)


def _pair(graph: Graph, node: Node, steps: tuple[str, ...], out: str) -> list[Node]:
    """Return a quantiser to codes, and back to numbers under the name `out`."""
    known, codes = {"constants": graph.constants, "used": frozenset((out,))}, f"{out}/codes"
    first = replace(node, inputs=(node.inputs[0], *steps), outputs=(codes,), **known)
    back = replace(
        node, name=f"{node.name}/back", operator="DequantizeLinear", inputs=(codes, *steps), outputs=(out,),
        attributes={}, **known,
    )  # fmt: skip
    return [first, back]


def _steps(graph: Graph) -> dict[str, tuple[str, ...]]:
    """Return scale and zero point of each tensor of codes; empty where something else reads one, or two differ."""
    root = {port.name: port.name for port in graph.inputs if port.dtype in INTEGERS}
    found: dict[str, tuple[str, ...]] = {}
    for node in graph.nodes:
        ours = node.domain in DEFAULT_DOMAINS
        if ours and node.operator == "QuantizeLinear":
            root[node.outputs[0]], found[node.outputs[0]] = node.outputs[0], node.inputs[1:]
        roots = {root[one] for one in node.inputs if one in root}
        if not roots:
            continue
        if ours and node.operator == "DequantizeLinear":
            for one in roots:
                if not _equal(graph, found.setdefault(one, node.inputs[1:]), node.inputs[1:]):
                    return {}
        elif ours and node.operator in MOVES:
            if node.inputs[0] not in root:  # places or sizes, no codes
                continue
            first = found.get(root[node.inputs[0]])
            signals = [one for one in node.inputs if one not in graph.constants and one]
            same = len(roots) == 1 or (first and all(_equal(graph, found.get(one, ()), first) for one in roots))
            if not same or any(one not in root for one in signals):
                return {}
            root.update(dict.fromkeys(node.outputs, root[signals[0]]))
        elif not (ours and node.operator == "QuantizeLinear"):
            if roots & found.keys():
                return {}
            root = {name: one for name, one in root.items() if one not in roots}  # whole numbers that are no codes
    return {name: found[one] for name, one in root.items() if one in found}


def _equal(graph: Graph, one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """True where two scales, and two zero points, are the same single number."""
    if one == other:
        return all(name in graph.constants for name in one)
    values = [[graph.constants.get(name) for name in names] for names in (one, other)]
    return len(one) == len(other) and all(
        a is not None and b is not None and torch.equal(a.flatten(), b.flatten()) for a, b in zip(*values, strict=True)
    )
