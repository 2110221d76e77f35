"""Signals of a network that is traced: how many axes they have and how long these are is known, their numbers are not.

The network runs on two batches that differ in what may differ when it is used: the number of examples, and the number
of steps of a regression. A size that both have is a plain number, by which the network's code may branch; one that
differs stays an operation of the graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.proxy import TraceError

from students.spec import Shape

KNOWN = frozenset({"shape", "ndim", "dtype", "device", "is_cuda", "requires_grad"})
PLACES = frozenset({"to", "float", "double", "half", "bfloat16", "type", "type_as", "cpu", "cuda"})
"""Attributes that are known, and calls that move a signal or change its format."""


def two_batches(shape: Shape, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return two inputs that differ in every length that may differ from call to call.

    Returns
    -------
    two Tensor, shape (examples, channels, steps)
    """
    longer = 2 * shape.steps if shape.task == "regression" else shape.steps
    return (
        torch.zeros((2, shape.channels, shape.steps), device=device),
        torch.zeros((3, shape.channels, longer), device=device),
    )


class ShapedProxy(fx.Proxy):
    """A signal whose sizes are known, or a number that is made of sizes which may differ.

    Parameters
    ----------
    node : Node
    tracer : Tracer
    results : two of anything
        What the operation gave on each of the two batches.
    """

    def __init__(self, node: fx.Node, tracer: fx.Tracer, results: tuple[Any, Any]) -> None:
        super().__init__(node, tracer)
        self.results = results

    def __getattr__(self, k: str) -> Any:
        if k == "mT":
            return self.transpose(-2, -1)
        found = self._signals() if k in KNOWN or k in PLACES else None
        if found is None:
            return super().__getattr__(k)
        if k in PLACES:
            return self._as_it_is
        return self.size() if k == "shape" else self.dim() if k == "ndim" else getattr(found[0], k)

    def _as_it_is(self, *given: Any, **named: Any) -> ShapedProxy:
        """Return the signal: the network runs where, and in the format in which, its form says."""
        formats = [one for one in (*given, *named.values()) if isinstance(one, torch.dtype)]
        if not all(one.is_floating_point for one in formats):
            raise TraceError("a signal is made whole numbers")
        return self

    def _signals(self) -> tuple[Tensor, Tensor] | None:
        first, second = self.results
        return (first, second) if isinstance(first, Tensor) and isinstance(second, Tensor) else None

    def size(self, dim: int | None = None) -> Any:
        """Return the length of an axis, or of all."""
        if dim is not None:
            return self._axis(dim)
        sizes = [self._axis(axis) for axis in range(self.dim())]
        return torch.Size(sizes) if all(isinstance(one, int) for one in sizes) else tuple(sizes)

    def _axis(self, axis: int) -> Any:
        first, second = (signal.shape[axis] for signal in self._signals() or ())
        return first if first == second else self.tracer.create_proxy("call_method", "size", (self, axis), {})

    def dim(self) -> int:
        """Return the number of axes."""
        first, second = (signal.ndim for signal in self._signals() or ())
        if first != second:
            raise TraceError("the number of axes depends on the number of examples or steps")
        return first

    ndimension = dim

    def numel(self) -> Any:
        """Return the number of values."""
        first, second = (signal.numel() for signal in self._signals() or ())
        return first if first == second else self.tracer.create_proxy("call_method", "numel", (self,), {})

    nelement = numel

    def __len__(self) -> int:
        """Return the length of the first axis, or of a tuple."""
        first, second = (len(value) for value in self.results)
        if first != second:
            raise TraceError("len() of a signal whose first axis is that of the examples; write size(0)")
        return first

    def __iter__(self) -> Iterator[Any]:
        """Yield the parts of a tuple; a signal is only unpacked along an axis of known length."""
        return iter([self[part] for part in range(len(self))])  # type: ignore[index]

    def __bool__(self) -> bool:
        """Refuse: neither numbers of a signal nor sizes that may differ decide what is computed."""
        if self._signals() is not None:
            raise TraceError("control flow that depends on the numbers of a signal")
        raise TraceError("control flow that depends on the number of examples or steps")
