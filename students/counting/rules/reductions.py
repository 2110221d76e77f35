"""Reductions, running sums, orders and norms along axes.

Of n numbers: a sum n - 1 additions; a mean one division more (an exact multiplication where n is a power of two); a
variance a mean, n differences and squares, and a mean again; an extreme n - 1 compares; a sorting, and whatever is
found by one (median, top k, k-th value, mode), n ceil(log2 n) compares, as merge sort needs at most; a logarithm of
summed exponentials n - 1 compares, n subtractions, n look-ups, n - 1 additions, a look-up and an addition.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from students.counting.axes import Axes, drop, plain
from students.counting.calls import Call, Rule, tensors_of
from students.counting.dispatch import Info, Tracer
from students.counting.rules.charges import Signal, charge
from students.counting.rules.pointwise import is_power_of_two, per_element, word_of

Costs = Callable[[int, int], Mapping[str, int]]
"""Operations of `rows` reductions of n numbers each, from (rows, n)."""


def average(rows: int, count: int) -> dict[str, int]:
    """Return the divisions of `rows` means of `count` numbers: none of one, multiplications by exact reciprocals."""
    return {} if count == 1 else {"multiply" if is_power_of_two(count) else "divide": rows}


def _mean(rows: int, n: int) -> Mapping[str, int]:
    return {"add": rows * (n - 1), **average(rows, n)}


def _variance(rows: int, n: int) -> Mapping[str, int]:
    return {"add": rows * (3 * n - 2), "multiply": rows * n, "divide": 2 * rows}


def _sorting(rows: int, n: int) -> Mapping[str, int]:
    return {"compare": rows * n * math.ceil(math.log2(max(n, 1)))}


def _compares(rows: int, n: int) -> Mapping[str, int]:
    return {"compare": rows * (n - 1)}


def _log_sum_exp(rows: int, n: int) -> Mapping[str, int]:
    return {"compare": rows * (n - 1), "add": rows * 2 * n, "lookup": rows * (n + 1)}


def _running_log_sum_exp(rows: int, n: int) -> Mapping[str, int]:
    return {"compare": 2 * rows * (n - 1), "add": 2 * rows * (n - 1), "lookup": 2 * rows * (n - 1)}


COSTS: Mapping[str, Costs] = {
    "sum": lambda rows, n: {"add": rows * (n - 1)},
    "nansum": lambda rows, n: {"add": rows * (n - 1), "compare": rows * n},
    "mean": _mean,
    "var": _variance,
    "var_mean": _variance,
    "std": lambda rows, n: {**_variance(rows, n), "square_root": rows},
    "std_mean": lambda rows, n: {**_variance(rows, n), "square_root": rows},
    "prod": lambda rows, n: {"multiply": rows * (n - 1)},
    "cumsum": lambda rows, n: {"add": rows * (n - 1)},
    "cumprod": lambda rows, n: {"multiply": rows * (n - 1)},
    "count_nonzero": lambda rows, n: {"compare": rows * n, "add": rows * (n - 1)},
    "aminmax": lambda rows, n: {"compare": 2 * rows * (n - 1)},
    "logsumexp": _log_sum_exp,
    "logcumsumexp": _running_log_sum_exp,
    **dict.fromkeys(("amax", "amin", "argmax", "argmin", "max", "min", "any", "all", "cummax", "cummin"), _compares),
    **dict.fromkeys(("sort", "topk", "kthvalue", "median", "nanmedian", "mode"), _sorting),
}


SUMS = frozenset(("sum", "nansum", "cumsum"))
WIDEST_SUM_BITS = 32
"""Sums of integers are kept in words of no more bits, as membranes are, unless they are wider already."""


def sum_bits(bits: int, count: int) -> int:
    """Return the width of a sum of `count` integers of so many bits [bits]; 0 of floats."""
    return max(bits, min((count * (2**bits - 1)).bit_length(), WIDEST_SUM_BITS)) if bits else 0


def _axes(named: Mapping[str, Any], source: Tensor) -> list[int]:
    dims = named.get("dim")
    if dims is None or dims == []:
        return list(range(source.dim()))
    return [one % max(source.dim(), 1) for one in ([dims] if isinstance(dims, int) else dims)]


def _axes_along(info: Info, dims: list[int], shapes: tuple[Tensor, Tensor]) -> Axes | None:
    """Return the axes of a result whose axes `dims` are reduced, shortened, or operated along.

    Raises
    ------
    BatchAxisError
        The axes run over decodes.
    """
    source, out = shapes
    if info.axes is None:
        return None
    kept = drop(info.axes, dims)
    if out.dim() == len(kept) and out.dim() < source.dim():
        return kept
    return tuple(plain(out.shape[place]) if place in dims else axis for place, axis in enumerate(info.axes))


def _along(tracer: Tracer, call: Call) -> Any:
    named = call.named()
    if isinstance(named.get("other"), Tensor):
        return per_element(tracer, call)  # the larger or smaller of two tensors
    source: Tensor = named["self"]
    info = tracer.read(source)
    dims = _axes(named, source)
    before = tuple(source.shape)
    out = call.run()
    result = tensors_of(out)[0]
    count = math.prod(before[dim] for dim in dims)
    word = word_of([source], [info])
    word = sum_bits(word, count) if call.base_name in SUMS else word
    after = Info(_axes_along(info, dims, (source, result)), word=word)
    operations = COSTS[call.base_name](math.prod(before) // max(count, 1), count)
    charge(tracer, call, "elementwise", (Signal(source, info), Signal(result, after)), operations)
    for tensor in tensors_of(out):
        tracer.set_info(tensor, after)
    return out


def _norm_costs(order: float, rows: int, n: int) -> Mapping[str, int]:
    """Return the operations of `rows` vector norms of n numbers."""
    if order == 2.0:
        return {"multiply": rows * n, "add": rows * (n - 1), "square_root": rows}
    if math.isinf(order):
        return {"compare": rows * (2 * n - 1)}
    if order in {0.0, 1.0}:
        return {"compare": rows * n, "add": rows * (n - 1)}
    return {"compare": rows * n, "lookup": rows * (n + 1), "add": rows * (n - 1)}  # |x|^p and the p-th root


def _vector_norm(tracer: Tracer, call: Call) -> Any:
    named = call.named()
    source: Tensor = named["self"]
    order = next((named[name] for name in ("ord", "p") if named.get(name) is not None), 2)
    info, dims, out = tracer.read(source), _axes(named, source), call.run()
    count = math.prod(source.shape[dim] for dim in dims)
    after = Info(_axes_along(info, dims, (source, out)))
    operations = _norm_costs(float(order), source.numel() // count, count)
    charge(tracer, call, "elementwise", (Signal(source, info), Signal(out, after)), operations)
    tracer.set_info(out, after)
    return out


def _searched(tracer: Tracer, call: Call) -> Any:
    """Place numbers between n sorted boundaries by bisection: ceil(log2(n + 1)) compares each."""
    named, out = call.named(), call.run()
    boundaries = named["boundaries"] if call.name == "bucketize" else named["sorted_sequence"]
    source: Tensor = named["self"]
    if tracer.is_dynamic(boundaries):
        tracer.mark_uncounted(call.name, "its boundaries depend on the input")
        return out
    info = tracer.read(source)
    after = replace(info, codes=None, word=0)
    steps = math.ceil(math.log2(boundaries.shape[-1] + 1))
    charge(tracer, call, "elementwise", (Signal(source, info), Signal(out, after)), {"compare": steps * out.numel()})
    tracer.set_info(out, after)
    return out


def rules() -> dict[str, Rule]:
    """Return the rules of reductions and orders, by operation name."""
    norms = dict.fromkeys(("norm", "linalg_vector_norm"), _vector_norm)
    searches = dict.fromkeys(("bucketize", "searchsorted"), _searched)
    return {**dict.fromkeys(COSTS, _along), **norms, **searches}
