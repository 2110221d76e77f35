"""What is known of a signal while a network is lowered, and the nodes made so far."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from energy_models.errors import StudentError
from students.deploy.fixed_point import FixedPoint, fixed_point, matched, rows_matched
from students.deploy.graph import INPUT, Ending, Floats, Integers, Move, Node, Range, Requantise
from students.deploy.ranges import TABLE_BITS
from students.layers.grid import Grid

UNLIMITED = (-math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class Signal:
    """The integers of a node, and what they stand for: value = integer * scale + offset.

    Parameters
    ----------
    node : str
        Whose output it is.
    range : Range
    scale, offset : ndarray of float64, broadcastable to the shape
    ending : {'', 'softmax', 'log_softmax'}
        What is left out behind it: it may only be put out.
    limits : (float, float)
        Between which values are still to be clipped, by the next requantisation or function.
    """

    node: str
    range: Range
    scale: Floats
    offset: Floats
    ending: Ending = ""
    limits: tuple[float, float] = UNLIMITED

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one example."""
        return self.range.shape

    @property
    def largest(self) -> int:
        """Magnitude that no number passes."""
        return max(abs(self.range.lowest), abs(self.range.highest))

    def affine(self, path: str, factor: Floats, added: Floats) -> Signal:
        """Return the signal ``factor * value + added``, whose integers are the same.

        Raises
        ------
        StudentError
            A signal that is to be clipped before.
        """
        self.check_unlimited(path)
        return replace(self, scale=self.scale * factor, offset=self.offset * factor + added)

    def clipped(self, lowest: float, highest: float) -> Signal:
        """Return the signal with limits on its values."""
        low, high = (min(max(one, lowest), highest) for one in self.limits)
        return replace(self, limits=(low, high))

    def check_unlimited(self, path: str) -> None:
        """Raise where values are still to be clipped."""
        if self.limits != UNLIMITED:
            raise refused(path, "it follows limits; put a requantisation or an activation function between them")

    def grid_scale(self, path: str) -> float:
        """Return the one scale of a signal on a grid.

        Raises
        ------
        StudentError
            A signal whose zero is not the integer 0, or with several scales.
        """
        if self.scale.size != 1 or bool(self.offset.any()):
            raise refused(path, "it takes numbers that are on no grid")
        return float(self.scale.reshape(()))


class Builder:
    """The nodes made so far.

    Parameters
    ----------
    source : Range
        The network's input.
    multiplier_bits : int
    stream : bool
        Whether the network takes recordings of any length.
    """

    def __init__(self, source: Range, multiplier_bits: int, *, stream: bool = False) -> None:
        self.input, self.multiplier_bits, self.stream = source, multiplier_bits, stream
        self.nodes: list[Node] = []

    def name(self, path: str) -> str:
        """Return a name for a node: a module's path, with a number where it runs again."""
        taken = {INPUT, *(node.name for node in self.nodes)}
        name, number = path, 1
        while name in taken:
            number += 1
            name = f"{path}#{number}"
        return name

    def add(self, node: Node) -> Node:
        """Keep a node."""
        self.nodes.append(node)
        return node

    def node(self, name: str) -> Node | None:
        """Return the node of that name; None for the input."""
        return next((node for node in self.nodes if node.name == name), None)

    def before_move(self, name: str, places: Integers) -> tuple[str, Integers]:
        """Return a source and places in it: where the source only moves numbers, those that it takes them from."""
        node = self.node(name)
        if not isinstance(node, Move):
            return name, places
        return node.source, np.where(places >= 0, node.places[np.maximum(places, 0)], -1)

    def shape_of(self, name: str) -> tuple[int, ...]:
        """Return the shape of a node's signal, or of the input."""
        node = self.node(name)
        return self.input.shape if node is None else node.result.shape

    def unpadded(self, signal: Signal) -> tuple[str, tuple[tuple[int, int], ...]]:
        """Return the signal before zeros were put around its last axes, and how many: a product pads by itself."""
        node = self.node(signal.node)
        if isinstance(node, Move):
            pads = pads_of(node, self.shape_of(node.source))
            if pads is not None and pads[0] == (0, 0):
                return node.source, pads[1:]
        return signal.node, ((0, 0),) * (len(signal.shape) - 1)

    def requantise(self, signal: Signal, grid: Grid, path: str) -> Signal:
        """Put a signal on a grid.

        Raises
        ------
        StudentError
            A factor that no multiplier holds.
        """
        name = self.name(path)
        constants = fixed_point(
            signal.scale / grid.scale, signal.offset / grid.scale, largest=signal.largest,
            limit=max(-grid.lowest, grid.highest), bits=self.multiplier_bits, where=path,
        )
        lowest, highest = (
            min(max(round(limit / grid.scale), grid.lowest), grid.highest) if math.isfinite(limit) else end
            for limit, end in zip(signal.limits, (grid.lowest, grid.highest), strict=True)
        )
        found = Range(signal.shape, lowest, highest)
        self.add(Requantise(name, signal.node, found, _as_in_float32(signal, grid, constants)))
        return Signal(name, found, scalar(grid.scale), scalar(0.0), signal.ending)


