"""The operations of one forward call in order, what each read and made: where state is looked for."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

PLACE = "_counting_place"
"""Attribute of a tensor that holds where in a trace it was made; removed from a model's own tensors."""

PIECES = frozenset(("select", "unbind", "slice", "narrow", "split", "split_with_sizes", "chunk", "unsafe_chunk"))
JOINS = frozenset(("cat", "stack", "concat"))


OTHERS = (str(Path(torch.__file__).parent), str(Path(__file__).parents[1]))
"""Folders of torch and of the counter."""
CALLERS_KEPT = 6


@dataclass(frozen=True, slots=True)
class Made:
    """One tensor: the operation that made it, its elements in one decode, their width, and whether a rule sizes it."""

    node: int
    words: int
    bits: int
    sized: bool


@dataclass(frozen=True, slots=True)
class Node:
    """One operation: its name, the tensors it read and made (places in `Trace.made`), and what is called again.

    Parameters
    ----------
    name : str
    reads, made : tuple of int
    weights : str
        The stored weights it multiplies with; empty where it does not.
    site : hashable
        The same for operations of one name in one module on operands of one shape, called from one place in the code.
    piece : hashable or None
        The axis and place of a piece it cuts out.
    """

    name: str
    reads: tuple[int, ...]
    made: tuple[int, ...]
    weights: str
    site: Any
    piece: Any = None
    moves: bool = False  # it gives the numbers it was given, in other places


@cache
def _is_other(file: str) -> bool:
    return file.startswith(OTHERS)


def called_from() -> tuple[int, ...]:
    """Return where in a user's code an operation is called: the same in all turns of a loop.

    Code objects are given by their addresses: to hash one takes microseconds.
    """
    frame, found = sys._getframe(1), list[int]()
    while frame is not None and len(found) < CALLERS_KEPT:
        own = _is_other(frame.f_code.co_filename)
        if not own:
            found += [id(frame.f_code), frame.f_lasti]
        elif found:
            break
        frame = frame.f_back
    return tuple(found)


class Trace:
    """Operations on the signal and on start states.

    Parameters
    ----------
    batch : int
        Examples in the call.
    held : iterable of Tensor
        Tensors the model holds that are no parameters: they may be state.
    """

    def __init__(self, batch: int, held: Iterable[Tensor]) -> None:
        self.batch = batch
        self.nodes: list[Node] = []
        self.made: list[Made] = []
        self.starts: set[int] = set()
        self.paused = False
        self.held = {tensor.untyped_storage()._cdata for tensor in held if tensor.layout is torch.strided}
        self.held_read: set[int] = set()
        self._written: dict[int, tuple[StorageWeakRef, int]] = {}

    def place(self, tensor: Tensor) -> int | None:
        """Return where a tensor was made; None where it is not known."""
        found = getattr(tensor, PLACE, None)
        return found[1] if found is not None and found[0] is self else None

    def _add(self, tensor: Tensor, node: int, bits: int, *, sized: bool) -> int:
        shape, strides = tensor.shape, tensor.stride()
        own = tensor.numel()
        if 0 in strides:  # along those axes the same words are read again
            own = math.prod(size for size, stride in zip(shape, strides, strict=True) if stride or size == 1)
        words = own // self.batch if own % self.batch == 0 and self.batch in shape else own
        self.made.append(Made(node, words, bits, sized))
        setattr(tensor, PLACE, (self, len(self.made) - 1))
        return len(self.made) - 1

    def read_held(self, tensors: Iterable[Tensor]) -> None:
        """Note which of the tensors that the model holds are read, by their memory."""
        if self.held:
            self.held_read |= self.held & {one.untyped_storage()._cdata for one in tensors}

    def operation(
        self,
        name: str,
        reads: Iterable[tuple[Tensor, bool]],
        made: Iterable[tuple[Tensor, int]],
        *,
        weights: str = "",
        site: Any = None,
        piece: Any = None,
        moves: bool = False,
        sized: bool = False,
        written: Iterable[Tensor] = (),
    ) -> None:
        """Add an operation.

        Parameters
        ----------
        name : str
        reads : (Tensor, whether it is a start state)
        made : (Tensor, width in bits)
        weights, site, piece, moves
            See `Node`.
        sized : bool
            A rule sizes what it makes as state.
        written : iterable of Tensor
            Tensors it writes into: what is read of their memory later was made here.
        """
        node, places = len(self.nodes), list[int]()
        for tensor, start in reads:
            place = self.place(tensor)
            if place is None:
                place = self._add(tensor, -1, tensor.element_size() * 8, sized=False)
                self.starts |= {place} if start else set()
            places.append(place)
            memory = self._written.get(tensor.untyped_storage()._cdata) if self._written else None
            if memory is not None and not memory[0].expired() and memory[1] > place:
                places.append(memory[1])
        results = tuple(self._add(tensor, node, bits, sized=sized) for tensor, bits in made)
        for tensor in written:
            if results:
                reference = StorageWeakRef(tensor.untyped_storage())
                self._written[reference.cdata] = reference, results[0]
        self.nodes.append(Node(name, tuple(places), results, weights, site, piece, moves))
