"""Signals put on a grid (a requantisation an element, a look-up, or both), and operations on torch's quantised tensors.

A tensor that torch quantised (``quint8``, ``qint8``) holds codes, a scale and a zero point. An operation on it is
counted as the same on the numbers these stand for, which are on a grid, and its result as put on the result's grid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from energy_models.workload import Kind
from students.counting.axes import BatchAxisError
from students.counting.calls import Call, Rule, tensors_of
from students.counting.dispatch import QUANTISED, Info, Tracer
from students.counting.records import MULTIPLIER_BITS, Work
from students.counting.rules.charges import Signal, charged_work
from students.counting.rules.pointwise import LOOKUPS
from students.counting.rules.products import decodes_in
from students.deploy.ranges import TABLE_BITS
from students.layers.grid import Grid

BITS = {torch.quint8: 8, torch.qint8: 8, torch.qint32: 32, torch.quint4x2: 4}
"""Widths of a code [bits]."""
_PLAIN: Mapping[str, Any] = {
    "add": torch.ops.aten.add.Tensor,
    "add_relu": torch.ops.aten.add.Tensor,
    "mul": torch.ops.aten.mul.Tensor,
    "mul_relu": torch.ops.aten.mul.Tensor,
    "cat": torch.ops.aten.cat.default,
    "cat_relu": torch.ops.aten.cat.default,
}
"""Operations of torch's namespace ``quantized``, and what they do with the numbers before they are requantised."""


def put_on_grid(tracer: Tracer, label: tuple[str, Kind], signal: tuple[Tensor, Grid, Tensor], function: str) -> None:
    """Count a signal put on a grid, and remember its grid; one that is on it already needs nothing.

    Parameters
    ----------
    tracer : Tracer
    label : (name, kind) of the layer
        Kind ``activation`` where a ReLU is the clip.
    signal : (values before, grid, values after)
    function : {'clip', 'table'}
        What is done before rounding: nothing beyond clipping, or a non-linear function.
    """
    before, codes, after = signal
    info = tracer.info(before)
    if info.padded_steps:
        raise BatchAxisError
    if info.producer is not None:
        tracer.recorder.use(info.producer)
        tracer.recorder.requantised(info.producer, codes.bits)
    if not (info.codes == codes and label[1] == "quantise" and function == "clip"):
        _record_signal(tracer, label[0], (before, info, codes), function, named=label[1])
    tracer.set_info(after, Info(info.axes, codes))


def _record_signal(
    tracer: Tracer, name: str, signal: tuple[Tensor, Info, Grid], function: str, *, named: Any
) -> None:
    """Record a requantisation, or a function of each number.

    Integers of b bits address a table of 2^b entries, for each of their scales. Wider ones are compared with the
    numbers at which the result changes, by bisection, as a deployed graph does it. A float function is computed, and
    its result requantised.
    """
    values, info, codes = signal
    shape, each = tracer.shape(values, info), values.numel() // decodes_in(tracer, info)
    bits = info.bits(values)

    def write(  # noqa: PLR0917
        label: str, kind: Any, operation: str, widths: tuple[int, int], stored: tuple[int, int], times: int = 1
    ) -> None:
        work = Work(
            kind=kind,
            arithmetic="integer",
            input_shape=shape,
            output_shape=shape,
            when=tracer.when(info),
            counts={f"op:{operation}": each * times},
            activation_bits=widths[0],
            output_bits=widths[1],
            constants=stored[0],
            constant_bits=stored[1] if stored[0] else 0,
        )
        tracer.record(label, work)

    if function == "clip":
        write(name, named, "requantise", (bits, codes.bits), (info.scales, MULTIPLIER_BITS))
    elif info.arithmetic == "integer" and bits <= TABLE_BITS:
        write(name, "activation", "lookup", (bits, codes.bits), (info.scales * 2**bits, codes.bits))
    elif info.arithmetic == "integer":
        write(name, "activation", "compare", (bits, codes.bits), (info.scales * (2**codes.bits - 1), bits), codes.bits)
    else:
        write(f"{name}.function", "activation", "lookup", (bits, bits), (0, 0))
        write(name, "quantise", "requantise", (bits, codes.bits), (1, MULTIPLIER_BITS))


