"""Pooling and interpolation, every tap on the signal exactly.

An average of k numbers is k - 1 additions and one division (an exact multiplication where the divisor is a power of
two), a maximum k - 1 compares. Zeros that padding adds are no numbers: where a window hangs over the border, k is
smaller there, whether or not the divisor counts them. Linear interpolation is 2^d - 1 linear steps an output in d
dimensions, each ``a + w (b - a)``: two additions, one multiplication; cubic 5 sums of 4 products.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from students.counting.axes import AHEAD, Axes, BatchAxisError, drop, plain, steps_of
from students.counting.calls import Call, Rule, tensors_of
from students.counting.dispatch import Info, Tracer
from students.counting.records import codes_of_average
from students.counting.rules.charges import Signal, charge, charged_work
from students.counting.rules.convolution import sizes_of
from students.counting.rules.pointwise import is_power_of_two, word_of
from students.counting.rules.products import decodes_in
from students.counting.rules.streams import Sliding, add_ring_buffer, slid_axis
from students.layers.grid import SPIKES, Grid

INTERPOLATIONS: Mapping[str, Mapping[str, int]] = {
    "upsample_linear1d": {"add": 2, "multiply": 1},
    "upsample_bilinear2d": {"add": 6, "multiply": 3},
    "upsample_trilinear3d": {"add": 14, "multiply": 7},
    "upsample_bicubic2d": {"add": 15, "multiply": 20},
}


def _windows(named: Mapping[str, Any], source: Tensor, result: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Return (numbers, divisor) of every output position, shape of the result's last rank, int64."""
    numbers = divisor = torch.ones((), dtype=torch.int64)
    for axis in range(rank):
        length, output = source.shape[axis - rank], result.shape[axis - rank]
        taps, spans = _taps(named, (axis, rank), length, output)
        numbers, divisor = numbers.unsqueeze(-1) * taps, divisor.unsqueeze(-1) * spans
    override = named.get("divisor_override")
    if override:
        divisor = torch.full_like(divisor, int(override))
    elif not named.get("count_include_pad", True):
        divisor = numbers
    return numbers, divisor


def _taps(named: Mapping[str, Any], place: tuple[int, int], length: int, output: int) -> tuple[Tensor, Tensor]:
    """Return along one axis how many numbers each output reads, and how many with its padding."""
    axis, rank = place
    positions = torch.arange(output)
    if "kernel_size" not in named:  # adaptive: from floor(i n / m) to ceil((i + 1) n / m)
        taps = -((-(positions + 1) * length) // output) - positions * length // output
        return taps, taps
    kernel = sizes_of(named["kernel_size"], rank)[axis]
    stride = sizes_of(named["stride"], rank)[axis] if named.get("stride") else kernel
    before, dilation = sizes_of(named["padding"], rank)[axis], sizes_of(named.get("dilation", 1), rank)[axis]
    starts = positions * stride - before
    inside = starts.unsqueeze(1) + torch.arange(kernel) * dilation
    taps = ((inside >= 0) & (inside < length)).sum(1)
    return taps, (starts + kernel).clamp(max=length + before) - starts


def _pooled(
    named: Mapping[str, Any], info: Info, result: Tensor, rank: int
) -> tuple[Axes | None, Sliding | None]:
    """Return a pool's output axes, and how it slides along the steps of a stream, where it does."""
    axes, sliding = info.axes, None
    if axes is None:
        return None, None
    pooled = [plain(size) for size in result.shape[-rank:]]
    for place in range(rank):
        axis = axes[place - rank]
        if steps_of(axis) is None or "kernel_size" not in named:
            drop(axes, [place - rank])
            continue
        taps = sizes_of(named["kernel_size"], rank)[place]
        stride = sizes_of(named["stride"], rank)[place] if named["stride"] not in (None, []) else taps
        sliding = Sliding(taps, stride, sizes_of(named.get("dilation", 1), rank)[place])
        if sizes_of(named["padding"], rank)[place] or named["ceil_mode"]:
            raise BatchAxisError(AHEAD)
        pooled[place] = ((result.shape[place - rank], slid_axis(axis, sliding)),)
    return (*axes[:-rank], *pooled), sliding


def _pool(tracer: Tracer, call: Call) -> Any:
    named = call.named()
    source: Tensor = named["self"]
    info, out = tracer.read(source), call.run()
    result = tensors_of(out)[0]
    rank = int("".join(letter for letter in call.name if letter.isdigit())[-1:] or 1)
    axes, sliding = _pooled(named, info, result, rank)
    numbers, divisor = _windows(named, source, result, rank)
    rows = result.numel() // numbers.numel()
    mean, bits = "avg" in call.name, tracer.contexts[-1].average_bits
    codes = info.codes if not mean else None if bits else _average_codes(info, numbers, divisor)
    operations = {"add" if mean else "compare": int((numbers - 1).clamp(min=0).sum()) * rows}
    if mean and not bits and codes is None:
        for size in divisor[divisor > 1].tolist():
            name = "multiply" if is_power_of_two(size) else "divide"
            operations[name] = operations.get(name, 0) + rows
    word = bits or (result.element_size() * 8 if mean and info.codes == SPIKES else word_of([source], [info]))
    after = Info(axes, codes, word=0 if codes else word)
    work = charged_work(tracer, "pool", (Signal(source, info), Signal(result, after)), {})
    decodes = decodes_in(tracer, after)
    counts = {f"op:{name}": number // decodes for name, number in operations.items()}
    sliding = sliding or Sliding(1)
    fresh = replace(work, counts=counts, input_shape=sliding.fresh(work.input_shape), when=tracer.when(after))
    key = tracer.record(tracer.label(call.name), fresh)
    add_ring_buffer(tracer, key, (source, info), math.prod(work.input_shape), sliding)
    for tensor in tensors_of(out):
        tracer.set_info(tensor, after)
    return out


def _average_codes(info: Info, numbers: Tensor, divisor: Tensor) -> Grid | None:
    """Return the grid of an average, where every output gathers and divides alike."""
    size = int(numbers.max())
    even = bool((numbers == size).all()) and bool((divisor == size).all())
    return codes_of_average(info.codes, size) if even else None


def _interpolated(tracer: Tracer, call: Call) -> Any:
    source = tensors_of((call.args, call.kwargs))[0]
    info, out = tracer.read(source), call.run()
    axes = info.axes
    if axes is not None:
        drop(axes, range(2, out.dim()))
        axes = (*axes[:2], *(plain(size) for size in out.shape[2:]))
    after = Info(axes)
    operations = {name: each * out.numel() for name, each in INTERPOLATIONS[call.name].items()}
    charge(tracer, call, "elementwise", (Signal(source, info), Signal(out, after)), operations)
    tracer.set_info(out, after)
    return out


def rules() -> dict[str, Rule]:
    """Return the rules of pooling and interpolation, by operation name."""
    pools = [f"{kind}_pool{rank}d" for kind in ("avg", "max", "adaptive_avg", "adaptive_max") for rank in (1, 2, 3)]
    pools += [f"{name}_with_indices" for name in pools if "max" in name]
    return {**dict.fromkeys(pools, _pool), **dict.fromkeys(INTERPOLATIONS, _interpolated)}
