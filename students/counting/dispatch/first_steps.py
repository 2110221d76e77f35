"""Operations without the signal: done once before deployment, or the first step of a recurrence, on a start state."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from students.counting.axes import BatchAxisError
from students.counting.calls import MARK, Call, Operation, tensors_of
from students.counting.dispatch.operands import Info
from students.counting.dispatch.starts import MAKERS, axes_of_start, tensors_among
from students.counting.dispatch.tracing import PRODUCTS, trace_operation

CONVERSIONS = frozenset(("to", "_to_copy", "float", "double"))
"""Operations that copy numbers into another format."""


def without_signal(tracer: Any, operation: Operation, dynamic: bool, args: Any, kwargs: Any) -> Any:
    """Run an operation on constants, or on the shape of a signal; count it where it is the first step of a recurrence.

    Parameters
    ----------
    tracer : Tracer
    operation : Operation
    dynamic : bool
        It reads the shape of a signal.
    args, kwargs
        Of the operation.
    """
    operands = tensors_of((args, kwargs)) if tracer.starts or operation.name == "linear" else []
    starts = tensors_among(operands, tracer.starts)
    if operation.name == "linear" and not starts and not dynamic:
        starts = operands[:1]
    if starts and not dynamic and not operation.shape_only:
        return _on_start(tracer, operation, starts, args, kwargs)
    out = operation.function(*args, **kwargs)
    if tracer.trace is not None:
        tracer.trace.read_held(tensors_of((args, kwargs)))
    if operation.name in MAKERS:
        tracer.starts.note(tensors_of(out))
    if not (dynamic or tracer.contexts[-1].silent or operation.shape_only):
        tracer.stored.derive(operation, args, kwargs, out)
        if operation.name in CONVERSIONS:
            _note_widened(tracer, tensors_of((args, kwargs))[0], out)
    return out


def _note_widened(tracer: Any, original: Tensor, copy: Tensor) -> None:
    """Note a constant that is a copy of narrower floats, such as weights that a file stores in half precision."""
    both = original.is_floating_point() and copy.is_floating_point()
    if both and copy.element_size() > original.element_size() and tracer.stored.parts(original):
        tracer.constants.note_widened(copy, original)
        tracer.stored.same_words(copy, original)


def _on_start(tracer: Any, operation: Operation, starts: list[Tensor], args: Any, kwargs: Any) -> Any:
    """Count an operation on start states, of a product as one of the signal; its result is a start state, or that.

    A constant of the model's own is multiplied before deployment, unless the same layer multiplies a signal too.
    """
    if tracer.trace is not None:
        tracer.trace.read_held(starts)
    made, product = tracer.starts.holds(starts[0]), operation.name in PRODUCTS
    rule = tracer.rules.get(operation.name) or tracer.rules.get(operation.name.removesuffix("_"))
    silent = tracer.contexts[-1].silent
    if rule is None or operation.moving or (silent and not getattr(rule, "even_when_silent", False)):
        out = operation.function(*args, **kwargs)
        tracer.starts.note(tensors_of(out))
        trace_operation(tracer, operation, (args, kwargs), out, sized=False)
        return out
    which = "if repeated" if not product else "always" if made else starts[0].untyped_storage()._cdata
    out, along = _counted(tracer, Call(operation.function, operation.name, args, kwargs), starts, rule, which)
    if not (product and made and along):
        _unmark(tensors_of(out))
        if made:
            tracer.starts.note(tensors_of(out))
        elif not silent:
            tracer.stored.derive(operation, args, kwargs, out)
    if made:
        trace_operation(tracer, operation, (args, kwargs), out, sized=False)
    return out


def _counted(tracer: Any, call: Call, starts: list[Tensor], rule: Any, which: Any) -> tuple[Any, bool]:
    """Return what a call gives, and whether its start state has an axis over the decodes; its count is kept apart."""
    batch = tracer.batch
    along = axes_of_start(starts[0], batch)[1]
    for one in starts:
        tracer.set_info(one, Info(axes_of_start(one, batch)[0]))
    try:
        tracer.batch = batch if along else 1
        with tracer.recorder.deferring(which), tracer.recording():
            return rule(tracer, call), along
    except BatchAxisError:
        return call.result(), along
    finally:
        tracer.batch = batch
        _unmark(starts)


def _unmark(tensors: list[Tensor]) -> None:
    for one in tensors:
        if hasattr(one, MARK):
            delattr(one, MARK)
