"""The deployed graph: nodes of integers, their constants and the widths that hold every number.

Every signal is integers in two's complement or unsigned; value = integer * scale + offset, with scale and offset known
at lowering only. A node names its source, another node or the graph's input. Zero is the integer 0 on every grid that
a product takes, so padding needs no correction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from energy_models.errors import DataError
from students.deploy.attention import LinearAttention
from students.deploy.cells import Neurons, Recurrent
from students.deploy.codes import Coder
from students.deploy.delay_lines import PastSums
from students.deploy.fixed_point import FixedPoint
from students.deploy.ranges import Floats, Integers, Range
from students.deploy.rows import MatMul, Norm, Softmax
from students.spec import Task

Ending = Literal["", "softmax", "log_softmax"]

INPUT = "input"
"""Name of the graph's input where a node names its source."""


@dataclass(frozen=True, slots=True)
class InputCodes:
    """What the network is given: converter codes, and what they stand for.

    Parameters
    ----------
    bits : int
    signed : bool
        Two's complement, or from zero on.
    scale, offset : ndarray, shape () or (channels,)
        Value = code * scale + offset, in the units that the network was trained on: a standardisation
        ``(code * step - mean) / deviation`` has scale ``step / deviation`` and offset ``-mean / deviation``.
    """

    bits: int
    signed: bool
    scale: Floats
    offset: Floats

    @property
    def lowest(self) -> int:
        """Smallest code."""
        return -(2 ** (self.bits - 1)) if self.signed else 0

    @property
    def highest(self) -> int:
        """Largest code."""
        return 2 ** (self.bits - 1) - 1 if self.signed else 2**self.bits - 1

    def codes_of(self, values: NDArray[np.floating]) -> Integers:
        """Return the codes nearest to values of shape ``(examples, channels, ...)``, limited to the converter's range.

        Raises
        ------
        DataError
            Values that are not finite.
        """
        if not bool(np.isfinite(values).all()):
            raise DataError(
                "values that are not finite have no code", where="InputCodes.codes_of",
                remedy="Leave out or repair the recordings that hold NaN or infinity",
            )
        codes = np.rint((values - self._along(self.offset, values.ndim)) / self._along(self.scale, values.ndim))
        return np.clip(codes, self.lowest, self.highest).astype(np.int64)

    def values_of(self, codes: Integers) -> Floats:
        """Return what codes of shape ``(examples, channels, ...)`` stand for."""
        return codes * self._along(self.scale, codes.ndim) + self._along(self.offset, codes.ndim)

    @staticmethod
    def _along(constants: Floats, axes: int) -> Floats:
        """Return constants of channels as an array that broadcasts over examples and steps."""
        return constants.reshape(-1, *[1] * (axes - 2)) if constants.ndim else constants


@dataclass(frozen=True, slots=True)
class Product:
    """A convolution over the last one or two axes: ``sum weights * input + bias``, as it stands in the accumulator.

    Parameters
    ----------
    name, source : str
    result : Range
    weights : ndarray of int64, shape (outputs, inputs / groups, taps) or (outputs, inputs / groups, rows, columns)
    weight_bits : int
    bias : ndarray of int64, shape (outputs,), or None
    stride, dilation : tuple of int, one an axis
    pads : tuple of (before, after), one an axis
        Zeros around the signal.
    groups : int
    """

    name: str
    source: str
    result: Range
    weights: Integers
    weight_bits: int
    bias: Integers | None
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    groups: int


@dataclass(frozen=True, slots=True)
class Linear:
    """A product over the last axis; weights of shape (outputs, inputs), otherwise as `Product`."""

    name: str
    source: str
    result: Range
    weights: Integers
    weight_bits: int
    bias: Integers | None


@dataclass(frozen=True, slots=True)
class Requantise:
    """Multiplier, offset, shift, rounding and limits: ``clip(round(input * ratio + offset), lowest, highest)``.

    Batch norms, scalings and the divisors of averages are in its constants; a ReLU is the limit at zero.
    """

    name: str
    source: str
    result: Range
    constants: FixedPoint


@dataclass(frozen=True, slots=True)
class Table:
    """A function of each number as a table: ``entries[row, input - first]``.

    Parameters
    ----------
    name, source : str
    result : Range
    first : int
        The input of the first entry.
    entries : ndarray of int64, shape (tables, inputs)
    rows : ndarray of int64, broadcastable to the signal's shape
        Which table a place reads.
    """

    name: str
    source: str
    result: Range
    first: int
    entries: Integers
    rows: Integers


@dataclass(frozen=True, slots=True)
class Steps:
    """A function of each number as steps: ``codes[row][number of edges[row] that are not above the input]``.

    Parameters
    ----------
    name, source : str
    result : Range
    edges : tuple of ndarray of int64
        Ascending; one array a row.
    codes : tuple of ndarray of int64
        One more than edges.
    rows : ndarray of int64, broadcastable to the signal's shape
    """

    name: str
    source: str
    result: Range
    edges: tuple[Integers, ...]
    codes: tuple[Integers, ...]
    rows: Integers


