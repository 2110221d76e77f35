"""A device that computes on the CPU and refuses operands of two devices, for tests where there is no accelerator.

Its tensors call themselves ``meta`` and keep their values; moving a tensor to ``meta`` inside `FakeDevice` makes one.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

DEVICE = torch.device("meta")
COPIES = (torch.ops.aten._to_copy, torch.ops.aten.copy_)
INDEXED = (torch.ops.aten.index, torch.ops.aten.index_put, torch.ops.aten.index_put_)


class OnDevice(torch.Tensor):
    """A tensor on the fake device; `value` is its content."""

    value: torch.Tensor

    @staticmethod
    def __new__(cls, value: torch.Tensor) -> OnDevice:
        with torch.inference_mode(False):  # a view of a normal tensor is one in inference mode too
            made = torch.Tensor._make_wrapper_subclass(
                cls, value.shape, strides=value.stride(), dtype=value.dtype, device=DEVICE
            )
        made.value = value
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _compute(func, args, dict(kwargs or {}))


class FakeDevice(TorchDispatchMode):
    """While it is entered, a tensor moved to ``meta`` is moved to the fake device; `operations` counts what it did."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        with self:  # in inference mode composite operations arrive whole: their parts come back here
            if (found := func.decompose(*args, **kwargs)) is not NotImplemented:
                return found
        moved = kwargs.get("device") == DEVICE
        if not moved and not any(isinstance(item, OnDevice) for item in tree_flatten((args, kwargs))[0]):
            return func(*args, **kwargs)
        self.operations += 1
        return _compute(func, args, kwargs)


def _compute(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    flat = tree_flatten((args, kwargs))[0]
    if func.overloadpacket not in COPIES and any(isinstance(item, OnDevice) for item in flat):
        allowed = args[1] if func.overloadpacket in INDEXED else ()  # indices may be on the CPU, as CUDA allows it
        elsewhere = [tuple(t.shape) for t in flat if _elsewhere(t) and not any(t is index for index in allowed)]
        if elsewhere:
            raise RuntimeError(f"{func}: tensors of shape {elsewhere} are on the CPU, others on the device")
    device = kwargs.get("device")
    if device is not None:
        kwargs["device"] = torch.device("cpu")
    found = func(*tree_map(_content, args), **tree_map(_content, kwargs))
    if device is not None and device != DEVICE:
        return found
    if args and isinstance(args[0], torch.Tensor) and found is _content(args[0]):
        return args[0]  # computed in place
    return tree_map(_wrapped, found)


def _elsewhere(item: Any) -> bool:
    return isinstance(item, torch.Tensor) and not isinstance(item, OnDevice) and item.ndim > 0


def _content(item: Any) -> Any:
    return item.value if isinstance(item, OnDevice) else item


def _wrapped(item: Any) -> Any:
    return OnDevice(item.resolve_conj()) if isinstance(item, torch.Tensor) else item
