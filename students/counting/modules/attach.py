"""Wraps the forwards of a model's modules, so that the tracer knows where it is and need not follow what it knows.

Torch's own leaf layers, and modules counted whole, are followed once per signature of their inputs: afterwards the
original forward runs with the tracer paused, and only its tensors are kept until they are measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from torch import Tensor, nn
from torch._C import _pop_torch_dispatch_stack, _push_on_torch_dispatch_stack
from torch.jit import ScriptModule
from torch.utils._pytree import tree_map

from energy_models.errors import CosimError
from students.counting.axes import BatchAxisError
from students.counting.calls import MARK, tensors_of
from students.counting.dispatch import Info, ModuleContext, Tracer, in_plain_memory, rule_failed, trace_call
from students.counting.modules.neurons import ModuleCounter, reached
from students.counting.modules.table import contexts
from students.counting.records import RecordedCall, called_from
from students.layers import modules as layers
from students.layers.layout import BatchNorm1d
from students.layers.step_loop import StepLoop

_LAYERS = (
    "Linear Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d Bilinear Embedding GRUCell LSTMCell "
    "RNNCell BatchNorm1d BatchNorm2d BatchNorm3d LayerNorm GroupNorm RMSNorm ReLU ReLU6 LeakyReLU PReLU ELU SELU CELU "
    "GELU SiLU Mish Sigmoid Tanh Softplus Softsign Hardtanh Hardswish Hardsigmoid Hardshrink Softshrink Tanhshrink "
    "LogSigmoid Softmax LogSoftmax Threshold AvgPool1d AvgPool2d AvgPool3d MaxPool1d MaxPool2d MaxPool3d "
    "AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d "
    "Dropout Dropout1d Dropout2d Dropout3d AlphaDropout Identity Flatten Unflatten ConstantPad1d ConstantPad2d "
    "ZeroPad1d ZeroPad2d"
)
_FORWARDS = frozenset(
    (
        *(getattr(nn, name).forward for name in _LAYERS.split() if hasattr(nn, name)),
        *(kind.forward for kind in (layers.Conv1d, layers.DepthwiseConv1d, layers.AveragePool1d, layers.Dropout)),
        BatchNorm1d.forward,
    )
)
"""Forwards that write into none of their inputs and whose operations depend on the shapes of these only."""


@contextmanager
def attached(tracer: Tracer, model: nn.Module) -> Iterator[None]:
    """Wrap every module's forward, so that the tracer knows which one runs; restored also after an error."""
    wrapped: list[tuple[nn.Module, Any]] = []
    handles: list[Any] = []
    try:
        for context, counter in contexts(tracer, model, handles):
            module = context.module
            if isinstance(module, ScriptModule):
                continue
            wrapped.append((module, module.__dict__.get("forward")))
            module.__dict__["forward"] = _wrapped(tracer, context, counter)
            if isinstance(module, StepLoop):
                module.__dict__["start"] = _noted_start(tracer, module.start)
        yield
    finally:
        for handle in handles:
            handle.remove()
        for module, own in wrapped:
            if isinstance(module, StepLoop):
                module.__dict__.pop("start", None)
            if own is None:
                module.__dict__.pop("forward", None)
            else:
                module.__dict__["forward"] = own
        tracer.remove_marks(model)


def _noted_start(tracer: Tracer, original: Callable[[int], Any]) -> Callable[[int], Any]:
    """Return a loop's start whose tensors are known to stand for the signal."""

    def start(batch: int) -> Any:
        with paused(tracer):
            state = tree_map(lambda one: one.clone(), original(batch))
        tracer.starts.note(tensors_of(state))
        return state

    return start


def _wrapped(tracer: Tracer, context: ModuleContext, counter: ModuleCounter | None) -> Callable[..., Any]:
    original = context.module.forward
    if counter is not None:
        return _replaying(tracer, context, _whole(tracer, context, counter, original), original)
    follow = _framed(tracer, context, original)
    return _replaying(tracer, context, follow, original) if _repeats(context.module) else follow


def _repeats(module: nn.Module) -> bool:
    """True where a module does the same again for inputs of the same signature, whatever their numbers."""
    own = "forward" not in module.__dict__ and getattr(type(module), "forward", None) in _FORWARDS
    stored = getattr(module, "weight", None) is None or "weight" in module._parameters
    return own and stored and not getattr(module, "inplace", False) and next(module.children(), None) is None