@dataclass(frozen=True, slots=True)
class Pool:
    """Sums or maxima over windows of the flattened signal.

    Parameters
    ----------
    name, source : str
    result : Range
    kind : {'sum', 'max'}
    windows : ndarray of int64, shape (outputs, places)
        Places in the flattened signal; -1 is padding, which adds nothing to a sum and is in no maximum.
    """

    name: str
    source: str
    result: Range
    kind: Literal["sum", "max"]
    windows: Integers


@dataclass(frozen=True, slots=True)
class Move:
    """The signal in another order or shape.

    Parameters
    ----------
    name, source : str
    result : Range
    places : ndarray of int64, shape (outputs,)
        Where each number stands in the flattened signal; -1 is a zero.
    """

    name: str
    source: str
    result: Range
    places: Integers

    @property
    def is_reshape(self) -> bool:
        """True where every number stays where it is in memory."""
        return bool(np.array_equal(self.places, np.arange(len(self.places))))


@dataclass(frozen=True, slots=True)
class Part:
    """Some of a signal's channels, the first axis, from `first` on; as many as the result has."""

    name: str
    source: str
    result: Range
    first: int


@dataclass(frozen=True, slots=True)
class Delay:
    """Each channel as it was so many steps ago; before the first step it was 0.

    Parameters
    ----------
    name, source : str
    result : Range
        As the source's.
    steps : ndarray of int64, shape (channels,)
    """

    name: str
    source: str
    result: Range
    steps: Integers

    @property
    def longest(self) -> int:
        """Longest delay [steps]."""
        return int(self.steps.max(initial=0))

    def run(self, signal: Integers) -> Integers:
        """Return a signal of shape (examples, channels, steps) delayed, same shape."""
        place = np.arange(signal.shape[2]) - self.steps[:, None]
        moved = np.take_along_axis(signal, np.broadcast_to(np.maximum(place, 0), signal.shape), axis=2)
        return np.where(place >= 0, moved, 0)


@dataclass(frozen=True, slots=True)
class Add:
    """The sum of two signals on one grid; `source` and `other` are their nodes."""

    name: str
    source: str
    other: str
    result: Range


@dataclass(frozen=True, slots=True)
class Multiply:
    """The product of two signals of one shape, number by number; `source` and `other` are their nodes."""

    name: str
    source: str
    other: str
    result: Range


@dataclass(frozen=True, slots=True)
class Join:
    """Signals one after the other along an axis; `source` is the first, `others` the rest.

    Parameters
    ----------
    name, source : str
    others : tuple of str
    result : Range
    axis : int
        Of one example.
    """

    name: str
    source: str
    others: tuple[str, ...]
    result: Range
    axis: int


Node = (
    Product | Linear | Requantise | Table | Steps | Pool | Move | Delay | Add | Multiply | Join | Recurrent | Neurons
    | MatMul | Softmax | Norm | Part | LinearAttention | PastSums | Coder
)  # fmt: skip


def sources_of(node: Node) -> tuple[str, ...]:
    """Return the names of the signals that a node takes."""
    if isinstance(node, Add | Multiply | MatMul):
        return node.source, node.other
    if isinstance(node, LinearAttention):
        return node.source, node.key, node.value
    return (node.source, *node.others) if isinstance(node, Join) else (node.source,)


@dataclass(frozen=True, slots=True)
class DeployedGraph:
    """A network in integers, from converter codes to a class or a velocity.

    Parameters
    ----------
    task : {'classification', 'regression'}
    codes : InputCodes
    input : Range
        Of one example; a regression takes any number of steps.
    nodes : tuple of Node
        In the order in which they run; the last one gives the outputs.
    output_scale, output_offset : float
        What an output stands for: a logit, or an estimate in the task's units, is ``integer * scale + offset``. All
        outputs share them where classes are compared; estimates have a power of two and no offset.
    ending : {'', 'softmax', 'log_softmax'}
        What the network had behind its logits; it changes no class and is left out.
    multiplier_bits : int
        Width of the multipliers, sign included [bits].
    """

    task: Task
    codes: InputCodes
    input: Range
    nodes: tuple[Node, ...]
    output_scale: float
    output_offset: float
    ending: Ending
    multiplier_bits: int

    @property
    def takes_any_length(self) -> bool:
        """True where every node works on however many steps there are."""
        return self.task == "regression" and all(_along_steps(node) for node in self.nodes)

    def __repr__(self) -> str:
        kinds = ", ".join(f"{type(node).__name__.lower()} {node.name}" for node in self.nodes)
        return f"<DeployedGraph: {self.task}, {self.codes.bits}-bit codes {self.input.shape}; {kinds}>"


def _along_steps(node: Node) -> bool:
    """Return whether a node does the same at every step, or looks at neighbouring ones."""
    if isinstance(node, Product):
        return node.weights.ndim == 3
    if isinstance(node, Requantise):
        return node.constants.multiplier.ndim < 2 or node.constants.multiplier.shape[-1] == 1
    if isinstance(node, Table | Steps):
        return node.rows.ndim < 2 or node.rows.shape[-1] == 1
    kept = Add | Multiply | Delay | Recurrent | Neurons | Part | LinearAttention | PastSums | Coder
    return isinstance(node, kept) or (isinstance(node, Join) and node.axis == 0)
