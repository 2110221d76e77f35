"""Receives every tensor operation of a forward call, and calls the rule that counts it.

A dispatch mode under `inference_mode` sees composite operations (``conv1d``, ``linear``, ``gru``) whole, functional
code included, and wrapped forwards say in which module it happens. Work that does not depend on the input (quantising
weights, masks) is done once before deployment and is not counted. An operation of a signature seen before is not
followed again: its `RecordedCall` is replayed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import HigherOrderOperator
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from energy_models.errors import CosimError
from students.counting.axes import (
    Axes,
    BatchAxisError,
    Steps,
    check_cut,
    per_decode,
    plain_shape,
    step_axis,
)
from students.counting.calls import MARK, Call, Operation, Rule, draws, is_unfollowed, tensors_of
from students.counting.dispatch.first_steps import without_signal
from students.counting.dispatch.higher_order import run_higher_order
from students.counting.dispatch.operands import Info, Mark
from students.counting.dispatch.starts import Starts
from students.counting.dispatch.tracing import trace_operation
from students.counting.dispatch.unfollowed import rule_failed, without_plain_memory
from students.counting.records import (
    PLACE,
    CallRecorder,
    Constants,
    Key,
    ParameterNames,
    ReadContext,
    RecordedCall,
    Stored,
    Trace,
    When,
    Work,
    WorkRecorder,
)

COMPLEX = "complex."
"""Stands before the name of an operation with a complex operand: such an operation has a rule of its own, or none."""

LOST = "its decodes cannot be told apart along any axis"
RANDOM = "random numbers are drawn: their generator is not counted, and what depends on them differs from run to run"
RECORDED_CALLS_KEPT = 512
"""Signatures remembered per module; a model that makes more is followed anew."""


@dataclass(slots=True)
class ModuleContext:
    """The module being run: its path, and how its operations are counted."""

    path: str
    module: nn.Module
    silent: bool = False
    opaque: bool = False  # counted whole from its input and output: nothing inside needs following
    whole: bool = False  # its operations are named after it: it has no parts, or they are its quantisers
    average_bits: int = 0  # width of the grid its averages are put on, where it does that
    feedback: int = 0  # elements of its own last output that its products read: they are recurrent
    recorded_calls: dict[Any, RecordedCall | None] = field(default_factory=dict[Any, RecordedCall | None])


class Tracer(TorchDispatchMode):
    """Counts the operations of a model into a work recorder while active.

    Parameters
    ----------
    model : nn.Module
    recorder : WorkRecorder
    rules : mapping of operation name to rule
    """

    supports_higher_order_operators = True

    def __init__(self, model: nn.Module, recorder: WorkRecorder, rules: dict[str, Rule]) -> None:
        super().__init__()
        if "torch._dynamo" in sys.modules:  # compiled models have imported it
            _keep_from_compiler()
        self.recorder, self.rules = recorder, rules
        self.contexts: list[ModuleContext] = [ModuleContext("", model)]
        self.batch_axis_lost = False
        self.branched = False  # its control flow depends on the numbers
        self.host_scalars: dict[float, bool] = {}  # and whether their use is accounted for
        self.check_operands: Callable[..., None] | None = None  # set while there are host scalars
        self.paused = False
        self.batch = 0
        self.failure: tuple[BaseException, str] | None = None
        self.cache: dict[object, Any] = {}
        self.constants = Constants()
        self.owner = object()
        self._marks: dict[Info, Mark] = {}
        self._operations: dict[Any, Operation] = {}
        self._written: dict[int, StorageWeakRef] = {}
        self.writes = 0
        self.generation = 0  # of the model's constants, which a forward call may write into
        self._followed = 0
        self.stored = Stored(model, self.constants)
        self.parameter_names = ParameterNames(model, self.constants)
        self._origins = 0
        self.starts = Starts()
        self.trace: Trace | None = None  # of the first forward call
        self.rings: dict[int, tuple[Key, int]] = {}  # by origin: the layer that holds its past steps, and how many

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # it would import torch's compiler, for a second; see `_keep_from_compiler`

    def start(self, inputs: Iterable[tuple[Tensor, Axes]], batch: int, input_bits: int) -> None:
        """Mark the inputs of a forward call; below their own width they are integers as the converter gave them."""
        self.batch = batch
        self.contexts = self.contexts[:1]
        self._written.clear()
        self.rings.clear()
        self.starts.clear()
        self.host_scalars.clear()
        self.check_operands = None
        for tensor, axes in inputs:
            integer = input_bits < tensor.element_size() * 8 or not tensor.is_floating_point()
            self.set_info(tensor, Info(axes, word=input_bits if integer else 0))

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self.paused or self.contexts[-1].opaque:
            return func(*args, **kwargs)
        if isinstance(func, HigherOrderOperator):
            return run_higher_order(self, func, args, kwargs)
        operation = self._operations.get(func)
        if operation is None:
            operation = self._operations[func] = Operation.of(func, self.rules)
        if is_unfollowed(operation, args, kwargs):
            return without_plain_memory(self, operation, args, kwargs)
        dynamic, fixed, key = operation.signature(self, args, kwargs)
        if operation.random and draws(operation, args, kwargs) and not self.contexts[-1].silent:
            self.mark_uncounted(operation.name, RANDOM)
        if self.check_operands is not None and not self.contexts[-1].silent:
            self.check_operands(self, func, args, kwargs)
        if operation.mutable:
            self._before_writing(operation, dynamic, args, kwargs)
        context = self.contexts[-1]
        if not dynamic or operation.shape_only:
            return without_signal(self, operation, dynamic, args, kwargs)
        recorded = None if key is None or self.recorder.call_recorders else context.recorded_calls.get(key)
        if recorded is None:
            out = self._follow(operation, context, key, args, kwargs)
        else:
            out = func(*args, **kwargs)
            self.replayed(recorded, (args, kwargs), out)
            if fixed:
                self._record_reads(operation, args, kwargs, recorded.reader)
            if self.trace is not None:
                trace_operation(self, operation, (args, kwargs), out, sized=recorded.sized)
        if operation.mutable:
            self._note_writes(operation.written(args, kwargs))
        return out

    def _follow(self, operation: Operation, context: ModuleContext, key: Any, args: Any, kwargs: Any) -> Any:
        """Run and count one operation by its rule, and record it."""
        self._followed += 1
        mine = self._followed
        with self.recording() as call_recorder:
            out = self._count(Call(operation.function, operation.name, args, kwargs), tensors_of((args, kwargs)))
        for tensor in tensors_of(out):
            if getattr(getattr(tensor, MARK, None), "owner", None) is not self.owner:
                self.set_info(tensor, Info(None))
        if self.trace is not None:
            trace_operation(self, operation, (args, kwargs), out, sized=call_recorder.sized)
        if self._followed == mine:  # the parts of a composite record their own calls and reads
            self._record_reads(operation, args, kwargs, call_recorder.reader)
            if key is not None:
                self.remember(context, key, call_recorder, (args, kwargs), out)
        return out

    def _record_reads(self, operation: Operation, args: Any, kwargs: Any, reader: tuple[Key | None, bool]) -> None:
        """Note the stored constants that an operation reads beside a signal."""
        written = operation.written(args, kwargs) if operation.mutable else []
        operands = [
            (name, one)
            for name, one in operation.operands(args, kwargs)
            if not (self.is_dynamic(one) or any(one is other for other in written))
        ]
        if not any(self.stored.parts(one) for _, one in operands):
            return
        key, stores = reader
        path = self.path or type(self.contexts[0].module).__name__
        place = ReadContext(path, self.label(operation.name.rstrip("_")), stores, self.contexts[-1].silent)
        self.stored.record_read(operation, operands, key, place)

    def _count(self, call: Call, inputs: list[Tensor]) -> Any:
        name, silent = call.name, self.contexts[-1].silent
        if name not in self.rules and name.endswith("_") and name[:-1] in self.rules:
            name = name[:-1]
        if any(one.is_complex() for one in inputs):
            name = COMPLEX + name
        rule = self.rules.get(name)
        if rule is not None and (not silent or getattr(rule, "even_when_silent", False)):
            try:
                return rule(self, call)
            except BatchAxisError as error:
                self.lose_batch_axis(call.name, str(error))
                return call.result()
            except CosimError:
                raise
            except Exception as error:
                if call.error is not None:  # the operation itself raised: a fault of the model, not of the rule
                    raise
                self.mark_uncounted(call.name, rule_failed(error))
                return call.result()
        if rule is None and not silent:
            if call.function._can_decompose():
                own = self.recorder.call_recorders.pop()  # the parts are recorded as calls of their own
                try:
                    with self:
                        return call.function.decompose(*call.args, **call.kwargs)
                finally:
                    self.recorder.call_recorders.append(own)
                    self._followed += 1
            self.mark_uncounted(call.name, "no rule counts this operation")
        return call.run()

    @contextmanager
    def recording(self) -> Iterator[CallRecorder]:
        """Collect what is recorded inside the block, as one call."""
        call_recorder = CallRecorder()
        self.recorder.call_recorders.append(call_recorder)
        try:
            yield call_recorder
        finally:
            self.recorder.call_recorders.remove(call_recorder)

    def remember(
        self, context: ModuleContext, key: Any, call_recorder: CallRecorder, inputs: object, out: object
    ) -> RecordedCall | None:
        """Keep a recorded call for later ones of its signature; where it cannot be replayed, note that."""
        outputs = tensors_of(out)
        marks = tuple(getattr(tensor, MARK, None) for tensor in outputs)
        recorded = call_recorder.finish([*tensors_of(inputs), *outputs], marks)
        if len(context.recorded_calls) >= RECORDED_CALLS_KEPT:
            self.recorder.flush()
            gone = {id(one) for one in context.recorded_calls.values()}
            self.recorder.recorded_calls = [one for one in self.recorder.recorded_calls if id(one) not in gone]
            context.recorded_calls.clear()
        context.recorded_calls[key] = recorded
        if recorded is not None:
            self.recorder.recorded_calls.append(recorded)
        return recorded

    def replayed(self, recorded: RecordedCall, inputs: object, out: object) -> None:
        """Record a call of a known signature."""
        recorded.calls += 1
        outputs = tensors_of(out)
        if recorded.places:
            recorded.add_call([*tensors_of(inputs), *outputs], self.recorder)
        for tensor, mark in zip(outputs, recorded.marks, strict=True):
            if mark is not None:
                setattr(tensor, MARK, mark)

    def _before_writing(self, operation: Operation, dynamic: bool, args: Any, kwargs: Any) -> None:
        """Before an operation writes: measure held tensors, and drop cached figures of constants it changes."""
        written = operation.written(args, kwargs)
        if any(tensor.untyped_storage()._cdata in self.recorder.unmeasured_storages() for tensor in written):
            self.recorder.flush()
        if not dynamic and any(map(self.parameter_names.holds, written)):
            self.recorder.flush()
            self.constants_changed()

    def constants_changed(self) -> None:
        """Drop cached figures of the model's constants; shapes noted of calls of neurons stay."""
        self.cache = {key: one for key, one in self.cache.items() if isinstance(key, tuple) and key[0] == "neurons"}
        self.generation += 1

    def _note_writes(self, written: list[Tensor]) -> None:
        """Remember storages written with input-dependent numbers: views of them depend on the input too."""
        self.writes += 1
        for tensor in written:
            reference = StorageWeakRef(tensor.untyped_storage())
            self._written[reference.cdata] = reference
        if len(self._written) > 1000:
            self._written = {key: one for key, one in self._written.items() if not one.expired()}

    def is_dynamic(self, tensor: Tensor) -> bool:
        """True where a tensor depends on the input."""
        mark = getattr(tensor, MARK, None)
        if mark is not None and mark.owner is self.owner:
            return True
        return bool(self._written) and tensor.untyped_storage()._cdata in self._written

    def set_info(self, tensor: Tensor, info: Info) -> None:
        """Set the info of a tensor; along the steps of a stream, one without an origin gets a new one."""
        if not info.origin and info.axes is not None and step_axis(info.axes) is not None:
            self._origins += 1
            info = replace(info, origin=self._origins)
        mark = self._marks.get(info)
        if mark is None:
            mark = self._marks[info] = Mark(info, self.owner)
        setattr(tensor, MARK, mark)

    def remove_marks(self, model: nn.Module) -> None:
        """Remove the marks from the tensors a model holds."""
        for module in model.modules():
            for tensor in (*module._buffers.values(), *module._parameters.values(), *module.__dict__.values()):
                for name in (MARK, PLACE):
                    if isinstance(tensor, Tensor) and hasattr(tensor, name):
                        delattr(tensor, name)

    def info(self, tensor: Tensor) -> Info:
        """Return the info of an input-dependent tensor."""
        mark = getattr(tensor, MARK, None)
        return mark.info if mark is not None and mark.owner is self.owner else Info(None)

    def read(self, tensor: Tensor) -> Info:
        """Return the info of an operand; record the use of its producer's output; padded steps raise BatchAxisError."""
        info = self.info(tensor)
        if info.producer is not None:
            self.recorder.use(info.producer)
        if info.padded_steps:
            raise BatchAxisError
        return info

    @property
    def path(self) -> str:
        """Path of the module being run."""
        return self.contexts[-1].path

    def failed(self, error: BaseException) -> None:
        """Note the innermost module an error comes from."""
        if self.failure is None or self.failure[0] is not error:
            self.failure = (error, self.path)

    def label(self, operation: str, weight: Tensor | None = None) -> str:
        """Return a layer name: the module that holds the weight, a leaf module, or module and operation."""
        named = getattr(self.contexts[-1].module, "names_layers", False)
        key = "" if weight is None or named else self.weights_key(weight)
        if key:
            return key.split("[")[0].removesuffix("weight").rstrip("._") or operation
        return self.path if self.contexts[-1].whole and self.path else f"{self.path}.{operation}".lstrip(".")

    def weights_key(self, weight: Tensor) -> str:
        """Return the name of the parameter or buffer a weight or its integers come from; empty where it is derived."""
        return self.parameter_names.key(weight)

    def sums(self, values: Tensor, axes: Axes | None) -> Tensor:
        """Return int64 sums per decode."""
        return per_decode(values, axes, self.batch)

    def shape(self, tensor: Tensor, info: Info) -> tuple[int, ...]:
        """Return a tensor's shape in one decode."""
        if info.axes is not None:
            return plain_shape(info.axes)
        return tuple(tensor.shape[1:] if tensor.dim() and tensor.shape[0] == 1 else tensor.shape)

    def when(self, info: Info) -> When | None:
        """Return the decodes a call on this signal works in: None for all of them, as in a window."""
        if not self.recorder.steps:
            return None
        if info.axes is None:
            raise BatchAxisError
        place = step_axis(info.axes)
        if place is None:
            return "loop"
        check_cut(info.axes[place])
        return next((label, size) for size, label in info.axes[place] if isinstance(label, Steps))

    def record(self, name: str, work: Work) -> Any:
        """Write a call's work to the recorder; return its key."""
        return self.recorder.add(name, work)

    def mark_uncounted(self, operation: str, reason: str) -> None:
        """List an operation as uncounted."""
        self.recorder.mark_uncounted(self.path or type(self.contexts[0].module).__name__, operation, reason)

    def lose_batch_axis(self, operation: str, reason: str = "") -> None:
        """Note that the batch axis is lost in this call; with a batch of one it is not needed."""
        self.batch_axis_lost = True
        self.mark_uncounted(operation, reason or LOST)


@cache
def _keep_from_compiler() -> None:
    """Let torch's compiler leave the tracer alone, which runs while it follows a compiled model."""
    Tracer.__torch_dispatch__ = torch.compiler.disable(Tracer.__torch_dispatch__)  # type: ignore[method-assign]
