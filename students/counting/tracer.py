"""Sees every tensor operation of a forward call, and hands it to the rule that counts it.

A dispatch mode under `inference_mode` sees composite operations whole (``conv1d``, ``linear``, ``gru``), functional
code included, and module hooks say in which module it happens. Work that does not depend on the input (quantising
weights, masks) is done once before deployment and is not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from students.counting.integers import Constants
from students.counting.layout import (
    DECODE,
    AxisLost,
    Layout,
    Steps,
    check_cut,
    per_decode,
    plain,
    plain_shape,
    step_axis,
)
from students.counting.ledger import Key, Ledger, When, Work
from students.counting.operands import Info

SHAPE_ONLY = frozenset(
    (
        "size",
        "stride",
        "sym_size",
        "numel",
        "dim",
        "is_same_size",
        "zeros_like",
        "ones_like",
        "empty_like",
        "new_zeros",
        "new_ones",
        "new_empty",
        "full_like",
        "new_full",
    )
)
"""Operations whose result depends on a signal's shape, not on its numbers."""

COMPLEX = "complex."
"""Stands before the name of an operation with a complex operand: such an operation has a rule of its own, or none."""

LOST = "its decodes cannot be told apart along any axis"


@dataclass(slots=True)
class Call:
    """One operation with its arguments by name."""

    function: Any
    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @property
    def base_name(self) -> str:
        """Name without the underscore of an in-place operation."""
        return self.name if self.name.endswith("__") else self.name.removesuffix("_")

    def run(self) -> Any:
        """Execute it."""
        return self.function(*self.args, **self.kwargs)

    def named(self) -> dict[str, Any]:
        """Return all arguments by name, defaults included."""
        schema = self.function._schema.arguments
        values = {argument.name: argument.default_value for argument in schema if argument.has_default_value()}
        values |= {argument.name: value for argument, value in zip(schema, self.args, strict=False)}
        return values | self.kwargs


Rule = Callable[["Tracer", Call], Any]


def even_when_silent(rule: Rule) -> Rule:
    """Return the rule marked to apply also inside modules whose arithmetic another rule accounts for."""
    rule.even_when_silent = True  # type: ignore[attr-defined]
    return rule


@dataclass(slots=True)
class Frame:
    """The module being run: its path, and which of its operations another rule accounts for."""

    path: str
    module: nn.Module
    silent: bool = False
    opaque: bool = False  # counted whole from its input and output: nothing inside needs following
    whole: bool = False  # its operations go by its own name: it has no parts, or they are its quantisers
    average_bits: int = 0  # width of the grid its averages are put on, where it does that
    feedback: int = 0  # elements of its own last output that its products read: they are recurrent


def tensors_of(values: object) -> list[Tensor]:
    """Return the tensors anywhere inside arguments or results."""
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]


