"""Operations on tensors without plain memory: quantised ones have a rule, sparse and nested ones are listed."""

from __future__ import annotations

from typing import Any

from energy_models.errors import CosimError
from students.counting.axes import BatchAxisError
from students.counting.calls import MARK, Call, Operation, tensors_of
from students.counting.dispatch.operands import Info
from students.counting.dispatch.tracing import trace_operation

QUANTISED = "torch.quantised"
"""Name of the rule that counts every operation on tensors that torch quantised."""
UNFOLLOWED = "an operand is sparse or nested: its numbers do not lie in plain memory"


def rule_failed(error: Exception) -> str:
    """Return why an operation or module is uncounted whose rule raised: the fault is here, not in the model."""
    return f"the rule that counts it failed on it ({type(error).__name__}: {error})"


def without_plain_memory(tracer: Any, operation: Operation, args: Any, kwargs: Any) -> Any:
    """Run an operation on tensors that are sparse, nested or quantised by torch; count it, or list it.

    Parameters
    ----------
    tracer : Tracer
    operation : Operation
    args, kwargs
        Of the operation.
    """
    tensors = tensors_of((args, kwargs))
    dynamic = any(getattr(one, MARK, None) is not None for one in tensors)
    call = Call(operation.function, operation.name, args, kwargs)
    if not dynamic or operation.shape_only or tracer.contexts[-1].silent:
        return _unknown(tracer, call)
    if not any(one.is_quantized for one in tensors):
        tracer.mark_uncounted(operation.name, UNFOLLOWED)
        return _unknown(tracer, call)
    try:
        out = tracer.rules[QUANTISED](tracer, call)
    except CosimError:
        raise
    except BatchAxisError as error:
        tracer.lose_batch_axis(operation.name, str(error))
        return _unknown(tracer, call)
    except Exception as error:
        if call.error is not None:
            raise
        tracer.mark_uncounted(operation.name, rule_failed(error))
        return _unknown(tracer, call)
    if tracer.trace is not None:
        trace_operation(tracer, operation, (args, kwargs), out, sized=False)
    return out


def _unknown(tracer: Any, call: Call) -> Any:
    out = call.result()
    for tensor in tensors_of(out):
        tracer.set_info(tensor, Info(None))
    return out
