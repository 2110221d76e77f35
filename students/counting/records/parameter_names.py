"""The name of the parameter or buffer that holds a constant, found by its memory."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from students.counting.records.integers import Constants


@dataclass(frozen=True, slots=True)
class ParameterMemory:
    """A parameter or buffer: its name, its elements, and the addresses of its first byte and after its last."""

    name: str
    elements: int
    first: int
    after: int


class ParameterNames:
    """Names of a model's parameters and buffers, by the memory they were in when this was made.

    The storages are kept alive: where a model assigns new data to a parameter (``weight.data = ...``), no other tensor
    can get the old address and be taken for the parameter.

    Parameters
    ----------
    model : nn.Module
    integers : Constants
        Quantised constants, which are named by the parameter they were made from.
    """

    def __init__(self, model: nn.Module, integers: Constants) -> None:
        self._integers = integers
        self._by_storage: dict[int, list[ParameterMemory]] = {}
        self._held: list[object] = []
        self._derived: dict[str, list[Tensor]] = {}
        for name, tensor in (*model.named_buffers(), *model.named_parameters()):
            if tensor.layout is not torch.strided or tensor.is_quantized:
                continue
            storage, first = tensor.untyped_storage(), tensor.data_ptr()
            parameter = ParameterMemory(name, tensor.numel(), first, first + tensor.numel() * tensor.element_size())
            self._by_storage.setdefault(storage.data_ptr(), []).append(parameter)
            self._held.append(storage)

    def holds(self, tensor: Tensor) -> bool:
        """True where a tensor shares the memory of a parameter or buffer."""
        return tensor.untyped_storage().data_ptr() in self._by_storage

    def key(self, tensor: Tensor) -> str:
        """Return the name of the parameter or buffer a constant, or its integers, come from; empty where it is derived.

        A part of one has the place where it begins behind the name.
        """
        known = self._integers.find(tensor)
        if known is not None:
            return _part(known.name, known.constant.values.numel(), tensor, int(tensor.storage_offset()))
        parameter = self._find(tensor)
        if parameter is None:
            return ""
        begin = (tensor.data_ptr() - parameter.first) // tensor.element_size()
        return _part(parameter.name, parameter.elements, tensor, begin)

    def derived(self, label: str, weight: Tensor) -> str:
        """Return a name for a constant that was made from parameters: one for the same numbers under one label."""
        known = self._derived.setdefault(label, [])
        place = next((place for place, one in enumerate(known) if same_numbers(one, weight)), len(known))
        if place == len(known):
            known.append(weight.detach().clone())
        return f"{label} ({place + 1})" if place else label

    def _find(self, tensor: Tensor) -> ParameterMemory | None:
        if tensor._is_zerotensor():  # the tangent of a constant: torch keeps its shape only
            return None
        found = self._by_storage.get(tensor.untyped_storage().data_ptr())
        if found is None:
            return None
        if len(found) == 1:
            return found[0]
        address = tensor.data_ptr()  # several parameters may be parts of one vector
        inside = [one for one in found if one.first <= address < one.after]
        return inside[-1] if inside else None


def same_numbers(one: Tensor, other: Tensor) -> bool:
    """Return whether two constants hold the same numbers, up to how another batch size rounded their sums."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if not (one.is_floating_point() or one.is_complex()):
        return torch.equal(one, other)
    size = float(one.abs().max()) if one.numel() else 0.0
    return torch.allclose(one, other, rtol=0.0, atol=8 * torch.finfo(one.dtype).eps * size)


def _part(name: str, elements: int, tensor: Tensor, begin: int) -> str:
    return name if elements == tensor.numel() else f"{name}[{begin}]"