def _framed(tracer: Tracer, context: ModuleContext, original: Callable[..., Any]) -> Callable[..., Any]:
    """Return a forward that says in which module it runs."""
    silenced = replace(context, silent=True, recorded_calls={})

    def forward(*args: Any, **kwargs: Any) -> Any:
        if tracer.paused:
            return original(*args, **kwargs)
        stack = tracer.contexts
        stack.append(silenced if stack[-1].silent else context)
        try:
            return original(*args, **kwargs)
        except BaseException as error:
            tracer.failed(error)
            raise
        finally:
            stack.pop()

    return forward


def _whole(
    tracer: Tracer, context: ModuleContext, counter: ModuleCounter, original: Callable[..., Any]
) -> Callable[..., Any]:
    """Return a forward whose operations are not followed; it is counted from its inputs and output."""

    def run(*args: Any, **kwargs: Any) -> Any:
        outer = tracer.contexts[-2]
        with paused(tracer):
            output = original(*args, **kwargs)
            inputs = tensors_of((args, kwargs))
            if inputs and not outer.silent and reached(tracer, context.module, inputs):
                try:
                    counter(tracer, context.module, inputs[0], output)
                except CosimError:
                    raise
                except Exception as error:  # noqa: BLE001  a fault here is no fault of the model
                    if isinstance(error, BatchAxisError):
                        tracer.lose_batch_axis(type(context.module).__name__, str(error))
                    else:
                        tracer.mark_uncounted(type(context.module).__name__, rule_failed(error))
                    for tensor in tensors_of(output):
                        tracer.set_info(tensor, Info(None))
        return output

    return _framed(tracer, context, run)


@contextmanager
def paused(tracer: Tracer) -> Iterator[None]:
    """Run operations without the tracer, at the cost of a plain call."""
    if tracer.paused:
        yield
        return
    mode: Any = _pop_torch_dispatch_stack(None)
    tracer.paused = True
    try:
        yield
    finally:
        tracer.paused = False
        _push_on_torch_dispatch_stack(mode)


def _replaying(
    tracer: Tracer, context: ModuleContext, follow: Callable[..., Any], original: Callable[..., Any]
) -> Callable[..., Any]:
    """Return a forward that is followed once per signature, and replayed after."""
    module = context.module
    parameters, recorded_calls, recorder = module._parameters, context.recorded_calls, tracer.recorder
    own = parameters.get("weight")
    home = 0 if own is None else own.data_ptr()
    latest: RecordedCall | None = None  # replayed last, of a call on tensors by position
    signed: tuple[Any, ...] = ()  # its weight, generation, and what is known of each tensor

    def forward(*args: Any, **kwargs: Any) -> Any:
        nonlocal latest, signed
        if tracer.paused:
            return original(*args, **kwargs)
        weight = parameters.get("weight")
        if weight is not own:  # others for this call, perhaps several at once, which have no address
            return follow(*args, **kwargs)
        if weight is not None and weight.data_ptr() != home:  # `weight.data = ...` is noticed by nothing else
            return follow(*args, **kwargs)
        if module.training or tracer.contexts[-1].silent:
            return follow(*args, **kwargs)
        recorded = latest
        if recorded is None or kwargs or not _signed_alike(args, signed, weight, tracer.generation):
            given = (*args, *kwargs.values()) if kwargs else args
            key: list[Any] = [weight, tracer.generation, *kwargs]
            if not _sign(tracer, given, key):
                return follow(*args, **kwargs)
            signature = tuple(key)
            recorded = recorded_calls.get(signature)
            if recorded is None:
                return _follow_and_record(tracer, context, follow, signature, (args, kwargs))
            if recorded.flat and not kwargs and all(getattr(one, MARK, None) is not None for one in given):
                latest, signed = recorded, signature
        # As `paused`, written out: a time loop comes here in every layer and step.
        mode: Any = _pop_torch_dispatch_stack(None)
        tracer.paused = True
        try:
            out = original(*args, **kwargs)
            outputs = (out,) if type(out) is Tensor else out
            if recorded.flat and type(outputs) is tuple and len(outputs) == len(recorded.marks):
                recorded.calls += 1
                for tensor, mark in zip(outputs, recorded.marks, strict=True):
                    if mark is not None:
                        setattr(tensor, MARK, mark)
                if recorded.places:
                    recorded.add_call((*args, *kwargs.values(), *outputs), recorder)
            else:
                tracer.replayed(recorded, (args, kwargs), out)
            for name, mark in recorded.states:
                setattr(getattr(module, name), MARK, mark)
            if tracer.trace is not None:
                _trace(tracer, context, (*args, *kwargs.values()), out, sized=recorded.sized)
        except BaseException as error:
            tracer.contexts.append(context)
            tracer.failed(error)
            tracer.contexts.pop()
            raise
        finally:
            tracer.paused = False
            _push_on_torch_dispatch_stack(mode)
        return out

    return forward