class Tracer(TorchDispatchMode):
    """Counts into a ledger while active.

    Parameters
    ----------
    model : nn.Module
    ledger : Ledger
    rules : mapping of operation name to rule
    """

    def __init__(self, model: nn.Module, ledger: Ledger, rules: dict[str, Rule]) -> None:
        super().__init__()
        self.ledger, self.rules = ledger, rules
        self.frames: list[Frame] = [Frame("", model)]
        self.lost = False
        self.batch = 0
        self.constants = Constants()
        self._known = WeakTensorKeyDictionary()
        self._written: dict[int, StorageWeakRef] = {}
        self._stored = {
            tensor.untyped_storage().data_ptr(): (name, tensor.numel())
            for name, tensor in (*model.named_buffers(), *model.named_parameters())
        }
        self.cache: dict[object, Any] = {}
        self._origins = 0
        self.rings: dict[int, tuple[Key, int]] = {}  # by origin: the layer that holds its past steps, and how many

    def start(self, inputs: Tensor, layout: Layout, input_bits: int) -> None:
        """Mark the input of a forward call; below float's width it is an integer as the converter gave it."""
        self.batch = inputs.shape[0]
        self.frames = self.frames[:1]
        self._written.clear()
        self.rings.clear()
        self.know(inputs, Info(layout, word=input_bits if input_bits < inputs.element_size() * 8 else 0))

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self.frames[-1].opaque:
            return func(*args, **(kwargs or {}))
        call = Call(func, func.overloadpacket.__name__, args, kwargs or {})
        inputs = tensors_of((args, call.kwargs))
        if call.name in SHAPE_ONLY or not any(self.is_dynamic(tensor) for tensor in inputs):
            return call.run()
        out = self._count(call, inputs)
        for tensor in tensors_of(out):
            if tensor not in self._known:
                self.know(tensor, Info(None))
        if func._schema.is_mutable:
            self._note_writes(call)
        return out

    def _count(self, call: Call, inputs: list[Tensor]) -> Any:
        name = call.name
        if name not in self.rules and name.endswith("_") and name[:-1] in self.rules:
            name = name[:-1]
        if any(one.is_complex() for one in inputs):
            name = COMPLEX + name
        rule = self.rules.get(name)
        if rule is not None and (not self.frames[-1].silent or getattr(rule, "even_when_silent", False)):
            try:
                return rule(self, call)
            except AxisLost as lost:
                self.lose(call.name, str(lost))
                return call.run()
        if rule is None and not self.frames[-1].silent:
            if call.function._can_decompose():
                with self:
                    return call.function.decompose(*call.args, **call.kwargs)
            self.refuse(call.name, "no rule counts this operation")
        return call.run()

    def _note_writes(self, call: Call) -> None:
        """Remember storages written with input-dependent numbers: views of them depend on the input too."""
        named = call.named()
        for argument in call.function._schema.arguments:
            if argument.alias_info is not None and argument.alias_info.is_write:
                for tensor in tensors_of(named.get(argument.name)):
                    reference = StorageWeakRef(tensor.untyped_storage())
                    self._written[reference.cdata] = reference
        if len(self._written) > 1000:
            self._written = {key: one for key, one in self._written.items() if not one.expired()}

    def is_dynamic(self, tensor: Tensor) -> bool:
        """True where a tensor depends on the input."""
        if tensor in self._known:
            return True
        return bool(self._written) and tensor.untyped_storage()._cdata in self._written

    def know(self, tensor: Tensor, info: Info) -> None:
        """Remember what is known of a tensor; along the steps of a stream, numbers of no known origin are new ones."""
        if not info.origin and info.layout is not None and step_axis(info.layout) is not None:
            self._origins += 1
            info = replace(info, origin=self._origins)
        self._known[tensor] = info

    def info(self, tensor: Tensor) -> Info:
        """Return what is known of an input-dependent tensor."""
        return self._known.get(tensor) or Info(None)

    def read(self, tensor: Tensor) -> Info:
        """Return what is known of an operand; note that its producer's output is used, and refuse padded steps."""
        info = self.info(tensor)
        if info.producer is not None:
            self.ledger.use(info.producer)
        if info.padded_steps:
            raise AxisLost
        return info

    @property
    def path(self) -> str:
        """Path of the module being run."""
        return self.frames[-1].path

    def label(self, operation: str, weight: Tensor | None = None) -> str:
        """Return a layer name: the stored weight's owner, a leaf module, or module and operation."""
        named = getattr(self.frames[-1].module, "names_layers", False)
        key = "" if weight is None or named else self.weights_key(weight)
        if key:
            return key.split("[")[0].removesuffix("weight").rstrip("._") or operation
        return self.path if self.frames[-1].whole and self.path else f"{self.path}.{operation}".lstrip(".")

    def weights_key(self, weight: Tensor) -> str:
        """Return the name of the parameter or buffer a weight or its integers come from; empty where it is derived."""
        known = self.constants.find(weight)
        if known is not None:
            name, size = known.name, known.constant.values.numel()
        else:
            name, size = self._stored.get(weight.untyped_storage().data_ptr(), ("", 0))
        return name if not name or size == weight.numel() else f"{name}[{weight.storage_offset()}]"

    def sums(self, values: Tensor, layout: Layout | None) -> Tensor:
        """Return int64 sums per decode."""
        return per_decode(values, layout, self.batch)

    def shape(self, tensor: Tensor, info: Info) -> tuple[int, ...]:
        """Return a tensor's shape in one decode."""
        if info.layout is not None:
            return plain_shape(info.layout)
        return tuple(tensor.shape[1:] if tensor.dim() and tensor.shape[0] == 1 else tensor.shape)

    def when(self, info: Info) -> When | None:
        """Return the decodes a call on this signal works in: None for all of them, as in a window."""
        if not self.ledger.steps:
            return None
        if info.layout is None:
            raise AxisLost
        place = step_axis(info.layout)
        if place is None:
            return "loop"
        check_cut(info.layout[place])
        return next((label, size) for size, label in info.layout[place] if isinstance(label, Steps))

    def book(self, name: str, work: Work) -> Any:
        """Write a call's work to the ledger; return its key."""
        return self.ledger.add(name, work)

    def refuse(self, operation: str, reason: str) -> None:
        """List an operation as uncounted."""
        self.ledger.refuse(self.path or type(self.frames[0].module).__name__, operation, reason)

    def lose(self, operation: str, reason: str = "") -> None:
        """Give up telling decodes apart in this call; with one decode there is nothing to tell apart."""
        self.lost = True
        self.refuse(operation, reason or LOST)


def input_layout(shape: Iterable[int], mode: str) -> Layout:
    """Return the layout of an input ``(batch, ..., steps)``."""
    sizes = list(shape)
    axes = [((sizes[0], DECODE),), *(plain(size) for size in sizes[1:])]
    if mode == "stream":
        axes[-1] = ((sizes[-1], Steps(sizes[-1])),)
    return tuple(axes)
