"""Arithmetic outside products: element by element, reductions, pooling, norms, softmax.

A sum of n numbers is n - 1 additions. A division by a power of two costs a multiplication by its exact reciprocal.
Non-linear functions are one table look-up an element; where torch offers a closed composite (softmax, layer norm) the
textbook steps are charged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from energy_models.workload import Kind
from students.counting.integers import codes_of_average, on_different_grids, result_codes
from students.counting.layout import AHEAD, AxisLost, Layout, broadcast, drop, plain, steps_of
from students.counting.ledger import Work
from students.counting.operands import Info
from students.counting.products import decodes_in, element_bits
from students.counting.streams import Sliding, keep, slid_axis
from students.counting.tracer import Call, Rule, Tracer, tensors_of
from students.grid import SPIKES

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
)
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
    (("where", "masked_fill", "logical_and", "logical_not", "logical_or"), {}),
)
PER_ELEMENT: Mapping[str, Mapping[str, int]] = {name: each for names, each in _GROUPS for name in names}
"""Operations per output element; a selection by a mask moves numbers only."""

PREDICATES = frozenset(("gt", "lt", "ge", "le", "eq", "ne", "logical_and", "logical_or", "logical_not"))
KEEPS_CODES = frozenset(("relu", "max_pool1d", "max_pool2d", "max_pool3d"))
ACTIVATIONS = frozenset((*LOOKUPS, "relu", "relu6", "hardtanh", "leaky_relu", "prelu", "softmax", "log_softmax"))


@dataclass(frozen=True, slots=True)
class _Signal:
    """A tensor with what is known of it."""

    values: Tensor
    info: Info


def _book(
    tracer: Tracer, call: Call, kind: Kind, signals: tuple[_Signal, _Signal], operations: Mapping[str, int]
) -> Work:
    """Write a layer without products from its input and output; `operations` are those of the whole call."""
    work = _work(tracer, kind, signals, operations)
    source = signals[0].info
    if source.codes is not None and operations.keys() == {"lookup"}:  # of a signal on a grid: a table of all its codes
        work = replace(work, constants=2**source.codes.bits, constant_bits=work.output_bits)
    tracer.book(tracer.label(call.name.rstrip("_")), work)
    return work


def _work(tracer: Tracer, kind: Kind, signals: tuple[_Signal, _Signal], operations: Mapping[str, int]) -> Work:
    source, result = signals
    decodes = decodes_in(tracer, source.info)
    return Work(
        kind=kind,
        input_shape=tracer.shape(source.values, source.info),
        output_shape=tracer.shape(result.values, result.info),
        counts={f"op:{name}": number // decodes for name, number in operations.items()},
        when=tracer.when(source.info),
        arithmetic=source.info.arithmetic,
        activation_bits=source.info.bits(source.values),
        output_bits=result.info.bits(result.values),
    )


def _per_element(tracer: Tracer, call: Call) -> Any:
    operands = [one for one in tensors_of((call.args, call.kwargs)) if tracer.is_dynamic(one)]
    source = max(operands, key=Tensor.numel)
    shape, infos = source.shape, [tracer.read(one) for one in operands]  # before running: it may work in place
    out = call.run()
    name = call.name.rstrip("_")
    layouts = [info.layout for info in infos if info.layout is not None]
    known = len(layouts) == len(infos)
    codes = infos[0].codes if name in KEEPS_CODES else SPIKES if name in PREDICATES else None
    codes = codes or result_codes(name, [info.codes for info in infos])
    after = Info(broadcast(layouts, out.shape) if known else None, codes, word=0 if codes else _word(operands, infos))
    each = _each(tracer, name, call)
    if name in {"add", "sub"} and on_different_grids([(info.codes, info.word) for info in infos]):
        each = {**each, "requantise": 1}  # one of them is put on the other's grid first
    if each:
        before = Info(broadcast(layouts, shape) if known else None, infos[0].codes, word=_word(operands, infos))
        kind: Kind = "activation" if name in ACTIVATIONS else "elementwise"
        operations = {what: number * out.numel() for what, number in each.items()}
        _book(tracer, call, kind, (_Signal(source, before), _Signal(out, after)), operations)
    tracer.know(out, after)
    return out


def _word(operands: Sequence[Tensor], infos: Sequence[Info]) -> int:
    """Return the width of an elementwise result, if every operand is an integer when deployed; else 0."""
    if any(info.arithmetic == "float" for info in infos):
        return 0
    return max(info.bits(one) for one, info in zip(operands, infos, strict=True))


def _each(tracer: Tracer, name: str, call: Call) -> Mapping[str, int]:
    """Return operations per output element, where the arguments decide."""
    named = call.named()
    if name in {"add", "sub"} and named.get("alpha", 1) != 1:
        return {"add": 1, "multiply": 1}
    if name == "clamp":
        return {"compare": (named.get("min") is not None) + (named.get("max") is not None)}
    if name in {"div", "divide", "true_divide"}:
        return {"multiply": 1} if _power_of_two(named["other"]) else {"divide": 1}
    if name == "pow":
        return {"multiply": 1} if named.get("exponent") == 2 else {"lookup": 1}
    return PER_ELEMENT[name]


def _power_of_two(divisor: object) -> bool:
    if isinstance(divisor, Tensor) and divisor.dim() == 0:
        divisor = divisor.item()
    return isinstance(divisor, int | float) and divisor > 0 and math.frexp(divisor)[0] == 0.5


def _reduction(tracer: Tracer, call: Call) -> Any:
    """sum, mean, variance, extremes over axes."""
    named = call.named()
    if isinstance(named.get("other"), Tensor):
        return _per_element(tracer, call)  # the larger or smaller of two tensors
    source, name = named["self"], call.name
    info, out = tracer.read(source), call.run()
    dims = named.get("dim")
    dims = list(range(source.dim())) if dims is None or dims == [] else [dims] if isinstance(dims, int) else list(dims)
    result = tensors_of(out)[0]
    layout = None if info.layout is None else drop(info.layout, dims, keep=int(bool(named.get("keepdim", False))))
    after, spread = Info(layout, word=_word([source], [info])), source.numel() // max(result.numel(), 1)
    gathered, means = source.numel() - result.numel(), result.numel()
    squared = {"add": 2 * gathered + source.numel(), "multiply": source.numel(), "divide": 2 * means}
    operations = {
        "sum": {"add": gathered},
        "mean": {"add": gathered, **_average(means, spread)},
        "var": squared,
        "std": {**squared, "square_root": means},
    }.get(name, {"compare": gathered})
    _book(tracer, call, "elementwise", (_Signal(source, info), _Signal(result, after)), operations)
    for tensor in tensors_of(out):
        tracer.know(tensor, after)
    return out


def _average(outputs: int, count: int) -> dict[str, int]:
    if count == 1:
        return {}
    return {"multiply" if _power_of_two(count) else "divide": outputs}


def _softmax(tracer: Tracer, call: Call) -> Any:
    """Per row of n: n - 1 compares (largest), n subtractions, n look-ups, n - 1 additions, n divisions.

    Its logarithm: one more look-up and n subtractions in place of the divisions.
    """
    named = call.named()
    source = named["self"]
    info, out = tracer.read(source), call.run()
    dim = int(named["dim"]) % source.dim()
    if info.layout is not None:
        drop(info.layout, [dim])  # a softmax over decodes would mix them
    total, rows = source.numel(), source.numel() // source.shape[dim]
    operations = {"compare": total - rows, "add": 2 * total - rows, "lookup": total}
    operations |= {"lookup": total + rows, "add": 3 * total - rows} if "log" in call.name else {"divide": total}
    after = Info(info.layout)  # its quotients are no integers: the arithmetic is float
    _book(tracer, call, "activation", (_Signal(source, after), _Signal(out, after)), operations)
    tracer.know(out, after)
    return out


def _layer_norm(tracer: Tracer, call: Call) -> Any:
    """Per row of n: mean, variance, one square root and one division, then n scalings; affine if there is one."""
    named = call.named()
    source = named["input"]
    info, out = tracer.read(source), call.run()
    width = math.prod(named["normalized_shape"])
    if info.layout is not None:
        drop(info.layout, range(-len(named["normalized_shape"]), 0))
    total, rows = source.numel(), source.numel() // width
    affine = named.get("weight") is not None
    operations = {
        "add": 3 * total - rows + (total if named.get("bias") is not None else 0),
        "multiply": 2 * total + (total if affine else 0),
        "divide": 3 * rows,
        "square_root": rows,
    }
    after, stored = Info(info.layout), [one for one in (named.get("weight"), named.get("bias")) if one is not None]
    work = _work(tracer, "norm", (_Signal(source, info), _Signal(out, after)), operations)
    if stored:
        sizes, bits = [one.numel() for one in stored], element_bits(stored[0])
        work = replace(
            work,
            weights=sizes[0],
            weights_nonzero=int(stored[0].count_nonzero()),
            biases=sum(sizes[1:]),
            weights_key=tracer.weights_key(stored[0]),
            weight_bits=bits,
            bias_bits=bits,
        )
    tracer.book(tracer.label(call.name), work)
    tracer.know(out, after)
    return out


def _pool(tracer: Tracer, call: Call) -> Any:
    """Average: additions and one division an output; maximum: compares. Padding taps are charged as taps."""
    named = call.named()
    source: Tensor = named["self"]
    info, out = tracer.read(source), call.run()
    result = tensors_of(out)[0]
    axes = int("".join(letter for letter in call.name if letter.isdigit())[-1:] or 1)
    layout, sliding = _pooled(named, info, result, axes)
    window = _window(named, source, result, axes)
    gathered = result.numel() * (window - 1)
    average, bits = "avg" in call.name, tracer.frames[-1].average_bits
    codes = info.codes if not average else None if bits else codes_of_average(info.codes, window)
    operations = {"add": gathered} if average else {"compare": gathered}
    if average and not bits and codes is None:
        operations |= _average(result.numel(), window)
    after = Info(layout, codes, word=0 if codes else bits or _word([source], [info]))
    work = _work(tracer, "pool", (_Signal(source, info), _Signal(result, after)), {})
    decodes = decodes_in(tracer, after)
    counts = {f"op:{name}": number // decodes for name, number in operations.items()}
    sliding = sliding or Sliding(1)
    shape = sliding.fresh(work.input_shape)
    key = tracer.book(
        tracer.label(call.name), replace(work, counts=counts, input_shape=shape, when=tracer.when(after))
    )
    keep(tracer, key, (source, info), math.prod(work.input_shape), sliding)
    for tensor in tensors_of(out):
        tracer.know(tensor, after)
    return out


def _pooled(
    named: Mapping[str, Any], info: Info, result: Tensor, axes: int
) -> tuple[Layout | None, Sliding | None]:
    """Return a pool's output layout, and how it slides along the steps of a stream, where it does."""
    layout, sliding = info.layout, None
    if layout is None:
        return None, None
    pooled = [plain(size) for size in result.shape[-axes:]]
    for place in range(axes):
        axis = layout[place - axes]
        if steps_of(axis) is None or "kernel_size" not in named:
            drop(layout, [place - axes])
            continue
        taps = _size(named["kernel_size"], place)
        stride = _size(named["stride"], place) if named["stride"] not in (None, []) else taps
        sliding = Sliding(taps, stride, _size(named.get("dilation", 1), place))
        if _size(named["padding"], place) or named["ceil_mode"]:
            raise AxisLost(AHEAD)
        pooled[place] = ((result.shape[place - axes], slid_axis(axis, sliding)),)
    return (*layout[:-axes], *pooled), sliding


