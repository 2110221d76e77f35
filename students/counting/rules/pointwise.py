"""Arithmetic outside products: element by element, reductions, pooling, norms, softmax.

A sum of n numbers is n - 1 additions. A division by a power of two costs a multiplication by its exact reciprocal.
Non-linear functions are one table look-up an element; where torch offers a closed composite (softmax, layer norm) the
textbook steps are charged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from energy_models.workload import Kind
from students.counting.axes import broadcast, drop, plain
from students.counting.calls import Call, Rule, by_shape, repeating, sizing, tensors_of
from students.counting.dispatch import Info, Tracer
from students.counting.records import Work, on_different_grids, result_codes
from students.counting.rules.charges import Signal, charge
from students.counting.rules.products import decodes_in
from students.layers.grid import SPIKES

LOOKUPS = (
    "sigmoid",
    "tanh",
    "elu",
    "gelu",
    "silu",
    "selu",
    "celu",
    "exp",
    "expm1",
    "log",
    "log1p",
    "log2",
    "log10",
    "sin",
    "cos",
    "tan",
    "atan",
    "erf",
    "softplus",
    "mish",
    "logit",
    "log_sigmoid",
    "hardswish",
    "hardsigmoid",
    "exp2",
    "sinh",
    "cosh",
    "asin",
    "acos",
    "asinh",
    "acosh",
    "atanh",
    "erfc",
    "erfinv",
    "lgamma",
    "digamma",
    "sinc",
)
COMPARES = (
    "relu",
    "max",
    "min",
    "maximum",
    "minimum",
    "gt",
    "lt",
    "ge",
    "le",
    "eq",
    "ne",
    "abs",
    "sign",
    "relu6",
    "hardtanh",
    "clamp",
    "clamp_min",
    "clamp_max",
    "threshold",
    "isnan",
    "isinf",
    "isfinite",
    "nan_to_num",
    "heaviside",
    "sgn",
    "signbit",
    "copysign",
)
BITWISE = (
    "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not", "__and__", "__or__", "__xor__",
    "bitwise_left_shift", "bitwise_right_shift", "__lshift__", "__rshift__",
)  # fmt: skip
_GROUPS: tuple[tuple[tuple[str, ...], dict[str, int]], ...] = (
    (LOOKUPS, {"lookup": 1}),
    (COMPARES, {"compare": 1}),
    (("relu6", "hardtanh"), {"compare": 2}),
    (("leaky_relu", "prelu"), {"compare": 1, "multiply": 1}),
    (("add", "sub", "rsub", "neg", "subtract"), {"add": 1}),
    (("mul", "square", "multiply"), {"multiply": 1}),
    (("sqrt",), {"square_root": 1}),
    (("rsqrt",), {"square_root": 1, "divide": 1}),
    (("reciprocal",), {"divide": 1}),
    (("lerp",), {"add": 2, "multiply": 1}),
    (("round", "floor", "ceil", "trunc", "frac"), {"add": 1}),
    (("hardshrink",), {"compare": 2}),
    (("softshrink",), {"compare": 2, "add": 1}),
    (("rrelu_with_noise",), {"compare": 1, "multiply": 1}),
    (("addcmul",), {"multiply": 1, "add": 1}),
    (("addcdiv",), {"divide": 1, "add": 1}),
    (("atan2",), {"divide": 1, "lookup": 1}),
    (("hypot",), {"multiply": 2, "add": 1, "square_root": 1}),
    (("logaddexp",), {"compare": 2, "add": 2, "lookup": 2}),
    (("xlogy",), {"lookup": 1, "multiply": 1}),
    (BITWISE, {"add": 1}),
    (("where", "masked_fill", "logical_and", "logical_not", "logical_or", "logical_xor"), {}),
)
PER_ELEMENT: Mapping[str, Mapping[str, int]] = {name: each for names, each in _GROUPS for name in names}
"""Operations per output element. A selection by a mask moves numbers only, and logic on booleans is free.

