"""Counts that depend on the numbers of a signal: exact sums per decode, many calls of a layer at once.

A layer in a time loop is not measured call by call. Its tensors are kept, stacked along a new first axis after some
calls, and measured together; the first axis is then one more axis of the axes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from students.counting.axes import Axes, Axis, Steps, elements_per_decode, per_decode, plain
from students.layers.grid import Grid

EXACT_FLOAT32 = 2**24
"""Whole numbers, and sums of them in any order, are exact in float32 up to this."""

CACHED_ELEMENTS = 2**18
"""Elements measured together: few enough that the intermediate results stay in a processor's cache."""

SIGN_AND_EXPONENT_BITS = {torch.float32: 9, torch.float64: 12}

Counted = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Measure:
    """Counts of one call that depend on the numbers in some tensors.

    Parameters
    ----------
    tensors : tuple of Tensor
        `count` may use no other tensors, so that it also counts later calls with other numbers.
    count : callable of (tensors, lead) to counts by name
        Each tensor comes with a further first axis, the calls, described by `lead`; it returns int64 per decode,
        shape (decodes,), or (decodes, steps) where the calls or the signal run over steps.
    """

    tensors: tuple[Tensor, ...]
    count: Callable[[Sequence[Tensor], Axis], Counted]


def calls_axis(calls: int, *, looped: bool) -> Axis:
    """Return the axis of stacked calls: steps in a loop over a stream, else summed."""
    return ((calls, Steps(calls)),) if looped else plain(calls)


@dataclass(frozen=True, slots=True)
class Masks:
    """Where a signal is not zero, and where it needs a multiplier, as zeros and ones in float32.

    Shapes are the signal's. None for `present`: everywhere. `graded` is None where it is the same as `present`, or
    where nothing needs a multiplier.
    """

    present: Tensor | None
    graded: Tensor | None
    ungraded: bool = False  # every element is in {-1, 0, 1}


def masks_of(values: Tensor, codes: Grid | None) -> Masks:
    """Return where a signal is not zero and where it is outside {-1, 0, 1}, on its own grid."""
    if values.dtype == torch.bool:
        return Masks(values.to(torch.float32), None, ungraded=True)
    if codes is not None and is_binary(codes):
        return Masks(_ones(values, codes), None, ungraded=True)
    if values.is_complex():
        graded = (values != 0) & (values != 1) & (values != -1)
        return Masks(_compared(torch.ne, values, 0), graded.to(torch.float32))
    if codes is None and not _may_hold_plain(values):
        return Masks(None, None)
    size = values.abs()
    if codes is not None:
        return Masks(_compared(torch.gt, size, codes.scale / 2), _compared(torch.gt, size, codes.scale * 1.5))
    present = _compared(torch.ne, size, 0) if _contains(size, 0) else None
    if not _contains(size, 1):
        return Masks(present, None)
    graded = _compared(torch.ne, size, 1)
    return Masks(present, graded if present is None else graded.mul_(present))