def _size(value: Any, place: int) -> int:
    """Return an option's value along one axis."""
    return int(value) if isinstance(value, int) else int(value[place if len(value) > 1 else 0])


def _window(named: Mapping[str, Any], source: Tensor, result: Tensor, axes: int) -> int:
    """Return elements gathered by one output; adaptive pools must divide evenly."""
    if "kernel_size" in named:
        kernel = named["kernel_size"]
        sizes = [kernel] if isinstance(kernel, int) else list(kernel)
        return math.prod(sizes) if len(sizes) == axes else sizes[0] ** axes
    ratios = [a / b for a, b in zip(source.shape[-axes:], result.shape[-axes:], strict=True)]
    if any(ratio != int(ratio) for ratio in ratios):
        raise AxisLost
    return int(math.prod(ratios))


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
    signal = named["input"]
    info = tracer.read(signal)
    if named.get("training", False) or named.get("running_mean") is None:
        tracer.refuse(call.name, "a batch norm that uses the statistics of the batch mixes decodes")
        return out
    name = tracer.label("batch_norm")
    tracer.know(out, fold_affine(tracer, name, signal, info, named["running_mean"].numel()))
    return out


def fold_affine(tracer: Tracer, name: str, signal: Tensor, info: Info, channels: int) -> Info:
    """Fold a per-channel scale and offset into the product before it, or write it down; return its output's info."""
    work = affine_work(tracer, signal, info, channels, name)
    if info.producer is None:
        tracer.book(name, work)
        return replace(info, codes=None, pads=(), origin=0)
    producer = tracer.ledger.fold(info.producer, name, work)
    return replace(info, codes=None, pads=(), origin=0, producer=producer, scales=channels)


def rules() -> dict[str, Rule]:
    """Return the rules of all arithmetic outside products, by operation name."""
    reductions = ("sum", "mean", "var", "std", "amax", "amin", "argmax", "argmin", "max", "min")
    pools = [f"{kind}_pool{axes}d" for kind in ("avg", "max", "adaptive_avg", "adaptive_max") for axes in (1, 2, 3)]
    pools += [f"{name}_with_indices" for name in pools if "max" in name]
    return {
        **dict.fromkeys((*PER_ELEMENT, "div", "divide", "true_divide", "pow"), _per_element),
        **dict.fromkeys(reductions, _reduction),
        **dict.fromkeys(pools, _pool),
        **dict.fromkeys(("softmax", "_softmax", "log_softmax", "_log_softmax"), _softmax),
        "layer_norm": _layer_norm,
        "batch_norm": _batch_norm,
    }