A rounding is one addition (of a half, then the fraction is dropped), and so is a bitwise operation on integers.
"""

DIVISIONS = ("div", "divide", "true_divide", "floor_divide", "remainder", "fmod")
PREDICATES = frozenset(("gt", "lt", "ge", "le", "eq", "ne", "logical_and", "logical_or", "logical_not", "logical_xor",
                        "isnan", "isinf", "isfinite", "signbit"))
SELECTIONS = frozenset((*COMPARES, *BITWISE, "where", "masked_fill"))
KEEPS_CODES = frozenset(("relu", "max_pool1d", "max_pool2d", "max_pool3d"))
ACTIVATIONS = frozenset((*LOOKUPS, "relu", "relu6", "hardtanh", "leaky_relu", "prelu", "softmax", "log_softmax",
                          "hardshrink", "softshrink", "rrelu_with_noise", "threshold"))


def per_element(tracer: Tracer, call: Call) -> Any:
    """Charge an operation element by element; operands broadcast."""
    operands = [one for one in tensors_of((call.args, call.kwargs)) if tracer.is_dynamic(one)]
    source = max(operands, key=Tensor.numel)
    shape, infos = source.shape, [tracer.read(one) for one in operands]  # before running: it may work in place
    out = call.run()
    name = call.base_name
    known_axes = [info.axes for info in infos if info.axes is not None]
    known = len(known_axes) == len(infos)
    codes = infos[0].codes if name in KEEPS_CODES else SPIKES if name in PREDICATES else None
    codes = codes or result_codes(name, [info.codes for info in infos])
    word = 0 if codes else _result_word(name, out, word_of(operands, infos), infos)
    after = Info(broadcast(known_axes, out.shape) if known else None, codes, word=word)
    each = _each(tracer, name, call)
    if name in {"add", "sub"} and on_different_grids([(info.codes, info.word) for info in infos]):
        each = {**each, "requantise": 1}  # one of them is put on the other's grid first
    if each:
        before = Info(broadcast(known_axes, shape) if known else None, infos[0].codes, word=word_of(operands, infos))
        kind: Kind = "activation" if name in ACTIVATIONS else "elementwise"
        operations = {what: number * out.numel() for what, number in each.items()}
        charge(tracer, call, kind, (Signal(source, before), Signal(out, after)), operations)
    tracer.set_info(out, after)
    return out


def _by_value(tracer: Tracer, call: Call) -> Any:
    """Operations whose cost depends on the number in a constant operand."""
    return per_element(tracer, call)


def word_of(operands: Sequence[Tensor], infos: Sequence[Info]) -> int:
    """Return the width of an elementwise result, if every operand is an integer when deployed; else 0."""
    if any(info.arithmetic == "float" for info in infos):
        return 0
    return max(info.bits(one) for one, info in zip(operands, infos, strict=True))


def _result_word(name: str, out: Tensor, word: int, infos: Sequence[Info]) -> int:
    """Return the width of a result of operands of so many bits: spikes that are calculated with become numbers."""
    chosen = name in SELECTIONS or (name in {"mul", "multiply"} and len(infos) > 1)  # of two spikes: both or neither
    return word if chosen or any(info.codes != SPIKES for info in infos) else out.element_size() * 8


def _each(tracer: Tracer, name: str, call: Call) -> Mapping[str, int]:
    """Return operations per output element, where the arguments decide."""
    named = call.named()
    if name in {"add", "sub"} and named.get("alpha", 1) != 1:
        return {"add": 1, "multiply": 1}
    if name == "clamp":
        return {"compare": (named.get("min") is not None) + (named.get("max") is not None)}
    if name in DIVISIONS:
        division = "multiply" if is_power_of_two(named["other"]) else "divide"
        rounded = name == "floor_divide" or named.get("rounding_mode") is not None
        if name in {"remainder", "fmod"}:  # a - floor(a / b) * b
            return {"divide": 1, "multiply": 1, "add": 2} if division == "divide" else {"multiply": 2, "add": 2}
        return {division: 1, "add": 1} if rounded else {division: 1}
    if name == "pow":
        exponent = named.get("exponent")
        return {"multiply": 1} if isinstance(exponent, int | float) and exponent == 2 else {"lookup": 1}
    if name in {"addcmul", "addcdiv"} and named.get("value", 1) != 1:
        return {**PER_ELEMENT[name], "multiply": PER_ELEMENT[name].get("multiply", 0) + 1}
    if name == "frac":
        return {"add": 2}
    if name in BITWISE and all(one.dtype == torch.bool for one in tensors_of((call.args, call.kwargs))):
        return {}
    return PER_ELEMENT[name]


def is_power_of_two(divisor: object) -> bool:
    """Return whether a division by this number is exact as a multiplication."""
    if isinstance(divisor, Tensor) and divisor.dim() == 0:
        divisor = divisor.item()
    return isinstance(divisor, int | float) and divisor > 0 and math.frexp(divisor)[0] == 0.5


def _softmax(tracer: Tracer, call: Call) -> Any:
    named = call.named()
    source, out = named["self"], call.run()
    charge_softmax(tracer, call, source, out, int(named["dim"]))
    return out


def charge_softmax(tracer: Tracer, call: Call, source: Tensor, out: Tensor, dim: int) -> None:
    """Per row of n: n - 1 compares (largest), n subtractions, n look-ups, n - 1 additions, n divisions.

    Its logarithm: one more look-up and n subtractions in place of the divisions.
    """
    info, dim = tracer.read(source), dim % source.dim()
    if info.axes is not None:
        drop(info.axes, [dim])  # a softmax over decodes would mix them
    total, rows = source.numel(), source.numel() // source.shape[dim]
    operations = {"compare": total - rows, "add": 2 * total - rows, "lookup": total}
    operations |= {"lookup": total + rows, "add": 3 * total - rows} if "log" in call.name else {"divide": total}
    after = Info(info.axes)  # its quotients are no integers: the arithmetic is float
    charge(tracer, call, "activation", (Signal(source, after), Signal(out, after)), operations)
    tracer.set_info(out, after)


def _gated(tracer: Tracer, call: Call) -> Any:
    """A gated linear unit: half of the elements pass a sigmoid, one look-up each, and multiply the other half."""
    named = call.named()
    source = named["self"]
    info, out = tracer.read(source), call.run()
    axes = info.axes
    if axes is not None:
        dim = int(named["dim"]) % source.dim()
        drop(axes, [dim])
        axes = (*axes[:dim], plain(out.shape[dim]), *axes[dim + 1 :])
    after = Info(axes)
    operations = {"lookup": out.numel(), "multiply": out.numel()}
    charge(tracer, call, "activation", (Signal(source, info), Signal(out, after)), operations)
    tracer.set_info(out, after)
    return out


def affine_work(tracer: Tracer, signal: Tensor, info: Info, channels: int, key: str) -> Work:
    """Return a per-channel scale and offset that does not fold: one multiplication and one addition an element."""
    elements = signal.numel() // decodes_in(tracer, info)
    shape = tracer.shape(signal, info)
    bits = info.bits(signal)
    return Work(
        kind="norm",
        arithmetic=info.arithmetic,
        input_shape=shape,
        output_shape=shape,
        counts={"op:multiply": elements, "op:add": elements},
        when=tracer.when(info),
        weights=channels,
        weights_nonzero=channels,
        biases=channels,
        weights_key=key,
        weight_bits=bits,
        bias_bits=bits,
        activation_bits=bits,
        output_bits=bits,
    )


def _batch_norm(tracer: Tracer, call: Call) -> Any:
    """A batch norm folds into the product whose output it alone reads; else it is a scale and an offset."""
    named, out = call.named(), call.run()
    signal, normed = named["input"], tensors_of(out)[0]
    info = tracer.read(signal)
    if named.get("training", False) or named.get("running_mean") is None:
        tracer.mark_uncounted(call.name, "a batch norm that uses the statistics of the batch mixes decodes")
        return out
    name = tracer.label("batch_norm")
    tracer.set_info(normed, fold_affine(tracer, name, signal, info, named["running_mean"].numel()))
    return out


def fold_affine(tracer: Tracer, name: str, signal: Tensor, info: Info, channels: int) -> Info:
    """Fold a per-channel scale and offset into the product before it, or write it down; return its output's info."""
    work = affine_work(tracer, signal, info, channels, name)
    if info.producer is None:
        tracer.record(name, work)
        return replace(info, codes=None, pads=(), origin=0)
    producer = tracer.recorder.fold(info.producer, name, work)
    return replace(info, codes=None, pads=(), origin=0, producer=producer, scales=channels)


def rules() -> dict[str, Rule]:
    """Return the rules of element-by-element arithmetic, softmax and batch norm, by operation name."""
    return {
        **dict.fromkeys(PER_ELEMENT, by_shape(per_element)),
        **dict.fromkeys((*DIVISIONS, "pow"), repeating(_by_value)),
        **dict.fromkeys(("softmax", "_softmax", "log_softmax", "_log_softmax"), _softmax),
        **dict.fromkeys(
            ("batch_norm", "_native_batch_norm_legit_no_training"),
            sizing("weight", "bias", "running_mean", "running_var")(_batch_norm),
        ),
        "glu": _gated,
    }