def grid_of(values: Tensor) -> Grid | None:
    """Return the grid of a tensor that torch quantised; None where it has several scales."""
    if values.qscheme() not in {torch.per_tensor_affine, torch.per_tensor_symmetric} or values.dtype not in BITS:
        return None
    signed = values.dtype in {torch.qint8, torch.qint32}
    return Grid(BITS[values.dtype], float(values.q_scale()), signed, int(values.q_zero_point()), span="full")


def numbers_of(tracer: Tracer, values: Tensor) -> Tensor:
    """Return the numbers that a quantised tensor stands for, known to be on its grid."""
    plain = values.dequantize()
    if tracer.is_dynamic(values):
        tracer.set_info(plain, replace(tracer.info(values), codes=grid_of(values)))
    return plain


def record_dequantised(tracer: Tracer, name: str, before: Tensor, after: Tensor) -> None:
    """Count one multiplication by the scale an element; the result is a float."""
    info = tracer.read(before)
    result = Info(info.axes)
    work = charged_work(tracer, "quantise", (Signal(before, info), Signal(after, result)), {"multiply": after.numel()})
    tracer.record(name, replace(work, arithmetic="float"))
    tracer.set_info(after, result)


def _quantise(tracer: Tracer, call: Call) -> Any:
    before, after = call.named()["self"], call.run()
    codes = grid_of(after)
    if codes is None:
        tracer.mark_uncounted(call.name, "a signal with several scales")
        tracer.set_info(after, Info(tracer.info(before).axes))
        return after
    put_on_grid(tracer, (tracer.label("quantise"), "quantise"), (before, codes, after), "clip")
    return after


def _quantised(tracer: Tracer, call: Call) -> Any:
    """Count an operation on quantised tensors by that on the numbers they stand for."""
    out = call.run()
    if call.base_name in {"dequantize", "_dequantize"}:
        record_dequantised(tracer, tracer.label("dequantise"), call.args[0], out)
        return out
    inside = call.function.namespace == "quantized"
    function = _PLAIN.get(call.base_name) if inside else call.function
    name = "" if function is None else str(function.overloadpacket.__name__)
    rule, results = tracer.rules.get(name) or tracer.rules.get(name.removesuffix("_")), tensors_of(out)
    if rule is None or len(results) != 1:
        raise NotImplementedError(f"no rule for {call.name} on quantised tensors")
    codes = grid_of(results[0]) if results[0].is_quantized else None
    if call.base_name in LOOKUPS and codes is not None:  # one table, whose entries are on the result's grid
        label: tuple[str, Kind] = (tracer.label(call.base_name), "activation")
        put_on_grid(tracer, label, (numbers_of(tracer, tensors_of(call.args)[0]), codes, results[0]), "table")
        return out
    args, kwargs = call.args, call.kwargs
    if inside:
        args, kwargs = [one for name, one in call.named().items() if name not in {"scale", "zero_point"}], {}
    args, kwargs = tree_map(lambda one: numbers_of(tracer, one) if _is_quantised(one) else one, (tuple(args), kwargs))
    made = tensors_of(rule(tracer, Call(function, name, args, kwargs)))
    _put_back(tracer, call, made[0], results[0], clipped=call.base_name.endswith("_relu"))
    return out


def _put_back(tracer: Tracer, call: Call, made: Tensor, result: Tensor, *, clipped: bool) -> None:
    """Put the result of a counted operation on the grid of the quantised one."""
    codes = grid_of(result) if result.is_quantized else None
    if codes is None:
        tracer.set_info(result, replace(tracer.info(made), codes=None))
    elif any(codes == grid_of(one) for one in tensors_of((call.args, call.kwargs)) if one.is_quantized) and not clipped:
        tracer.set_info(result, replace(tracer.info(made), codes=codes, word=0))
    else:
        kind: Kind = "activation" if clipped else "quantise"
        put_on_grid(tracer, (f"{tracer.label(call.base_name)}.{kind}", kind), (made, codes, result), "clip")


def _is_quantised(value: object) -> bool:
    return isinstance(value, Tensor) and value.is_quantized


def rules() -> dict[str, Rule]:
    """Return the rules of torch's quantised tensors: into one, and the rule of every operation on one."""
    return {"quantize_per_tensor": _quantise, QUANTISED: _quantised}