def _follow_and_record(
    tracer: Tracer, context: ModuleContext, follow: Callable[..., Any], signature: tuple[Any, ...], given: Any
) -> Any:
    """Follow a call, given by arguments and keywords, and keep what it recorded for later calls of its signature."""
    args, kwargs = given
    if signature in context.recorded_calls:  # recorded before, and not repeatable
        return follow(*args, **kwargs)
    with tracer.recording() as call_recorder:
        out = follow(*args, **kwargs)
    _trace(tracer, context, (*args, *kwargs.values()), out, sized=call_recorder.sized)
    recorded = tracer.remember(context, signature, call_recorder, given, out)
    if recorded is not None:
        recorded.states = _states(tracer, context.module, out)
        outputs = out if type(out) is tuple else (out,)
        recorded.flat = all(isinstance(one, Tensor) for one in (*args, *kwargs.values(), *outputs))
    return out


def _signed_alike(args: tuple[Any, ...], signed: tuple[Any, ...], weight: Tensor | None, generation: int) -> bool:
    """True where a call on tensors by position has this signature, which `_sign` made, for certain."""
    if signed[0] is not weight or signed[1] != generation or len(signed) != 2 + 3 * len(args):
        return False
    place = 2
    for one in args:
        if getattr(one, MARK, None) is not signed[place] or one.is_nested or one.dtype is not signed[place + 2]:
            return False
        if one.shape != signed[place + 1]:
            return False
        place += 3
    return True


def _trace(tracer: Tracer, context: ModuleContext, given: tuple[Any, ...], out: Any, *, sized: bool) -> None:
    """Add a module's call to the trace, if there is one, as one operation."""
    if tracer.trace is None or tracer.trace.paused:
        return
    read, made = tensors_of(given), tensors_of(out)
    if not all(map(in_plain_memory, (*read, *made))):
        return
    weights = context.path if getattr(context.module, "weight", None) is not None else ""
    site = (id(context.module), "forward", tuple(one.shape for one in read), called_from())
    trace_call(tracer, "forward", read, made, weights=weights, site=site, sized=sized)


def _states(tracer: Tracer, module: nn.Module, out: object) -> tuple[tuple[str, Any], ...]:
    """Return the names of tensors a module keeps that depend on the input, and their marks."""
    given = {id(tensor) for tensor in tensors_of(out)}
    kept = {**module._buffers, **module.__dict__, **module.__dict__.get("_memories", {})}
    marked = {name: getattr(tensor, MARK, None) for name, tensor in kept.items() if isinstance(tensor, Tensor)}
    return tuple(
        (name, mark)
        for name, mark in marked.items()
        if mark is not None and mark.owner is tracer.owner and id(kept[name]) not in given
    )


def _sign(tracer: Tracer, values: tuple[Any, ...], key: list[Any]) -> bool:
    """Append to the key what the recorded work depends on; False where a call must be followed.

    A call on a constant alone, such as a start state, is followed.
    """
    if len(values) == 1 and not hasattr(values[0], MARK):
        return False
    for value in values:
        if isinstance(value, Tensor):
            mark = getattr(value, MARK, None)
            if value.is_nested or (mark is not None and mark.info.origin):
                return False
            if mark is None or mark.owner is not tracer.owner:
                if tracer.is_dynamic(value):
                    return False
                mark = None
            key += (mark, value.shape, value.dtype)
        elif isinstance(value, tuple | list):
            key.append(len(value))
            if not _sign(tracer, tuple(value), key):
                return False
        elif value is None or isinstance(value, bool | int | float | str):
            key.append(value)
        else:
            return False
    return True
