"""Which axis of a graph's input holds the examples."""

from __future__ import annotations

from torch import Tensor

from energy_models.errors import StudentError
from students.interchange.graph import DEFAULT_DOMAINS, Graph, Port

TIME_FIRST = frozenset(("LSTM", "GRU", "RNN"))
ALIKE = frozenset((
    "Identity", "Cast", "Dropout", "Relu", "LeakyRelu", "Sigmoid", "Tanh", "Clip", "Add", "Sub", "Mul", "Div", "MatMul",
    "LayerNormalization", "QuantizeLinear", "DequantizeLinear", "Quant", "IntQuant", "QuantisedPair", *TIME_FIRST,
))  # fmt: skip
"""Operators that leave the first two axes of their first input where they are."""


def batch_axis(graph: Graph) -> int:
    """Return the axis of a graph's signal that holds the examples: 1 where a recurrent layer reads steps first, else 0.

    Parameters
    ----------
    graph : Graph
    """
    port = graph.inputs[0]
    if len(port.axes) != 3:
        return 0
    same = {port.name}
    for node in graph.nodes:
        if not node.inputs or node.inputs[0] not in same or node.operator not in ALIKE:
            continue
        if node.domain in DEFAULT_DOMAINS and node.operator in TIME_FIRST:
            return 0 if node.attribute("layout", 0) else 1
        same.update(node.outputs[:1])
    return 0


def axis_of(port: Port, group: int | None) -> int:
    """Return the axis of another input, or of an output, that holds the examples: the first of two that can.

    Parameters
    ----------
    port : Port
    group : int or None
        Examples in one call; None where any number is taken.
    """
    return next((axis for axis, size in enumerate(port.axes[:2]) if size == group), 0)


def without(axes: tuple[int | None, ...], axis: int) -> tuple[int | None, ...]:
    """Return axes but one."""
    return (*axes[:axis], *axes[axis + 1 :])


def placed(signal: Tensor, port: Port, axis: int, source: str) -> Tensor:
    """Return a signal as the graph declares it.

    Parameters
    ----------
    signal : Tensor, shape (examples, ...)
    port : Port
    axis : int
        Where the graph has the examples.
    source : str
        The file, for error messages.

    Raises
    ------
    StudentError
        It cannot be that.
    """
    declared = (None, *without(port.axes, axis))
    shaped = _shaped(signal, declared)
    fits = shaped.dim() == len(port.axes) and all(
        size in {None, found} for size, found in zip(declared, shaped.shape, strict=True)
    )
    if not fits:
        wanted = " x ".join("any" if size is None else str(size) for size in port.axes)
        raise StudentError(
            f"an input of shape {tuple(signal.shape)} for {port.name!r}, which is {wanted}", where=source,
            remedy="Give examples of that shape, or export the network with open axes",
        )
    return shaped.movedim(0, axis).to(port.dtype)


def _shaped(signal: Tensor, axes: tuple[int | None, ...]) -> Tensor:
    """Return the signal with the axes of size one that the file has and the signal lacks."""
    if signal.dim() >= len(axes):
        return signal
    sizes: list[int] = []
    rest = list(signal.shape)
    missing = len(axes) - signal.dim()
    for place, size in enumerate(axes):
        if missing and place and size == 1 and (not rest or rest[0] != 1):
            sizes.append(1)
            missing -= 1
        elif rest:
            sizes.append(rest.pop(0))
    return signal.reshape(sizes) if not missing and not rest else signal
