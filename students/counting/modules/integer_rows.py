"""Softmax and norms in integers, whose results need a whole row: their operations a row, apart by width.

Of a row of n numbers, in the equations of ``docs/concepts/quantised_attention.md``:

    softmax: n requantisations to scores; n - 1 comparisons, 2n - 1 additions, n look-ups, a division, n requantisations
    norm:    3n - 1 additions (n - 1 fewer without a mean), 2n multiplications, a root, a division, n requantisations

A requantisation by the row's own reciprocal is a multiplication, a rounding and a shift as any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from energy_models.workload import Kind
from students.counting.axes import drop
from students.counting.calls import tensors_of
from students.counting.dispatch import Info, Tracer
from students.counting.modules.integer_attention import count_integer_attention
from students.counting.modules.neurons import ModuleCounter
from students.counting.records import MULTIPLIER_BITS, Work
from students.counting.rules.products import decodes_in
from students.kernels.row_grid import EXPONENTIAL_ENTRIES, NORM_BITS, SCORE_BITS

EXPONENTIAL_WORD = 16
"""Width of an exponential in its table [bits]."""


def rows_counter(reading: Any, module: nn.Module) -> ModuleCounter | None:
    """Return how a part of integer attention, or a norm, is counted whole; None for any other module."""
    if reading is None:
        return None
    if reading.is_exact_sums(module):
        return _exact
    if reading.is_integer_softmax(module):
        return _softmax
    if reading.is_integer_attention(module):
        return count_integer_attention
    return _norm if reading.is_integer_norm(module) else None


def _exact(tracer: Tracer, module: nn.Module, signal: Tensor, output: Any) -> None:
    """Count nothing: the product before it is in integers."""
    tracer.set_info(output, tracer.info(signal))


def _softmax(tracer: Tracer, module: Any, signal: Tensor, output: Any) -> None:
    info = _along_rows(tracer, signal, 1)
    total, rows = signal.numel(), signal.numel() // signal.shape[-1]
    if info.producer is not None:
        tracer.recorder.requantised(info.producer, SCORE_BITS)
    scales = info.scales if info.codes is None else 1
    _write(tracer, "scores", (signal, info), "quantise", {"requantise": total}, (info.bits(signal), SCORE_BITS), scales)
    operations = {
        "compare": total - rows, "add": 2 * total - rows, "lookup": total, "divide": rows, "requantise": total,
    }  # fmt: skip
    work = _work(tracer, (signal, info), "activation", operations, (SCORE_BITS, module.grid.bits))
    tracer.record(
        tracer.path, replace(work, constants=EXPONENTIAL_ENTRIES, constant_bits=EXPONENTIAL_WORD)
    )
    tracer.set_info(tensors_of(output)[0], Info(info.axes, module.grid))


def _norm(tracer: Tracer, module: Any, signal: Tensor, output: Any) -> None:
    axes = signal.ndim - 1
    length = module.length(tuple(signal.shape[1:]))
    taken = 1
    while taken < axes and _size(signal, taken) < length:
        taken += 1
    info = _along_rows(tracer, signal, taken)
    total, rows = signal.numel(), signal.numel() // length
    means = total - rows if module.steps.centred else 0
    subtractions = total if module.steps.centred else 0
    operations = {
        "add": means + subtractions + total, "multiply": 2 * total, "square_root": rows, "divide": rows,
        "requantise": total,
    }  # fmt: skip
    _write(tracer, "", (signal, info), "norm", operations, (info.bits(signal), NORM_BITS), 0)
    factor, _ = module.affine(axes)
    tracer.set_info(output, Info(info.axes, word=NORM_BITS, scales=1 if factor is None else factor.numel()))


def _size(signal: Tensor, axes: int) -> int:
    size = 1
    for length in signal.shape[signal.ndim - axes :]:
        size *= length
    return size


def _along_rows(tracer: Tracer, signal: Tensor, axes: int) -> Info:
    """Return what is known of a signal whose last axes make up rows; decodes and steps are not mixed by a row."""
    info = tracer.read(signal)
    if info.axes is not None:
        drop(info.axes, list(range(signal.ndim - axes, signal.ndim)))
    return info


def _write(  # noqa: PLR0917  a name, the signal, then the figures
    tracer: Tracer, name: str, signal: tuple[Tensor, Info], kind: Kind, operations: Mapping[str, int],
    bits: tuple[int, int], scales: int,
) -> None:  # fmt: skip
    work = _work(tracer, signal, kind, operations, bits)
    if scales:
        work = replace(work, constants=scales, constant_bits=MULTIPLIER_BITS)
    tracer.record(f"{tracer.path}.{name}".removesuffix("."), work)


def _work(
    tracer: Tracer, signal: tuple[Tensor, Info], kind: Kind, operations: Mapping[str, int], bits: tuple[int, int]
) -> Work:
    values, info = signal
    shape, decodes = tracer.shape(values, info), decodes_in(tracer, info)
    return Work(
        kind=kind, arithmetic="integer", input_shape=shape, output_shape=shape, when=tracer.when(info),
        counts={f"op:{name}": number // decodes for name, number in operations.items()}, activation_bits=bits[0],
        output_bits=bits[1],
    )  # fmt: skip
