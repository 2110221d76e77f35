"""What is known of a tensor operation before it runs, and the signature under which its work repeats."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from students.counting.calls.call import tensors_of

MARK = "_counting_mark"
"""Attribute of a tensor that holds what is known of it; removed from a model's own tensors after it ran."""

ADDRESSES = frozenset(("index", "indices", "offsets", "repeats", "sorter", "lengths"))
"""Arguments that say where to read or write, not what."""

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


def _slice(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a slice's arguments with its length in place of where it begins and ends."""
    source: Tensor = args[0]
    given: tuple[Any, ...] = (*args[1:], *(0, None, None, 1)[len(args) - 1 :])
    dim, start, end, step = given
    return source, dim, len(range(*slice(start, end, step).indices(source.shape[dim]))), step


SHORTENED: Mapping[str, Callable[[tuple[Any, ...]], tuple[Any, ...]]] = {
    "select": lambda args: args[:2],
    "slice": _slice,
    "narrow": lambda args: (*args[:2], *args[3:]),
}
"""Arguments that decide the recorded work, of operations that a time loop calls with another index every time."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of torch, looked up once.

    Parameters
    ----------
    function : callable
    name : str
        Without overload.
    mutable : bool
        It writes into one of its arguments.
    shape_only, repeating, by_shape : bool
        See `SHAPE_ONLY`, `students.counting.calls.call.repeating` and `students.counting.calls.call.by_shape`.
    moving, sizes : bool, frozenset of str
        See `students.counting.calls.call.moving` and `students.counting.calls.call.sizing`.
    random : bool
        It draws random numbers, at least with some arguments.
    names : tuple of str
        Of its arguments.
    """

    function: Any
    name: str
    mutable: bool
    shape_only: bool
    repeating: bool
    by_shape: bool
    moving: bool
    random: bool
    sizes: frozenset[str]
    names: tuple[str, ...]

    @classmethod
    def of(cls, function: Any, rules: Mapping[str, Any]) -> Operation:
        """Return what is known of a function as a dispatch mode receives it."""
        name = function.overloadpacket.__name__
        rule = rules.get(name)
        if rule is None and name.endswith("_"):
            rule = rules.get(name[:-1])
        return cls(
            function,
            name,
            function._schema.is_mutable,
            name in SHAPE_ONLY,
            getattr(rule, "repeating", False),
            getattr(rule, "by_shape", False),
            getattr(rule, "moving", False),
            torch.Tag.nondeterministic_seeded in function.tags,
            getattr(rule, "sizes", frozenset()),
            tuple(argument.name for argument in function._schema.arguments),
        )

    def operands(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Iterator[tuple[str, Tensor]]:
        """Yield the tensors among a call's arguments by name, without those that say where to read or write."""
        for name, value in (*zip(self.names, args, strict=False), *kwargs.items()):
            if name not in ADDRESSES:
                for tensor in (value,) if isinstance(value, Tensor) else tensors_of(value):
                    yield name, tensor

    def written(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Tensor]:
        """Return the tensors this call writes into."""
        found: list[Any] = []
        for place, argument in enumerate(self.function._schema.arguments):
            if argument.alias_info is not None and argument.alias_info.is_write:
                found.append(args[place] if place < len(args) else kwargs.get(argument.name))
        flat = [one for value in found for one in (value if isinstance(value, list | tuple) else [value])]
        return [one for one in flat if isinstance(one, Tensor)]

    def signature(self, tracer: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[bool, bool, Any]:
        """Return whether a call depends on the input, whether it has constant operands, and its key.

        Under the key it repeats; with none it is followed anew.
        """
        key: list[Any] = [self.function, tracer.generation]
        dynamic, fixed, known = False, False, self.repeating
        shorten = SHORTENED.get(self.name)
        values = shorten(args) if shorten is not None and not kwargs else args
        for value in (*values, *kwargs.values()) if kwargs else values:
            if isinstance(value, Tensor):
                known = known and not value.dtype.is_complex  # what they cost may depend on the constant
                mark = getattr(value, MARK, None)
                if mark is not None and mark.owner is tracer.owner:
                    dynamic = True
                    known = known and (not mark.info.origin or self.name == "select")  # along steps, where matters
                    key += (mark, value.shape, value.dtype)
                elif tracer.is_dynamic(value):
                    dynamic, known = True, False
                elif self.by_shape:
                    fixed = True
                    key += (value.shape, value.dtype)
                else:
                    fixed = True
                    name = tracer.weights_key(value)
                    known = known and bool(name)
                    key += (name, value.shape, value.stride())
            elif isinstance(value, list | tuple):
                tensors = [one for one in value if isinstance(one, Tensor)]
                known = known and not tensors
                dynamic = dynamic or any(tracer.is_dynamic(one) for one in tensors)
                key.append(tuple(value))
            else:
                key.append(value)
        if kwargs:
            key.append(tuple(kwargs))
        return dynamic, fixed, tuple(key) if known else None


def draws(operation: Operation, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Return whether a call of an operation that may draw random numbers does: dropout does in training only."""
    schema = operation.function._schema.arguments
    given = {one.name: one.default_value for one in schema if one.has_default_value()}
    given |= {**dict(zip(operation.names, args, strict=False)), **kwargs}
    chances = [given[name] for name in ("train", "training", "dropout", "dropout_p") if name in given]
    return all(bool(one) for one in chances)


def is_unfollowed(operation: Operation, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Return whether a call has an operand whose numbers do not lie in plain memory: sparse, nested, quantised."""
    for value in (*args, *kwargs.values()):
        for one in (value,) if isinstance(value, Tensor) else tensors_of(value):
            if one.layout is not torch.strided or one.is_quantized or one.is_nested:
                return True
    return operation.function.namespace == "quantized"
