"""State that no rule of a neuron or recurrent layer sizes: what a user's own loops and attributes carry on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from energy_models.workload import LayerWork
from students.counting.dispatch import Tracer
from students.counting.records import Carried, Trace, carried_states, made_from, state_layer

Slot = tuple[int, object]
"""A module and where in it a tensor is held."""


def _slots(model: nn.Module) -> Iterator[tuple[Slot, Tensor]]:
    """Yield the tensors a model holds that are no parameters, with where it holds them."""
    for module in model.modules():
        for name, value in (*vars(module).items(), *module._buffers.items()):
            if isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
                yield (id(module), name), value
            elif isinstance(value, list | tuple | dict | deque):
                items = value.items() if isinstance(value, dict) else enumerate(value)
                for key, one in items:
                    if isinstance(one, Tensor) and not isinstance(one, nn.Parameter):
                        yield (id(module), (name, key)), one


class StateSearch:
    """Follows the first forward call of a model for state that no rule sizes.

    Parameters
    ----------
    model : nn.Module
    batch : int
        Examples in the call.
    """

    def __init__(self, model: nn.Module, batch: int) -> None:
        self._model = model
        self._before = dict(_slots(model))
        self.trace = Trace(batch, self._before.values())

    def states(self, tracer: Tracer) -> frozenset[int]:
        """Return the memory of what the model held before, was read, and holds numbers of the signal now."""
        return frozenset(
            before.untyped_storage()._cdata
            for slot, tensor in _slots(self._model)
            if (before := self._before.get(slot)) is not None
            and tensor.layout is torch.strided
            and before.layout is torch.strided
            and tracer.is_dynamic(tensor)
            and before.untyped_storage()._cdata in self.trace.held_read
        )

    def layers(self, tracer: Tracer, *, stream: bool) -> tuple[LayerWork, ...]:
        """Return one layer for each width of what loops carry from step to step, and the model from call to call."""
        found = carried_states(self.trace)
        kept = self._kept(tracer, found)
        rows = [(bits, words, 1 if stream else one.steps) for one in found for bits, words in one.words.items()]
        rows += [(bits, words, 1) for bits, words in kept]
        together: dict[int, tuple[int, int]] = {}
        for bits, words, steps in rows:
            known = together.get(bits, (0, 0))
            together[bits] = known[0] + words, known[1] + words * steps
        return tuple(state_layer("state", words, bits, accesses) for bits, (words, accesses) in together.items())

    def _kept(self, tracer: Tracer, found: list[Carried]) -> list[tuple[int, int]]:
        """Return (bits, words) of what the model holds after the call, and what it held before was read."""
        known, memories = made_from(self.trace, found), set[int]()
        starts = {self.trace.made[place].words for place in self.trace.starts}
        result: list[tuple[int, int]] = []
        for slot, tensor in _slots(self._model):
            place, before = self.trace.place(tensor), self._before.get(slot)
            if place is None or place in known or not tracer.is_dynamic(tensor):
                continue
            memory = tensor.untyped_storage()._cdata
            if memory in memories:
                continue
            made = self.trace.made[place]
            if made.node < 0:  # made by a module counted whole, whose rule sizes it
                continue
            read = made.words in starts if before is None else before.untyped_storage()._cdata in self.trace.held_read
            if read and not made.sized:
                memories.add(memory)
                result.append((made.bits, made.words))
        return result
