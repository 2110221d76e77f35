"""Matrix products in their other spellings: vectors, scaled sums, bilinear forms, distances.

Each is reduced to the products it is made of, which `products` counts. A scale of a product with a constant operand
belongs to that operand and is free; between two signals it is one multiplication an output.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from students.counting.axes import plain
from students.counting.calls import Call, Rule, even_when_silent, sizing
from students.counting.dispatch import Info, Tracer
from students.counting.rules.charges import Signal, charge
from students.counting.rules.products import add_product, leading, matrix_product


def _product(tracer: Tracer, call: Call) -> Any:
    """A vector is a matrix of one row (left) or one column (right)."""
    named = call.named()
    left: Tensor = named["self"]
    right: Tensor = next(named[name] for name in ("other", "mat2", "vec", "tensor") if name in named)
    row, column = left.dim() == 1, right.dim() == 1
    if not row and not column:
        return matrix_product(tracer, call)
    lifted = _lifted(tracer, left, 0) if row else left, _lifted(tracer, right, 1) if column else right
    inner = Call(torch.ops.aten.matmul.default, call.name, lifted, {})
    out: Tensor = matrix_product(tracer, inner)
    info = tracer.info(out)
    gone = [-2] * row + [-1] * column
    axes = info.axes
    if axes is not None:
        kept = [place for place in range(len(axes)) if place - len(axes) not in gone]
        axes = tuple(axes[place] for place in kept)
    flat = out.squeeze(tuple(gone))
    tracer.set_info(flat, Info(axes, producer=info.producer, word=info.word))
    return flat


def _lifted(tracer: Tracer, vector: Tensor, place: int) -> Tensor:
    matrix = vector.unsqueeze(place)
    if tracer.is_dynamic(vector):
        info = tracer.info(vector)
        axes = info.axes
        if axes is not None:
            axes = (plain(1), axes[0]) if place == 0 else (axes[0], plain(1))
        tracer.set_info(matrix, Info(axes, info.codes, producer=info.producer, word=info.word))
    return matrix


def _scaled_sum(tracer: Tracer, call: Call) -> Any:
    """``beta * input + alpha * (a @ b)``: the product, its scales where no constant absorbs them, the additions."""
    named = call.named()
    alpha, beta, offset = named.get("alpha", 1), named.get("beta", 1), named["self"]
    first = next(named[name] for name in ("mat1", "batch1", "mat") if name in named)
    second = next(named[name] for name in ("mat2", "batch2", "vec") if name in named)
    if call.name == "addmm" and alpha == beta == 1 and not any(map(tracer.is_dynamic, (second, offset))):
        return add_product(tracer, call)
    after = 1 if tracer.is_dynamic(first) and tracer.is_dynamic(second) else alpha
    if alpha != 1 and after != 1:
        first, second = (first, second * alpha) if tracer.is_dynamic(first) else (first * alpha, second)
    with tracer:
        product = first @ second
        product = product.sum(0) if call.name == "addbmm" else product
        product = product * alpha if alpha != 1 and after == 1 else product
        return product if beta == 0 else product + (offset if beta == 1 else offset * beta)


def _bilinear(tracer: Tracer, call: Call) -> Any:
    """``x1^T W x2`` for every output: first x1 with the weights, then the result with x2, a product of two signals."""
    named = call.named()
    first, second, weight, bias = named["input1"], named["input2"], named["weight"], named.get("bias")
    outputs, rows, columns = weight.shape
    flat = weight.permute(0, 2, 1).reshape(outputs * columns, rows)
    with tracer:
        scores = torch.nn.functional.linear(first, flat).unflatten(-1, (outputs, columns))
        out = (scores @ second.unsqueeze(-1)).squeeze(-1)
        return out if bias is None else out + bias


def _distances(tracer: Tracer, call: Call) -> Any:
    """All pairs of rows, d long: Euclidean d subtractions, d squares, d - 1 additions, one square root.

    City-block distances take d compares (magnitudes) for the squares and the root, the largest difference d - 1
    compares for the additions as well; any other order is not counted.
    """
    named, out = call.named(), call.run()
    first, second, order = named["x1"], named["x2"], float(named["p"])
    infos = [tracer.read(one) if tracer.is_dynamic(one) else None for one in (first, second)]
    source = 0 if infos[0] is not None else 1
    info = infos[source] or Info(None)
    lead = leading((info, infos[1] if source == 0 else None), out.shape[:-2])
    pairs, width = out.numel(), first.shape[-1]
    terms = pairs * width
    table = {
        2.0: {"add": 2 * terms - pairs, "multiply": terms, "square_root": pairs},
        1.0: {"add": 2 * terms - pairs, "compare": terms},
        float("inf"): {"add": terms, "compare": 2 * terms - pairs},
    }
    if order not in table:
        tracer.mark_uncounted(call.name, f"distances of order {order:g} are not counted")
        return out
    after = Info(None if lead is None else (*lead, plain(out.shape[-2]), plain(out.shape[-1])))
    signals = Signal((first, second)[source], info), Signal(out, after)
    charge(tracer, call, "elementwise", signals, table[order])
    tracer.set_info(out, after)
    return out


def rules() -> dict[str, Rule]:
    """Return the rules of products spelt otherwise, by operation name; they also count inside integer products."""
    either = sizing("self", "other", "mat2", "vec", "tensor")(even_when_silent(_product))
    products = dict.fromkeys(("matmul", "mm", "bmm", "mv", "dot", "vdot"), either)
    sums = dict.fromkeys(("addmm", "addmv", "addbmm", "baddbmm"), sizing("self", "mat2")(even_when_silent(_scaled_sum)))
    return {**products, **sums, "bilinear": _bilinear, "_cdist_forward": _distances}
