"""Norms over features: layer, group, instance and root-mean-square norm.

Per row of n: n - 1 additions and a division (mean), n subtractions, n squares, n - 1 additions and a division
(variance), one addition (epsilon), one square root and one division, n scalings; an affine n multiplications and n
additions more. A root-mean-square norm has no mean: n squares, n - 1 additions, a division, epsilon, root, division,
n scalings.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from torch import Tensor

from students.counting.axes import drop
from students.counting.calls import Call, Rule, sizing, tensors_of
from students.counting.dispatch import Info, Tracer
from students.counting.rules.charges import Signal, charged_work
from students.counting.rules.products import element_bits


def _record(tracer: Tracer, call: Call, out: Tensor, rows: int) -> Any:
    """Write a norm of `rows` rows, with its stored scale and offset."""
    named = call.named()
    source, scale, offset = named["input"], named.get("weight"), named.get("bias")
    info = tracer.read(source)
    total = source.numel()
    operations = {
        "add": 3 * total - rows + (total if offset is not None else 0),
        "multiply": 2 * total + (total if scale is not None else 0),
        "divide": 3 * rows,
        "square_root": rows,
    }
    if call.name == "rms_norm":
        operations |= {"add": total, "divide": 2 * rows}
    after, stored = Info(info.axes), [one for one in (scale, offset) if one is not None]
    work = charged_work(tracer, "norm", (Signal(source, info), Signal(out, after)), operations)
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
    tracer.record(tracer.label(call.name), work)
    tracer.set_info(out, after)


def _over_last_axes(tracer: Tracer, call: Call) -> Any:
    named, out = call.named(), call.run()
    info, trailing = tracer.info(named["input"]), len(named["normalized_shape"])
    if info.axes is not None:
        drop(info.axes, range(-trailing, 0))
    result = tensors_of(out)[0]
    _record(tracer, call, result, result.numel() // math.prod(named["normalized_shape"]))
    return out


def _over_groups(tracer: Tracer, call: Call) -> Any:
    """Rows are the groups (group norm) or channels (instance norm) of each example."""
    named, out = call.named(), call.run()
    source, result = named["input"], tensors_of(out)[0]
    info = tracer.info(source)
    if info.axes is not None:
        drop(info.axes, range(1, source.dim()))
    key = "group" if "group" in named else "num_groups"
    groups = source.shape[1] if call.name == "instance_norm" else int(named[key])
    _record(tracer, call, result, source.shape[0] * groups)
    return out


def _instance_norm(tracer: Tracer, call: Call) -> Any:
    """With stored statistics it is a batch norm, and is counted as one."""
    if call.named()["use_input_stats"]:
        return _over_groups(tracer, call)
    with tracer:
        return call.function.decompose(*call.args, **call.kwargs)


def rules() -> dict[str, Rule]:
    """Return the rules of norms over features, by operation name."""
    affine = sizing("weight", "bias")
    groups = dict.fromkeys(("native_group_norm", "group_norm"), affine(_over_groups))
    features = dict.fromkeys(("layer_norm", "native_layer_norm", "rms_norm"), affine(_over_last_axes))
    return {**features, **groups, "instance_norm": affine(_instance_norm)}