def _parts(values: Tensor) -> Iterator[Tensor]:
    """Cut along the first axes into parts that stay in a processor's cache."""
    flat = values.flatten(0, 1) if values.dim() > 1 else values
    yield from flat.split(max(1, CACHED_ELEMENTS // max(math.prod(flat.shape[1:]), 1)))


def is_binary(codes: Grid) -> bool:
    """True for the grid of zeros and ones."""
    return codes.bits == 1 and not codes.signed


def _ones(values: Tensor, codes: Grid) -> Tensor:
    """Return a signal of spikes as zeros and ones in float32; one of height 1 is that already."""
    if codes.scale == 1.0 and values.dtype == torch.float32:
        return values
    return _compared(torch.ne, values, 0)


def _compared(compare: Callable[..., Tensor], values: Tensor, number: float) -> Tensor:
    """Return a comparison as contiguous float32: several times faster than one that makes booleans."""
    out = torch.empty_like(values, dtype=torch.float32, memory_format=torch.contiguous_format)
    return compare(values, number, out=out)


def _may_hold_plain(values: Tensor) -> bool:
    """False where no element is -1, 0 or 1: as floats, these are among those whose fraction bits are all zero.

    One pass in place of three, and most recordings and sums need no other.
    """
    if values.device.type != "cpu" or values.dtype not in SIGN_AND_EXPONENT_BITS or not values.numel():
        return True
    shift = SIGN_AND_EXPONENT_BITS[values.dtype]
    bits = values.numpy()
    bits = bits.view(np.dtype(f"u{bits.itemsize}"))
    return int(np.left_shift(bits, bits.dtype.type(shift)).min()) == 0


def _contains(values: Tensor, number: float) -> bool:
    if values.device.type == "cpu" and values.dtype in {torch.float32, torch.float64}:
        return bool(np.equal(values.numpy(), number).any())  # ten times faster than torch's reduction of booleans
    return bool((values == number).any())


@dataclass(frozen=True, slots=True)
class Fan:
    """Products that each input takes part in.

    Parameters
    ----------
    each : Tensor
        Float64 whole numbers, the shape of the inputs but 1 along every axis on which they do not differ.
    total : int
        Sum over all inputs.
    """

    each: Tensor
    total: int

    @classmethod
    def of(cls, each: Tensor) -> Fan:
        """Return the fan of inputs of this shape, whole numbers."""
        kept = each.double()
        for axis in range(kept.dim()):
            first = kept.narrow(axis, 0, 1)
            if kept.shape[axis] > 1 and bool((kept == first).all()):
                kept = first
        return cls(kept, int(each.double().sum()))

    @classmethod
    def ones(cls, shape: Sequence[int]) -> Fan:
        """Return the fan of one product each."""
        return cls(torch.ones([1] * len(shape), dtype=torch.float64), math.prod(shape))

    def products(self, mask: Tensor | None, rows: int) -> Tensor:
        """Return ``sum_i mask[row, i] * each[i]``, exact, as float64 whole numbers, shape (rows,); None: all ones."""
        if mask is None:
            return torch.full((rows,), float(self.total), dtype=torch.float64)
        # Along axes on which the fan does not differ, inputs are summed first, as they lie in memory.
        alike = [axis + 1 for axis, size in enumerate(self.each.shape) if size == 1]
        exact = math.prod(mask.shape[1:]) < EXACT_FLOAT32
        counted = mask.sum(alike, dtype=torch.float32 if exact else torch.float64) if alike else mask
        flat = counted.reshape(rows, -1).double()
        return (flat @ self.each.flatten().to(flat)).cpu()


def fanned_out(
    values: Tensor, codes: Grid | None, rows: Axes | None, decodes: int, fans: Sequence[Fan]
) -> tuple[Tensor, ...]:
    """Return, as int64 sums per decode, per fan the sites with a non-zero input and those that need a multiplier.

    Parameters
    ----------
    values : Tensor, shape (*rows, *inputs)
        As many first axes as `rows` has; two where that is None.
    codes : Grid or None
    rows : Axes or None
        Of the first axes.
    decodes : int
    fans : sequence of Fan
        Over the other axes, flattened.
    """
    axes = 2 if rows is None else len(rows)
    flat = values.flatten(0, axes - 1)
    at_once = max(1, CACHED_ELEMENTS // max(math.prod(flat.shape[1:]), 1))
    chunks: list[Tensor] = []
    for part in flat.split(at_once):
        found = masks_of(part, codes)
        columns: list[Tensor] = []
        for fan in fans:
            fed = fan.products(found.present, len(part))
            if found.ungraded:
                columns += [fed, torch.zeros_like(fed)]
            else:
                columns += [fed, fed if found.graded is None else fan.products(found.graded, len(part))]
        chunks.append(torch.stack(columns, -1))
    sites = chunks[0] if len(chunks) == 1 else torch.cat(chunks)
    return per_decode(sites.unflatten(0, values.shape[:axes]), rows, decodes, kept=1).unbind(-1)


def event_units(values: Tensor, codes: Grid | None, rows: Axes | None, decodes: int) -> dict[str, Tensor]:
    """Return the events of inputs by value, int64 per decode, as ``input_units``; nothing where values are no counts.

    Parameters
    ----------
    values, codes, rows, decodes
        As in `fanned_out`.
    """
    if codes is None or codes.meaning != "events":
        return {}
    axes = 2 if rows is None else len(rows)
    units = (values / codes.scale).round().flatten(axes).sum(-1).to(torch.int64)
    return {"input_units": per_decode(units, rows, decodes)}


def nonzero_sums(values: Tensor, codes: Grid | None, axes: Axes | None, decodes: int) -> Tensor:
    """Return non-zero elements per decode, int64."""
    if values.dtype == torch.bool:
        return per_decode(values, axes, decodes)
    if codes is not None and is_binary(codes):
        mask = _ones(values, codes)
    elif codes is None:
        if axes is not None and not any(_may_hold_plain(part) for part in _parts(values)):
            return elements_per_decode(axes, decodes)
        mask = _compared(torch.ne, values, 0)
    else:
        mask = _compared(torch.gt, values.abs(), codes.scale / 2)
    last = axes is not None and values.dim() > 1 and not any(label for _, label in axes[-1])
    if axes is None or not last or values.shape[-1] >= EXACT_FLOAT32:
        return per_decode(mask, axes, decodes)
    return per_decode(mask.sum(-1), axes[:-1], decodes)  # float32 sums are the fast ones


def measured(work: Any) -> Any:
    """Return the work of one call with every count measured; one that all decodes share as a number."""
    looped = work.when == "loop"
    counts: dict[str, int | Tensor] = {}
    for what, value in work.counts.items():
        if isinstance(value, Measure):
            found = value.count([one.unsqueeze(0) for one in value.tensors], calls_axis(1, looped=looped))
            counts |= {each: one.squeeze(1) if looped else one for each, one in found.items()}
        else:
            counts[what] = value
    shared = {what: int(one) for what, one in counts.items() if isinstance(one, Tensor) and one.numel() == 1}
    return replace(work, counts={**counts, **shared})