def _as_in_float32(signal: Signal, grid: Grid, constants: FixedPoint) -> FixedPoint:
    """Return constants that round every code of a narrow signal, or the converter's, as the student does in float32."""
    if signal.node == INPUT:
        return _as_given(signal, grid, constants)
    scale, found = np.float32(signal.scale.ravel()[0]), signal.range
    narrow = found.bits <= TABLE_BITS and signal.scale.size == 1 and not signal.offset.any()
    if not narrow or float(scale) != float(signal.scale.ravel()[0]) or not constants.guard.any():
        return constants
    codes = np.arange(found.lowest, found.highest + 1)
    values = codes.astype(np.float32) * scale
    wanted = np.clip(np.rint(values / np.float32(grid.scale)), grid.lowest, grid.highest).astype(np.int64)
    return matched(constants, codes, wanted, (grid.lowest, grid.highest))


def _as_given(signal: Signal, grid: Grid, constants: FixedPoint) -> FixedPoint:
    """Return constants that round what each of the converter's codes stands for as the student does."""
    found, axes = signal.range, max(signal.scale.ndim, signal.offset.ndim)
    if found.bits > TABLE_BITS or signal.limits != UNLIMITED or axes not in {0, 2} or not constants.guard.any():
        return constants
    codes = np.arange(found.lowest, found.highest + 1)
    values = (codes * signal.scale.reshape(-1, 1) + signal.offset.reshape(-1, 1)).astype(np.float32)
    wanted = np.clip(np.rint(values / np.float32(grid.scale)), grid.lowest, grid.highest).astype(np.int64)
    return rows_matched(constants, codes, wanted, (grid.lowest, grid.highest))


def scalar(number: float) -> Floats:
    """Return a number as a constant of a signal."""
    return np.array(number, dtype=np.float64)


def refused(what: str, why: str) -> StudentError:
    """Return the refusal of an operation that has no place in a deployed graph."""
    return StudentError(
        f"{what} has no deployed form: {why}", where="lower",
        remedy="What can be lowered: products, recurrent layers, batch norms, activation functions, pools, means, sums "
        "of two signals and changes of shape, of a quantised network",
    )


def same_within(windows: np.ndarray, constants: Iterable[Floats], shape: tuple[int, ...]) -> tuple[Floats, ...] | None:
    """Return constants of a signal at the first place of each window; None where they differ inside one.

    Parameters
    ----------
    windows : ndarray of int64, shape (outputs, places)
        -1 is padding.
    constants : iterable of ndarray, broadcastable to `shape`
    shape : tuple of int
    """
    found: list[Floats] = []
    for one in constants:
        if one.size == 1:
            found.append(one.reshape(()))
            continue
        flat = np.broadcast_to(one, shape).ravel()[np.maximum(windows, 0)]
        first = np.take_along_axis(flat, (windows >= 0).argmax(axis=1)[:, None], axis=1)
        if bool(((flat != first) & (windows >= 0)).any()):
            return None
        found.append(first[:, 0])
    return tuple(found)


def compressed(constants: Floats) -> Floats:
    """Return constants with axes of length one where they do not vary; a single one without axes."""
    for axis in range(constants.ndim):
        first = constants.take([0], axis=axis)
        if bool((constants == first).all()):
            constants = first
    return constants.reshape(()) if constants.size == 1 else constants


def pads_of(move: Move, shape: tuple[int, ...]) -> tuple[tuple[int, int], ...] | None:
    """Return how many zeros a move puts around each axis of a signal of that shape; None if it does anything else."""
    if len(move.result.shape) != len(shape):
        return None
    places = move.places.reshape(move.result.shape)
    inside = np.argwhere(places == 0)
    if len(inside) != 1:
        return None
    before = inside[0]
    pads = tuple(
        (int(first), int(total - first - length))
        for first, total, length in zip(before, move.result.shape, shape, strict=True)
    )
    if any(after < 0 for _, after in pads):
        return None
    padded = np.pad(np.arange(int(np.prod(shape))).reshape(shape), pads, constant_values=-1)
    return pads if np.array_equal(padded, places) else None
