"""An ONNX graph as plain data: nodes, stored constants and the shapes of its ends. No protobuf leaves the reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

DEFAULT_DOMAINS = frozenset(("", "ai.onnx"))
"""Of ONNX's own operators."""

Run = Callable[..., Any]
"""Computes a node's outputs from its input tensors, in order; an absent optional input is None."""


class UnsupportedVariant(Exception):  # noqa: N818  control flow inside the package: the reader lists them all
    """A known operator with attributes or inputs that are not implemented; the text says which."""


@dataclass(frozen=True, slots=True)
class Node:
    """One operation of a graph.

    Parameters
    ----------
    name : str
        Unique in its graph; the name of the layer it is counted as.
    operator : str
        For example ``Conv``.
    domain : str
        Empty for ONNX's own operators.
    version : int
        Of the operator set of that domain.
    inputs, outputs : tuple of str
        Names of tensors; empty where an optional one is absent.
    attributes : mapping of str to value
        Numbers, strings, lists and tensors.
    constants : mapping of str to Tensor
        The graph's stored constants by name.
    used : frozenset of str
        Outputs that something reads.
    layer : str
        The layer it is a turn of, where it is part of a loop; else empty.
    """

    name: str
    operator: str
    domain: str
    version: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    constants: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])
    used: frozenset[str] = frozenset()
    layer: str = ""

    def attribute(self, name: str, default: Any) -> Any:
        """Return an attribute, or `default` where the file leaves it out."""
        return self.attributes.get(name, default)

    def constant(self, place: int) -> Tensor | None:
        """Return the stored constant that is an input; None for a computed or absent one."""
        return self.constants.get(self.inputs[place]) if place < len(self.inputs) else None

    def has(self, place: int) -> bool:
        """True where an optional input is given."""
        return place < len(self.inputs) and bool(self.inputs[place])

    def only_output(self) -> None:
        """Refuse a node whose further outputs are read."""
        extra = [name for name in self.outputs[1:] if name in self.used]
        if extra:
            raise UnsupportedVariant(f"its output {extra[0]!r} is used")

    def expect(self, name: str, *accepted: Any) -> None:
        """Refuse an attribute that is present with another value than the first (its default) or the others."""
        value = self.attribute(name, accepted[0])
        if value not in accepted:
            raise UnsupportedVariant(f"{name} = {value!r}")


Builder = Callable[[Node], Run]
"""Checks a node's attributes once, on reading, and returns what runs it."""


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a graph: its name, its axes (None where open) and its element type."""

    name: str
    axes: tuple[int | None, ...]
    dtype: torch.dtype


@dataclass(frozen=True, slots=True)
class Graph:
    """A network as a file describes it.

    Parameters
    ----------
    nodes : tuple of Node
        In an order in which every input is computed before it is read.
    constants : mapping of str to Tensor
    inputs : tuple of Port
    outputs : tuple of str
    source : str
        The file, for error messages.
    results : tuple of Port
        The outputs with what the file says of their axes.
    absent : tuple of str
        Weights of which the file holds the shape only; their values are made up.
    arena_bytes : int or None
        Memory that its signals need at most, where the file's format plans it [bytes].
    """

    nodes: tuple[Node, ...]
    constants: Mapping[str, Tensor]
    inputs: tuple[Port, ...]
    outputs: tuple[str, ...]
    source: str
    results: tuple[Port, ...] = ()
    absent: tuple[str, ...] = ()
    arena_bytes: int | None = None
