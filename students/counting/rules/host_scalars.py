"""Host scalars: Python numbers taken out of tensors. Comparing them is counted, computing with them is uncounted.

`Tensor.item` returns a number that keeps its source tensor. A comparison, or a test for zero, is one compare.
Arithmetic on it, or passing it to an operation, is listed as uncounted, and so is a fraction that is never compared:
other code has used it. Whole tensors converted to the host (``numpy``, ``tolist``), and plain conversions
(``float``, ``int``), cannot be followed and are listed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import _get_current_dispatch_mode, _pop_mode_temporarily

from students.counting.axes import BatchAxisError
from students.counting.calls import Call, Rule, even_when_silent, tensors_of
from students.counting.dispatch import BOOKKEEPING, Tracer
from students.counting.rules.charges import Signal, charge

UNSEEN = "its numbers leave the tensors, and what becomes of them is not seen"
RETURNS = "a number that left the tensors is calculated with"

COMPARISONS = ("__lt__", "__le__", "__gt__", "__ge__", "__eq__", "__ne__", "__bool__")
CALCULATIONS = (
    "__add__", "__radd__", "__sub__", "__rsub__", "__mul__", "__rmul__", "__truediv__", "__rtruediv__",
    "__floordiv__", "__rfloordiv__", "__mod__", "__rmod__", "__divmod__", "__rdivmod__", "__pow__", "__rpow__",
    "__neg__", "__abs__", "__round__", "__trunc__", "__floor__", "__ceil__", "__float__", "__int__",
    "__and__", "__rand__", "__or__", "__ror__", "__xor__", "__rxor__", "__lshift__", "__rlshift__",
    "__rshift__", "__rrshift__", "__invert__",
)  # fmt: skip
_LISTED = ("numpy", "tolist", "__dlpack__", "__float__", "__int__", "__complex__")
_SCALARS = frozenset(("number", "float", "Tensor"))  # a tensor argument may be given as a number
_ADDRESSES = frozenset(("index", "start", "end"))

_lock = threading.Lock()
_watching: list[Tracer] = []


@contextmanager
def host_scalars_tracked(tracer: Tracer) -> Iterator[None]:
    """Intercept the methods by which a model takes numbers out of its tensors; restored after the last tracer.

    No dispatch mode receives these calls. Each method finds the tracer of its own thread, so that other threads are
    not disturbed.
    """
    with _lock:
        if not _watching:
            _install()
        _watching.append(tracer)
    try:
        yield
    finally:
        with _lock:
            _watching.remove(tracer)
            if not _watching:
                _remove()


_own: dict[str, Any] = {}


def _install() -> None:
    for name in (*_LISTED, "item"):
        _own[name] = Tensor.__dict__.get(name)
        handle = _item if name == "item" else _listed
        setattr(Tensor, name, _method(name, getattr(Tensor, name), handle))


def _remove() -> None:
    for name, method in _own.items():
        if method is None:
            delattr(Tensor, name)
        else:
            setattr(Tensor, name, method)
    _own.clear()


def _method(name: str, original: Callable[..., Any], handle: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        tracer = _get_current_dispatch_mode()
        if not isinstance(tracer, Tracer) or tracer.contexts[-1].silent or not _matters(tracer, self):
            return original(self, *args, **kwargs)
        with _pop_mode_temporarily():
            value = original(self, *args, **kwargs)
        return handle(tracer, name, self, value)

    return method


def _matters(tracer: Tracer, tensor: Tensor) -> bool:
    """True where numbers depend on the input, and do not merely say how long its sequences are."""
    return tracer.is_dynamic(tensor) and tracer.info(tensor).rows != BOOKKEEPING


def _listed(tracer: Tracer, name: str, tensor: Tensor, value: Any) -> Any:
    """Return host values whose further use cannot be followed, and list them."""
    tracer.mark_uncounted(name.strip("_"), UNSEEN)
    return value


def _item(tracer: Tracer, name: str, tensor: Tensor, value: Any) -> Any:
    """Return a number that keeps its source tensor; a boolean is returned as it is."""
    tracer.branched = True
    kind = {float: HostFloat, int: HostInt}.get(type(value))
    if kind is None:
        if not isinstance(value, bool):
            tracer.mark_uncounted(name, UNSEEN)
        return value
    number = kind(value)
    number.tracer, number.source, number.value = tracer, tensor, value
    tracer.host_scalars.setdefault(value, kind is HostInt)  # a loop's bound, or an index, is no arithmetic
    tracer.check_operands = note_operands
    return number


def _decided(compare: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, *others: Any) -> Any:
        answer = compare(self, *others)
        if answer is not NotImplemented:
            self.tracer.host_scalars[self.value] = True
            with _pop_mode_if(self.tracer):
                _compared(self.tracer, "item", self.source)
        return answer

    return method


def _calculated(calculate: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, *others: Any) -> Any:
        answer = calculate(self, *others)
        if answer is not NotImplemented:
            self.tracer.host_scalars[self.value] = True
            self.tracer.mark_uncounted("item", RETURNS)
        return answer

    return method


def _remembering(base: type) -> Any:
    methods = {name: _decided(getattr(base, name)) for name in COMPARISONS}
    methods |= {name: _calculated(getattr(base, name)) for name in CALCULATIONS if hasattr(base, name)}
    return type(f"Host{base.__name__.title()}", (base,), {**methods, "__hash__": base.__hash__})


HostFloat = _remembering(float)
HostInt = _remembering(int)


@contextmanager
def _pop_mode_if(tracer: Tracer) -> Iterator[None]:
    if _get_current_dispatch_mode() is tracer:
        with _pop_mode_temporarily():
            yield
    else:
        yield


def _compared(tracer: Tracer, name: str, tensor: Tensor, elements: int = 1) -> None:
    """Charge a comparison by the host: one compare an element."""
    call = Call(torch.ops.aten.is_nonzero.default, name, (tensor,), {})
    try:
        signal = Signal(tensor, tracer.read(tensor))
        charge(tracer, call, "elementwise", (signal, signal), {"compare": elements * tracer.batch})
    except BatchAxisError as error:
        tracer.lose_batch_axis(name, str(error))


def note_unused(tracer: Tracer) -> None:
    """List host scalars of a call that were never compared: other code, such as ``math``, has used them."""
    if not all(tracer.host_scalars.values()):
        tracer.mark_uncounted("item", UNSEEN)


def note_operands(tracer: Tracer, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """List a host scalar that is passed to an operation: as a scalar, in a new tensor, or as an index of a table."""
    scalars, addresses = _places(function)
    given = [*enumerate(args), *kwargs.items()]
    if function.overloadpacket.__name__ == "lift_fresh":
        found: list[Any] = args[0].flatten().tolist()
    else:
        found = [value for place, value in given if place in scalars]
        tensors = tensors_of((args, kwargs))  # some scalars beside a tensor arrive as tensors without axes
        found += [one.item() for one in tensors if not one.dim() and not tracer.is_dynamic(one)]
        if not any(tracer.is_dynamic(one) for one in tensors):
            found += [value for place, value in given if place in addresses]
    if any(type(value) in {int, float} and value in tracer.host_scalars for value in found):
        tracer.mark_uncounted("item", RETURNS)


@lru_cache(maxsize=4096)
def _places(function: Any) -> tuple[frozenset[int | str], frozenset[int | str]]:
    """Return where an operation takes scalars, and where places on an axis: by position and by name."""
    scalars: set[int | str] = set()
    addresses: set[int | str] = set()
    for place, argument in enumerate(function._schema.arguments):
        if str(argument.type).removeprefix("Optional[").removesuffix("]") in _SCALARS:
            scalars |= {place, argument.name}
        elif argument.name in _ADDRESSES:
            addresses |= {place, argument.name}
    return frozenset(scalars), frozenset(addresses)


def _decision(tracer: Tracer, call: Call) -> Any:
    """A tensor converted to a boolean: free for a boolean, one compare with zero for a number."""
    source = tensors_of(call.args)[0]
    tracer.branched = True
    if source.dtype != torch.bool:
        _compared(tracer, "bool", source)
    return call.run()


def _equal(tracer: Tracer, call: Call) -> Any:
    """Whether two tensors are equal: one compare an element."""
    source = next(one for one in tensors_of(call.args) if tracer.is_dynamic(one))
    tracer.branched = True
    if tracer.batch > 1:
        raise BatchAxisError
    _compared(tracer, "equal", source, source.numel())
    return call.run()


def _left(tracer: Tracer, call: Call) -> Any:
    """A number taken out of a tensor by torch itself cannot be followed."""
    if _matters(tracer, call.args[0]):
        tracer.mark_uncounted("item", UNSEEN)
    return call.run()


def rules() -> dict[str, Rule]:
    """Return the rules of comparisons by the host and of host scalars, by operation name."""
    return {"is_nonzero": _decision, "equal": _equal, "_local_scalar_dense": even_when_silent(_left)}
