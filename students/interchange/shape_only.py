"""Weights whose values a file leaves out: made up, without zeros, so that dense counts are right."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from energy_models.errors import StudentError
from students.interchange.graph import DEFAULT_DOMAINS, Graph, Port

LARGEST_ELEMENTS = 1 << 28
"""Of one made-up tensor."""
SEED = 0
WEIGHT_PLACES: Mapping[str, range] = {
    "Conv": range(1, 3), "ConvTranspose": range(1, 3), "Gemm": range(1, 3), "MatMul": range(1, 2),
    "LSTM": range(1, 4), "GRU": range(1, 4), "RNN": range(1, 4), "BatchNormalization": range(1, 5),
    "LayerNormalization": range(1, 3), "InstanceNormalization": range(1, 3), "PRelu": range(1, 2),
}  # fmt: skip
"""Inputs that hold weights, by operator."""


def made_up(shape: tuple[int, ...], dtype: torch.dtype, where: str) -> Tensor:
    """Return values for a tensor of which a file holds the shape only: magnitudes of 0.5 to 1, or codes from 1 up.

    Raises
    ------
    StudentError
        More elements than any network has, or whole numbers that may be sizes.
    """
    if math.prod(shape) > LARGEST_ELEMENTS or min(shape, default=1) < 0:
        raise StudentError(f"a tensor of shape {shape}", where=where, remedy="Export the network again")
    generator = torch.Generator().manual_seed(SEED)
    if dtype.is_floating_point:
        return (torch.rand(shape, generator=generator) / 2 + 0.5).to(dtype)
    if dtype not in {torch.int8, torch.uint8}:
        raise StudentError(
            f"whole numbers ({dtype}) whose values the file leaves out", where=where,
            remedy="Put the file of weights beside it, or export one file",
        )
    return torch.randint(1, torch.iinfo(dtype).max, shape, generator=generator).to(dtype)


def with_weights(graph: Graph) -> Graph:
    """Return the graph with the inputs that only hold weights stored, as made-up values."""
    weights = {port.name: port for port in graph.inputs[1:] if _holds_weights(graph, port)}
    if not weights:
        return graph
    made = {
        name: made_up(tuple(size or 0 for size in port.axes), port.dtype, f"{graph.source}, {name}")
        for name, port in weights.items()
    }
    constants = {**graph.constants, **made}
    nodes = tuple(replace(node, constants=constants) for node in graph.nodes)
    inputs = tuple(port for port in graph.inputs if port.name not in weights)
    absent = (*graph.absent, *weights)
    return replace(graph, nodes=nodes, constants=constants, inputs=inputs, absent=absent)


def _holds_weights(graph: Graph, port: Port) -> bool:
    """True where every node that reads an input of fixed shape has it as its weights, with a signal before it."""
    places = [
        (node, place) for node in graph.nodes for place, name in enumerate(node.inputs) if name == port.name
    ]
    return None not in port.axes and bool(places) and all(
        node.domain in DEFAULT_DOMAINS and place in WEIGHT_PLACES.get(node.operator, ()) for node, place in places
    )
