"""Complex numbers, as the real arithmetic they are.

A multiplication of two complex numbers is 4 multiplications and 2 additions, of a real and a complex one 2
multiplications; a complex addition is 2 additions; a magnitude 2 multiplications, 1 addition and 1 square root; an
angle one division and one look-up; an exponential 3 look-ups (exp, cos, sin) and 2 multiplications. A complex
product of matrices is a real one of twice the reduction and twice the outputs, a convolution four real ones and 2
additions an output. Operations with no rule here are listed as uncounted when an operand is complex.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from students.counting.axes import BatchAxisError, broadcast, drop, plain
from students.counting.calls import Call, Rule, sizing, tensors_of
from students.counting.dispatch import COMPLEX, Info, Tracer
from students.counting.records import FLOAT_ACCUMULATOR_BITS, Work
from students.counting.rules import moves, shaping
from students.counting.rules.charges import Signal, charge
from students.counting.rules.pointwise import is_power_of_two
from students.counting.rules.products import Operand, linear_counts, record_matmul

ONE: Mapping[str, Mapping[str, int]] = {
    "abs": {"multiply": 2, "add": 1, "square_root": 1},
    "angle": {"divide": 1, "lookup": 1},
    "exp": {"lookup": 3, "multiply": 2},
    "neg": {"add": 2},
    "_conj": {"add": 1},
    "conj_physical": {"add": 1},
    "square": {"multiply": 4, "add": 2},
    "reciprocal": {"multiply": 2, "add": 2, "divide": 2},
}
"""Operations per element of one complex operand."""


def _is_complex(value: object) -> bool:
    return value.is_complex() if isinstance(value, Tensor) else isinstance(value, complex)


def _each(call: Call) -> Mapping[str, int]:
    """Return operations per output element of two operands, either of which may be real."""
    named, name = call.named(), call.base_name
    if name in ONE:
        return ONE[name]
    both = _is_complex(named["self"]) and _is_complex(named["other"])
    if name in {"add", "sub", "rsub"}:
        if named.get("alpha", 1) != 1:
            raise BatchAxisError
        return {"add": 2 if both else 1}
    if name == "mul":
        return {"multiply": 4, "add": 2} if both else {"multiply": 2}
    if not _is_complex(named["other"]):
        return {"multiply": 2} if is_power_of_two(named["other"]) else {"divide": 2}
    # a / b = a conj(b) / |b|^2, one addition for the conjugate.
    return {"multiply": 6, "add": 4, "divide": 2} if both else {"multiply": 4, "add": 2, "divide": 2}


def _pointwise(tracer: Tracer, call: Call) -> Any:
    operands = [one for one in tensors_of((call.args, call.kwargs)) if tracer.is_dynamic(one)]
    infos = [tracer.read(one) for one in operands]
    out = call.run()
    known = [info.axes for info in infos if info.axes is not None]
    after = Info(broadcast(known, out.shape) if len(known) == len(infos) else None)
    source = max(operands, key=Tensor.numel)
    before = infos[[one is source for one in operands].index(True)]
    operations = {what: number * out.numel() for what, number in _each(call).items()}
    charge(tracer, call, "elementwise", (Signal(source, before), Signal(out, after)), operations)
    tracer.set_info(out, after)
    return out


def _sum(tracer: Tracer, call: Call) -> Any:
    """A sum of n complex numbers is 2(n - 1) additions; a mean 2 divisions more."""
    named, source = call.named(), call.named()["self"]
    info, out = tracer.read(source), call.run()
    dims = named.get("dim")
    dims = list(range(source.dim())) if not dims and dims != 0 else [dims] if isinstance(dims, int) else list(dims)
    axes = None if info.axes is None else drop(info.axes, dims, keep=int(bool(named.get("keepdim", False))))
    operations = {"add": 2 * (source.numel() - out.numel())}
    if call.name == "mean":
        count = source.numel() // max(out.numel(), 1)
        operations["multiply" if is_power_of_two(count) else "divide"] = 2 * out.numel()
    charge(tracer, call, "elementwise", (Signal(source, info), Signal(out, Info(axes))), operations)
    tracer.set_info(out, Info(axes))
    return out


def _split(tracer: Tracer, call: Call) -> Any:
    """Real and imaginary part side by side, on a last axis of two."""
    source = tensors_of((call.args, call.kwargs))[0]
    out, info = call.run(), tracer.info(source)
    tracer.set_info(out, Info(None if info.axes is None else (*info.axes, plain(2)), producer=info.producer))
    return out


def _joined(tracer: Tracer, call: Call) -> Any:
    source = tensors_of((call.args, call.kwargs))[0]
    out, info = call.run(), tracer.read(source)
    tracer.set_info(out, Info(None if info.axes is None else drop(info.axes, [-1])))
    return out


def _composed(tracer: Tracer, call: Call) -> Any:
    """Real and imaginary part put together: free. From magnitude and angle: 2 look-ups, 2 multiplications."""
    operands = [one for one in tensors_of((call.args, call.kwargs)) if tracer.is_dynamic(one)]
    infos = [tracer.read(one) for one in operands]
    out = call.run()
    known = [info.axes for info in infos if info.axes is not None]
    after = Info(broadcast(known, out.shape) if len(known) == len(infos) else None)
    if call.name == "polar":
        operations = {"lookup": 2 * out.numel(), "multiply": 2 * out.numel()}
        charge(tracer, call, "elementwise", (Signal(operands[0], infos[0]), Signal(out, after)), operations)
    tracer.set_info(out, after)
    return out


def _matmul(tracer: Tracer, call: Call) -> Any:
    """Matrix product with complex operands, every real multiplication a site.

    ``(a + ib)(c + id)`` in real form: ``[a b] [[c d] [-b c]]``, 4 sites for each complex one; 2 where one is real.
    """
    named = call.named()
    left, right = named["self"], next(named[name] for name in ("other", "mat2") if name in named)
    out = call.run()
    if left.dim() < 2 or right.dim() < 2:
        raise BatchAxisError
    if tracer.is_dynamic(right) and not tracer.is_dynamic(left):
        _constant(tracer, call, Operand(right.mT, _turned(tracer.read(right)), left, None), out)
        axes = tracer.info(right).axes
        tracer.set_info(out, Info(None if axes is None else (*axes[:-2], plain(out.shape[-2]), axes[-1])))
    elif tracer.is_dynamic(right):
        _two_signals(tracer, call, left, right, out)
    elif right.dim() > 2:
        _constants(tracer, call, left, right, out)
    else:
        info = tracer.read(left)
        _constant(tracer, call, Operand(left, info, right.mT, None), out)
        tracer.set_info(out, Info(None if info.axes is None else (*info.axes[:-1], plain(out.shape[-1]))))
    return out


def _turned(info: Info) -> Info:
    axes = info.axes
    return info if axes is None else replace(info, axes=(*axes[:-2], axes[-1], axes[-2]))


def _constant(tracer: Tracer, call: Call, operand: Operand, out: Tensor) -> None:
    """Count ``signal @ weight.T`` of a signal and a stored matrix, either or both complex."""
    signal, weight, info = operand.signal, operand.weight, operand.info
    if weight.dim() != 2:
        raise BatchAxisError
    parts = torch.view_as_real(weight.resolve_conj()) if weight.is_complex() else weight.unsqueeze(-1)
    weights = torch.cat(tuple(parts.unbind(-1)), dim=0)  # real and imaginary parts as separate outputs
    numbers = torch.view_as_real(signal.resolve_conj()).movedim(-1, 0) if signal.is_complex() else signal.unsqueeze(0)
    axes = None if info.axes is None else (plain(numbers.shape[0]), *info.axes)
    counts = linear_counts(tracer, Operand(numbers, Info(axes), weights, None), axes)
    bits = parts.element_size() * 8
    work = Work(
        kind="linear",
        input_shape=tracer.shape(signal, info),
        output_shape=tracer.shape(out, Info(None)) if info.axes is None else _output(info, out),
        counts=counts,
        when=tracer.when(info),
        reduction=numbers.shape[0] * weight.shape[1],
        weights=weights.numel(),
        weights_nonzero=int(weights.count_nonzero()),
        weights_key=tracer.weights_key(weight) or tracer.parameter_names.derived(tracer.label(call.name), weight),
        weight_bits=bits,
        activation_bits=numbers.element_size() * 8,
        output_bits=bits,
        accumulator_bits=FLOAT_ACCUMULATOR_BITS,
    )
    tracer.record(tracer.label(call.name, weight), work)


def _constants(tracer: Tracer, call: Call, left: Tensor, right: Tensor, out: Tensor) -> None:
    """Count ``signal @ weights`` of a batch of stored matrices: ``[a; b] @ [c d]``, which stores two words a weight."""
    info = tracer.read(left)
    signal = torch.cat((left.real, left.imag), dim=-2) if left.is_complex() else left.clone()
    weight = torch.cat((right.real, right.imag), dim=-1) if right.is_complex() else right
    tracer.set_info(signal, _resized(info, signal))
    real = signal @ weight
    record_matmul(tracer, call, signal, weight, real)
    axes = tracer.info(real).axes
    ends = plain(out.shape[-2]), plain(out.shape[-1])
    tracer.set_info(out, Info(None if axes is None else (*axes[:-2], *ends)))


def _scaled_sum(tracer: Tracer, call: Call) -> Any:
    """A product of matrices and an addition, neither of them scaled."""
    named = call.named()
    if named.get("alpha", 1) != 1 or named.get("beta", 1) != 1:
        tracer.mark_uncounted(call.name, "a scaled sum of complex numbers")
        return call.run()
    with tracer:
        return named["mat1"] @ named["mat2"] + named["self"]


def _convolution(tracer: Tracer, call: Call) -> Any:
    """``(a + ib) * (c + id)``: four real convolutions, two sums, and the offset (torch computes it otherwise)."""
    named = call.named()
    signal, weight, offset = named["input"], named["weight"], named.get("bias")
    options = {name: value for name, value in call.kwargs.items() if name not in {"input", "weight", "bias"}}
    filters = torch.view_as_real(weight.resolve_conj()).unbind(-1)
    with tracer:
        parts = torch.view_as_real(signal).unbind(-1)
        (ac, ad), (bc, bd) = (
            [call.function(part, one.contiguous(), None, *call.args[3:], **options) for one in filters]
            for part in parts
        )
        out = torch.complex(ac - bd, ad + bc)
        return out if offset is None else out + offset.view(-1, *(1,) * (weight.dim() - 2))


def _output(info: Info, out: Tensor) -> tuple[int, ...]:
    decodes = 1
    for axis in info.axes or ():
        for size, label in axis:
            decodes *= size if label else 1
    return (out.numel() // decodes,)


def _two_signals(tracer: Tracer, call: Call, left: Tensor, right: Tensor, out: Tensor) -> None:
    """Count a product of two signals in its real form, either of which may be real."""
    (first, before), (second, after) = _left(tracer, left, right), _right(tracer, right, left)
    tracer.set_info(first, before)
    tracer.set_info(second, after)
    real = first @ second
    record_matmul(tracer, call, first, second, real)
    axes = tracer.info(real).axes
    ends = plain(out.shape[-2]), plain(out.shape[-1])
    tracer.set_info(out, Info(None if axes is None else (*axes[:-2], *ends)))


def _left(tracer: Tracer, left: Tensor, right: Tensor) -> tuple[Tensor, Info]:
    """Return ``[a b]`` along the reduction, or one above the other where the right operand is real."""
    info = tracer.read(left)
    if not left.is_complex():
        return left.clone(), info
    full = torch.cat((left.real, left.imag), dim=-1 if right.is_complex() else -2)
    return full, _resized(info, full)


def _right(tracer: Tracer, right: Tensor, left: Tensor) -> tuple[Tensor, Info]:
    """Return ``[[c d] [-d c]]``, or ``[c d]`` beside a real left operand."""
    info = tracer.read(right)
    if not right.is_complex():
        return right.clone(), info
    full = torch.cat((right.real, right.imag), dim=-1)
    if left.is_complex():
        full = torch.cat((full, torch.cat((-right.imag, right.real), dim=-1)), dim=-2)
    return full, _resized(info, full)


def _resized(info: Info, full: Tensor) -> Info:
    axes = info.axes
    if axes is None:
        return Info(None)
    drop(axes, [-2, -1])
    return Info((*axes[:-2], plain(full.shape[-2]), plain(full.shape[-1])))


def rules() -> dict[str, Rule]:
    """Return the rules of complex operands (prefixed) and of what makes complex numbers, by operation name."""
    free = {**shaping.rules(), **moves.rules()}
    table: dict[str, Rule] = {
        **free,
        **dict.fromkeys((*ONE, "add", "sub", "rsub", "mul", "div"), _pointwise),
        **dict.fromkeys(("sum", "mean"), _sum),
        **dict.fromkeys(("matmul", "mm", "bmm"), sizing("self", "other", "mat2")(_matmul)),
        **dict.fromkeys(("conv1d", "conv2d", "conv3d"), sizing("weight")(_convolution)),
        "addmm": sizing("mat2")(_scaled_sum),
        "view_as_real": _split,
    }
    prefixed = {f"{COMPLEX}{name}": rule for name, rule in table.items()}
    return {**prefixed, "view_as_complex": _joined, "complex": _composed, "polar": _composed}
