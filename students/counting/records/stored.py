"""Which of a model's parameters and buffers are stored, and in which layer: every word once.

A constant operand of a counted operation is identified by its memory. The words of a parameter or buffer are counted
one by one, so that slices of one table add up to the table. A constant computed from parameters alone
(``softplus(a)``) is deployed as computed: its own words are stored, not those of its operands. Copies, repetitions and
rows at fixed indices are the words they were copied from. Words that a rule records itself (weights, biases, norms) are
not stored again, nor are words that an earlier layer stores. A truth value is one bit; indices
are not stored.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef

from students.counting.calls import Operation, tensors_of
from students.counting.records.integers import Constants
from students.counting.records.recorded_call import Key
from students.counting.records.repeats import Repeats, repeats_of, without_repeats

View = tuple[tuple[int, ...], tuple[int, ...], int]
"""Sizes, strides and offset of what is read, in elements of the memory."""

Reader = Key | str
"""A recorded layer, or the name of one that computes nothing and holds constants."""

Words = Mapping[int, int]
"""Stored elements by their width [bits]."""


@dataclass(slots=True, eq=False)
class Source:
    """Words that are stored under one name.

    Parameters
    ----------
    name : str
        Of a parameter or buffer, or of those it is made from.
    words, bits : int
    span : int
        Elements of the memory the words lie in; 0 where they are stored whole or not at all.
    roots : frozenset of str
        Names of the parameters and buffers it comes from.
    sized, reads, pending : list of views
        Reads by layers whose rules record the words; by layers whose rules do not, with the layer; by modules whose
        words another rule is expected to record, with the module's path.
    """

    name: str
    words: int
    bits: int
    span: int
    roots: frozenset[str]
    sized: list[View | None] = field(default_factory=list[View | None])
    reads: list[tuple[Reader, View | None]] = field(default_factory=list[tuple[Reader, View | None]])
    pending: list[tuple[str, View | None]] = field(default_factory=list[tuple[str, View | None]])

    def allocate(self) -> Iterator[tuple[Reader | None, str, int]]:
        """Yield each reader, or the path of a module with a pending read, with the words no earlier reader stores."""
        taken, held = torch.zeros(self.span, dtype=torch.bool), 0
        sized = ((None, "", view) for view in self.sized)
        reads = ((reader, "", view) for reader, view in self.reads)
        for reader, path, view in (*sized, *reads, *((None, path, view) for path, view in self.pending)):
            before = held
            if view is None:
                held = self.words
            elif held < self.words:
                taken.as_strided(*view).fill_(True)
                held = int(taken.count_nonzero())
            if held > before and (reader is not None or path):
                yield reader, path, held - before


Part = tuple[Source, View | None]


@dataclass(frozen=True, slots=True)
class ReadContext:
    """Where an operation runs, and how its work is recorded.

    Parameters
    ----------
    path : str
        Of the module it runs in.
    label : str
        The name of its layer, if it were recorded as one.
    stores : bool
        A layer it recorded stores constants.
    silent : bool
        Another rule counts its arithmetic.
    """

    path: str
    label: str
    stores: bool
    silent: bool


@dataclass(frozen=True, slots=True)
class _Made:
    """A constant computed from others: the words it holds, and the axes along which it repeats itself."""

    memory: StorageWeakRef
    parts: tuple[Part, ...]
    repeats: Repeats
    own: bool  # its words are stored as computed: a view of it reads some of them


class Stored:
    """The stored words of a model, and who reads them.

    Parameters
    ----------
    model : nn.Module
    constants : Constants
        Integers of quantised weights and biases, with their true widths.
    """

    def __init__(self, model: nn.Module, constants: Constants) -> None:
        self._constants = constants
        self.named: dict[int, Source] = {}
        self._sources: dict[object, Source] = {}
        for name, tensor in (*model.named_buffers(), *model.named_parameters()):
            if tensor.layout is not torch.strided or tensor.is_quantized:
                continue
            memory, words = tensor.untyped_storage().data_ptr(), tensor.numel()
            if memory in self.named and words < _span(tensor):
                words = _span(tensor)  # several names in one memory: what is read of it counts
            source = Source(name, words, _bits(tensor), _span(tensor), frozenset((name,)))
            self.named[memory] = self._sources[name] = source
        self._made: dict[int, _Made] = {}
        self._seen: set[object] = set()
        self._states: set[str] = set()

    def own(self, names: Iterable[str]) -> None:
        """Note parameters and buffers that the rule of their module records."""
        for name in names:
            if name in self._sources:
                self._sources[name].sized.append(None)

    def found_states(self, names: Iterable[str]) -> None:
        """Note buffers that hold numbers of the signal after a forward call: they are state, no constants."""
        self._states.update(names)

    def parts(self, tensor: Tensor) -> tuple[Part, ...]:
        """Return the stored words a constant holds; none for constants that no parameter is part of."""
        if tensor.layout != torch.strided or not tensor.numel() or tensor._is_zerotensor():
            return ()
        known = self._constants.find(tensor)
        if known is not None:
            return ((self._quantised(known), None),)
        memory = tensor.untyped_storage()
        source = self.named.get(memory.data_ptr())
        if source is not None:
            return ((source, _view(tensor, source)),)
        made = self._made.get(memory._cdata) if self._made else None
        if made is None:
            return ()
        return tuple((one, _view(tensor, one)) for one, _ in made.parts) if made.own else made.parts

    def repeats(self, tensor: Tensor) -> int:
        """Return how often a constant holds each of its words; once where it has none."""
        return max(1, tensor.numel() // max(1, math.prod(without_repeats(tensor, self._repeats(tensor)))))

    def derive(self, operation: Operation, args: Any, kwargs: Any, out: object) -> None:
        """Remember where the result of an operation on constants comes from."""
        operands = list(operation.operands(args, kwargs))
        parts = tuple(dict.fromkeys(part for _, one in operands for part in self.parts(one)))
        if not parts:
            return
        written = operation.written(args, kwargs) if operation.mutable else []
        for place, result in enumerate(tensors_of(out)):
            memory = result.untyped_storage()
            known = self._made.get(memory._cdata)
            if memory.data_ptr() in self.named or (known is not None and not written):
                continue
            repeats = repeats_of(result, [(one, self._repeats(one)) for _, one in operands])
            if not (operation.moving or written):
                sizes = without_repeats(result, repeats)
                key = (operation.function, place, _plain(args, kwargs), self._signature(operands), sizes)
                made = self._sources.get(key)
                if made is None:
                    roots = frozenset(name for source, _ in parts for name in source.roots)
                    words = math.prod(sizes)
                    span = _span(result) if words == result.numel() else 0
                    made = Source(", ".join(sorted(roots)), words, _bits(result), span, roots)
                    self._sources[key] = made
                found: tuple[Part, ...] = ((made, None),)
            else:
                found = tuple(dict.fromkeys((*(known.parts if known else ()), *parts)))
            own = not (operation.moving or written)
            self._made[memory._cdata] = _Made(StorageWeakRef(memory), found, repeats, own)
        if len(self._made) > 1000:
            self._made = {key: one for key, one in self._made.items() if not one.memory.expired()}

    def same_words(self, copy: Tensor, original: Tensor) -> None:
        """Note that a constant stands for the words of another, in another number format."""
        parts = self.parts(original)
        if parts:
            memory = copy.untyped_storage()
            self._made[memory._cdata] = _Made(StorageWeakRef(memory), parts, frozenset(), own=False)

    def record_read(
        self, operation: Operation, operands: list[tuple[str, Tensor]], layer: Key | None, context: ReadContext
    ) -> None:
        """Record that an operation reads constants together with a signal.

        Parameters
        ----------
        operation : Operation
        operands : list of (argument name, Tensor)
        layer : Key or None
            The layer that the operation recorded; None: no layer.
        context : ReadContext
        """
        for name, tensor in operands:
            sizes = name in operation.sizes
            for part in self.parts(tensor):
                token = (part, layer or context.label, sizes)
                if token in self._seen:
                    continue
                self._seen.add(token)
                source, view = part
                if sizes and (context.stores or context.silent):
                    source.sized.append(view)
                elif context.silent or (sizes and layer is None):  # another rule, or its own, is expected to store it
                    source.pending.append((context.path, view))
                else:
                    source.reads.append((layer or context.label, view))

    def allocate(self) -> dict[Reader, dict[int, int]]:
        """Return the words each layer stores besides those its rule records, by width."""
        found: dict[Reader, dict[int, int]] = {}
        for source in self._constant():
            for reader, _, words in source.allocate():
                if reader is not None:
                    mine = found.setdefault(reader, {})
                    mine[source.bits] = mine.get(source.bits, 0) + words
        return found

    def not_allocated(self) -> dict[str, str]:
        """Return, by path, why constants that were read with a signal and that no layer stores are uncounted."""
        found: dict[str, list[str]] = {}
        for source in self._constant():
            for _, path, words in source.allocate():
                if path:
                    found.setdefault(path, []).append(f"{source.name} ({words} words)")
        return {path: f"read with the signal and stored nowhere: {', '.join(names)}" for path, names in found.items()}

    def _constant(self) -> Iterator[Source]:
        return (source for source in self._sources.values() if not source.roots & self._states)

    def _quantised(self, known: Any) -> Source:
        constant = known.constant
        source = self._sources.get(known.name)
        if source is None:
            words = constant.values.numel()
            source = self._sources[known.name] = Source(known.name, words, constant.bits, 0, frozenset((known.name,)))
        source.bits = constant.bits
        return source

    def _repeats(self, tensor: Tensor) -> Repeats:
        made = self._made.get(tensor.untyped_storage()._cdata) if self._made else None
        return frozenset() if made is None else made.repeats

    def _signature(self, operands: list[tuple[str, Tensor]]) -> object:
        """Return a key of constant operands: the words they hold, else a hash of their numbers."""
        return tuple(
            (self.parts(one) or _content_hash(one), without_repeats(one, self._repeats(one))) for _, one in operands
        )


def _plain(args: Any, kwargs: Any) -> object:
    """Return the arguments that are no tensors, as text."""
    return repr([one for one in (*args, *kwargs.items()) if not tensors_of(one)])


def _content_hash(tensor: Tensor) -> object:
    if not tensor.dim():
        return tensor.dtype, tensor.item()
    return tensor.dtype, hash(tensor.detach().contiguous().view(torch.uint8).cpu().numpy().tobytes())


def _bits(tensor: Tensor) -> int:
    return 1 if tensor.dtype == torch.bool else tensor.element_size() * 8


def _span(tensor: Tensor) -> int:
    return tensor.untyped_storage().nbytes() // tensor.element_size()


def _view(tensor: Tensor, source: Source) -> View | None:
    """Return which words of a memory a tensor reads; None for all of them."""
    axes = [(size, stride) for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if stride and size > 1]
    sizes, strides = tuple(size for size, _ in axes), tuple(stride for _, stride in axes)
    if math.prod(sizes) >= source.words or _bits(tensor) != source.bits or _span(tensor) != source.span:
        return None
    return sizes, strides, int(tensor.storage_offset())
