"""What is known of a tensor while it is counted: its axes (which decode each element belongs to) and its grid."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from energy_models.workload import Arithmetic
from students.counting.axes import Axes, is_labelled
from students.counting.records import Key
from students.layers.grid import Grid

Pads = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """The decode that each index of one axis belongs to, where decodes are out of order or of unequal length.

    Parameters
    ----------
    axis : int
    decodes : tuple of int
        One per index of the axis.
    steps : int
        Steps of the padded signal these rows were packed from; 0 where they were not packed.
    """

    axis: int
    decodes: tuple[int, ...]
    steps: int = 0


BOOKKEEPING = Rows(-1, ())
"""Marks numbers that say how long sequences are, and enter no arithmetic."""


@dataclass(frozen=True, slots=True)
class Info:
    """What the tracer knows of a tensor that depends on the input.

    Parameters
    ----------
    axes : Axes or None
        None: the decodes can no longer be told apart. A padded step axis keeps its unpadded size here.
    codes : Grid or None
    pads : per axis, zeros added before and after; empty where none were
    producer : (recorder key, folds so far) or None
        The product whose output this still is, up to per-channel scales.
    word : int
        Width of the integer it is when deployed without being on a grid: a raw input sample, an accumulator, a
        membrane fed by one [bits]. 0: float, or on the grid `codes`.
    origin : int
        Stream signals of one origin hold the same numbers, up to padding and shape, so they share a ring buffer;
        unique to a forward call. 0: not along steps.
    scales : int
        Scales of the signal: one, or one per channel, which a requantisation then takes apart.
    rows : Rows or None
        With no axes: decodes sorted by length, or packed one step after another.
    """

    axes: Axes | None
    codes: Grid | None = None
    pads: Pads = ()
    producer: tuple[Key, int] | None = None
    word: int = 0
    origin: int = 0
    scales: int = 1
    rows: Rows | None = None

    @property
    def arithmetic(self) -> Arithmetic:
        """Number format of what is done to it outside products."""
        return "integer" if self.codes or self.word else "float"

    def bits(self, values: Tensor) -> int:
        """Return the width of one element [bits]."""
        return self.codes.bits if self.codes else self.word or values.element_size() * 8

    @property
    def padded_steps(self) -> bool:
        """True where an axis along the steps is padded with zeros: only a convolution may read it."""
        if self.axes is None or not self.pads:
            return False
        return any(
            before + after and is_labelled(axis) for axis, (before, after) in zip(self.axes, self.pads, strict=True)
        )


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """The info of a tensor and the tracer it belongs to; tensors with equal info share one object."""

    info: Info
    owner: object


def nonzero(values: Tensor, codes: Grid | None) -> Tensor:
    """Return where a signal is not zero, on its own grid, shape of `values`."""
    return values != 0 if codes is None else values.abs() > codes.scale / 2


def needs_multiplier(values: Tensor, codes: Grid | None) -> Tensor:
    """Return where a signal is outside {-1, 0, 1}, on its own grid, shape of `values`."""
    size = values.abs()
    return (size != 0) & (size != 1) if codes is None else size > codes.scale * 1.5
