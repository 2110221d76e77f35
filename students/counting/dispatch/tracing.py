"""Adds operations and modules' calls to the trace of the first forward call."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from students.counting.calls import Call, Operation, tensors_of
from students.counting.records import PIECES, called_from

PRODUCTS = frozenset(
    (
        "linear", "matmul", "mm", "bmm", "mv", "addmm", "addmv", "baddbmm", "conv1d", "conv2d", "conv3d", "convolution",
        "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
    )
)  # fmt: skip
"""Operations that multiply a signal with weights."""


def in_plain_memory(tensor: Tensor) -> bool:
    """True for a tensor that is neither sparse nor nested, whose words can be told apart."""
    return not tensor.is_nested and tensor.layout is torch.strided


def trace_operation(tracer: Any, operation: Operation, given: tuple[Any, Any], out: Any, *, sized: bool) -> None:
    """Add an operation, called with `given` positions and keywords; ``sized``: a rule sizes its state."""
    silent = tracer.contexts[-1].silent
    if tracer.trace is None or tracer.trace.paused or silent or operation.shape_only:
        return
    tensors, made = tensors_of(given), tensors_of(out)
    if not all(map(in_plain_memory, (*tensors, *made))):
        return
    weights, piece = "", None
    if operation.name in PRODUCTS:
        keys = (tracer.weights_key(one) for one in tensors if not tracer.is_dynamic(one))
        weights = next((key for key in keys if key), "").removesuffix(".weight")
    if operation.name in PIECES:
        named = Call(operation.function, operation.name, *given).named()
        piece = named.get("dim", 0), tuple(named.get(name) for name in ("index", "start"))
    site = id(tracer.contexts[-1].module), operation.name, tuple(one.shape for one in tensors), called_from()
    trace_call(
        tracer, operation.name, tensors, made, weights=weights, site=site, piece=piece, moves=operation.moving,
        sized=sized, written=operation.written(*given) if operation.mutable else (),
    )  # fmt: skip


def trace_call(tracer: Any, name: str, given: list[Tensor], made: list[Tensor], **more: Any) -> None:
    """Add an operation, or a module's call, that reads and makes these tensors; `more` as `Trace.operation`."""
    trace = tracer.trace
    if trace is None or trace.paused:
        return
    trace.read_held(given)
    starts, reads = tracer.starts, list[tuple[Tensor, bool]]()
    for one in given:
        start = bool(starts) and starts.holds(one)
        if start or tracer.is_dynamic(one):
            reads.append((one, start))
    if reads or trace.held_read:
        trace.operation(name, reads, [(one, tracer.info(one).bits(one)) for one in made], **more)
