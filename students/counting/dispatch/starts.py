"""Start states: tensors a model makes of no numbers of the signal (zeros, a fill) and hands to its first step.

They are constant, yet what is done to them in the first step is done to the signal in every later one. Products with
them are counted as products of a signal; other operations on them if their layer works on the signal in later steps.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from students.counting.axes import DECODE, Axes, plain

MAKERS = frozenset(
    (
        "zeros", "ones", "full", "empty", "zeros_like", "ones_like", "full_like", "empty_like",
        "new_zeros", "new_ones", "new_full", "new_empty",
    )
)  # fmt: skip
"""Operations that make a tensor of one number."""

class Starts:
    """The start states of a forward call, found by their memory."""

    def __init__(self) -> None:
        self._found: dict[int, tuple[StorageWeakRef, weakref.ref[Tensor]]] = {}

    def __bool__(self) -> bool:
        return bool(self._found)

    def clear(self) -> None:
        """Forget all of them."""
        self._found.clear()

    def note(self, tensors: Iterable[Tensor]) -> None:
        """Remember start states while they live."""
        for tensor in tensors:
            if tensor.dim():
                memory = StorageWeakRef(tensor.untyped_storage())
                if memory.cdata not in self._found:
                    self._found[memory.cdata] = memory, weakref.ref(tensor)
        if len(self._found) > 1000:
            self._found = {key: one for key, one in self._found.items() if not one[0].expired()}

    def holds(self, tensor: Tensor) -> bool:
        """True where a tensor is a start state, or a view of one."""
        found = self._found.get(tensor.untyped_storage()._cdata)
        return found is not None and not found[0].expired()

    def whole(self, view: Tensor) -> Tensor | None:
        """Return the tensor that a view is a part of; None where it is not kept."""
        found = self._found.get(view.untyped_storage()._cdata)
        return None if found is None else found[1]()

    def forget(self, tensor: Tensor) -> None:
        """Note that a tensor holds numbers of the signal from now on."""
        self._found.pop(tensor.untyped_storage()._cdata, None)


def axes_of_start(tensor: Tensor, batch: int) -> tuple[Axes, bool]:
    """Return a start state's axes and whether one of them runs over the decodes: the first that is as long."""
    axes: Axes = tuple(plain(size) for size in tensor.shape)
    if batch in (tensor.shape[:-1] or tensor.shape):
        place = tensor.shape.index(batch)
        return (*axes[:place], ((batch, DECODE),), *axes[place + 1 :]), True
    return axes, False


def tensors_among(values: Any, starts: Starts) -> list[Tensor]:
    """Return the start states among tensors."""
    return [one for one in values if starts.holds(one)]
