"""A snapshot of what a model holds (attributes, hooks, weights, buffers), from which it is restored."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.jit import ScriptModule

CONTAINERS = (dict, list, set, deque)


class ModuleSnapshot:
    """Everything a model holds: its modules' attributes, what their containers hold, and the numbers in its tensors.

    An attribute that is an object of another kind is kept, but not what is inside it.

    Parameters
    ----------
    model : nn.Module
    """

    def __init__(self, model: nn.Module) -> None:
        owned: list[dict[str, Any]] = [vars(one) for one in model.modules() if not isinstance(one, ScriptModule)]
        self._attributes = [(now, dict(now)) for now in owned]
        held = [value for now in owned for value in now.values() if isinstance(value, CONTAINERS) and value]
        self._containers = [(value, copy(value)) for value in held]
        every = [value for now in owned for value in now.values()]
        every += [one for value in held for one in (value.values() if isinstance(value, dict) else value)]
        every += [*model.parameters(), *model.buffers()]
        tensors = {id(one): one for one in every if isinstance(one, Tensor) and not one.is_meta}
        with torch.inference_mode(False), torch.no_grad():
            self._tensors = [(one, one.detach().clone()) for one in tensors.values()]
        self._empty = [value for now in owned for value in now.values() if isinstance(value, CONTAINERS) and not value]

    def restore(self) -> bool:
        """Restore what the model held; return whether numbers in its tensors had changed."""
        for now, before in self._attributes:
            if now.keys() != before.keys() or any(now[name] is not value for name, value in before.items()):
                now.clear()
                now.update(before)
        for value in self._empty:
            value.clear()
        for value, before in self._containers:
            value.clear()
            value.extend(before) if isinstance(value, list | deque) else value.update(before)
        return any([_restore_tensor(tensor, before) for tensor, before in self._tensors])


def _restore_tensor(tensor: Tensor, before: Tensor) -> bool:
    if tensor.dtype != before.dtype or tensor.shape != before.shape or tensor.device != before.device:
        with torch.inference_mode(False), torch.no_grad():
            tensor.data = before.clone()
        return True
    if tensor.layout is not torch.strided:
        if torch.equal(tensor.to_dense(), before.to_dense()):
            return False
    elif torch.equal(tensor, before):
        return False
    with torch.inference_mode():
        tensor.copy_(before)
    return True


@contextmanager
def restored_after(model: nn.Module) -> Iterator[ModuleSnapshot]:
    """Restore what the model holds after the block, also after an error."""
    kept = ModuleSnapshot(model)
    try:
        yield kept
    finally:
        kept.restore()
