"""Operators that call functions: a branch, a loop or a map over a signal, as exported and compiled models hold them.

Torch runs them without dispatch modes. Their functions are called here under the tracer, so that the operations of the
branch taken, and of every turn, are seen; an operator of another kind is listed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch._C import DispatchKey

from students.counting.calls import tensors_of
from students.counting.dispatch.operands import Info

UNSEEN = "it calls functions of its own, whose operations are not seen"


def _branch(chosen: Any, yes: Callable[..., Any], no: Callable[..., Any], operands: tuple[Any, ...]) -> Any:
    return yes(*operands) if chosen else no(*operands)


def _scan(combine: Callable[..., Any], first: Any, pieces: Any, held: tuple[Any, ...] = ()) -> Any:
    """Return the last state and the stacked outputs; torch's own way writes these into one buffer in every turn."""
    carried, made = list(first), list[Any]()
    for turn in range(pieces[0].shape[0]):
        out = combine(*carried, *(one.select(0, turn) for one in pieces), *held)
        carried = list(out[: len(carried)])
        made.append(out[len(carried) :])
    return (*carried, *(torch.stack(one) for one in zip(*made, strict=True)))


def run_higher_order(tracer: Any, operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run an operator that calls functions, their operations under the tracer; list one that is not known.

    Parameters
    ----------
    tracer : Tracer
    operator : HigherOrderOperator
    args, kwargs
        Of the operator.
    """
    name = operator.name()
    plain = operator.py_kernels.get(DispatchKey.CompositeExplicitAutograd)
    known = {"cond": _branch, "scan": _scan, "while_loop": plain, "map_impl": plain}.get(name)
    if known is not None:
        with tracer:
            return known(*args, **kwargs)
    tracer.mark_uncounted(name, UNSEEN)
    out = operator(*args, **kwargs)
    for tensor in tensors_of(out):
        tracer.set_info(tensor, Info(None))
    return out
