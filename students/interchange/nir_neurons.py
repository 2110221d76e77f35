"""Neuron parameters of NIR files, brought to the one shape that the network gives a layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

PARAMETERS = ("r", "tau", "tau_mem", "tau_syn", "v_leak", "w_in", "v_threshold", "v_reset")
NEURONS = frozenset(("LIF", "LI", "IF", "I", "CubaLIF", "CubaLI"))
GRAPH = "NIRGraph"


def unchecked(tree: dict[str, Any]) -> dict[str, Any]:
    """Return what a file stores with the types of its graphs not checked yet, and one shape in each neuron layer.

    Parameters
    ----------
    tree : dict
        As ``nir.serialization.hdf2dict`` reads it.

    Raises
    ------
    ValueError
        A file that names the key of the check, or parameters that are no numbers, or whose shapes cannot be one.
    """
    if "type_check" in tree:
        raise ValueError("it holds the key 'type_check'")
    if tree.get("type") in NEURONS:
        found = {name: np.asarray(tree[name]) for name in PARAMETERS if name in tree}
        wrong = [name for name, array in found.items() if array.dtype.kind not in "fiub"]
        if wrong:
            raise ValueError(f"{', '.join(wrong)} of a {tree['type']} are no real numbers")
        shape = np.broadcast_shapes(*(array.shape for array in found.values()))
        return {**tree, **{name: np.broadcast_to(array, shape).copy() for name, array in found.items()}}
    if tree.get("type") != GRAPH:
        return tree
    return {**tree, "nodes": {name: unchecked(one) for name, one in tree["nodes"].items()}, "type_check": False}


def infer_shapes(graph: Any) -> None:
    """Give every node of a graph its shapes; a neuron layer of one value a parameter has those of what feeds it.

    Raises
    ------
    ValueError
        Shapes that do not fit.
    """
    _correct_convolutions(graph)
    while True:
        try:
            graph.infer_types()
            return
        except ValueError:
            if not any([_spread(graph, name, node) for graph, name, node in _single_neurons(graph)]):
                raise


def _correct_convolutions(graph: Any) -> None:
    """Set the shapes of convolutions: nir leaves out their groups, and takes every kernel for a square."""
    for node in graph.nodes.values():
        kind = type(node).__name__
        if kind == GRAPH:
            _correct_convolutions(node)
        elif kind in {"Conv1d", "Conv2d"} and node.input_shape is not None:
            sizes, kernel = np.atleast_1d(node.input_shape), np.asarray(node.weight.shape[2:])
            node.input_type = {"input": np.array([node.weight.shape[1] * int(node.groups), *sizes])}
            if not isinstance(node.padding, str | bytes):
                covered = np.asarray(node.dilation) * (kernel - 1) + 1
                after = (sizes + 2 * np.asarray(node.padding) - covered) // np.asarray(node.stride) + 1
                node.output_type = {"output": np.array([node.weight.shape[0], *after])}


def _single_neurons(graph: Any) -> Iterator[tuple[Any, str, Any]]:
    """Return the graph, name and node of each neuron layer whose parameters hold one value."""
    for name, node in graph.nodes.items():
        kind = type(node).__name__
        if kind == GRAPH:
            yield from _single_neurons(node)
        elif kind in NEURONS and node.r.size == 1:
            yield graph, name, node


def _spread(graph: Any, name: str, node: Any) -> bool:
    """Repeat a neuron layer's one value for the shape that leads into it; False where it has that, or none is known."""
    for before, after in graph.edges:
        source = graph.nodes[before].output_type if after == name else None
        shape = next(iter(source.values()), None) if source else None
        if shape is None or None in (sizes := np.atleast_1d(shape).tolist()) or tuple(sizes) == node.r.shape:
            continue
        for parameter in PARAMETERS:
            if hasattr(node, parameter):
                setattr(node, parameter, np.full(sizes, np.asarray(getattr(node, parameter)).reshape(-1)[0]))
        node.input_type, node.output_type = {"input": np.array(sizes)}, {"output": np.array(sizes)}
        return True
    return False
