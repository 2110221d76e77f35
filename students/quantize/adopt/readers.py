"""Which products of a traced network there are, where they stand, and which of them read a signal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import fx, nn

from students.layers.protocol import Edge
from students.layers.recurrent import Recurrent
from students.quantize.width_plan import Product
from students.spec import LayerKind


def readers_of(products: list[fx.Node], layers: Mapping[str, nn.Module]) -> dict[str, Product]:
    """Return the products of a network by path.

    Parameters
    ----------
    products : list of Node
        Where they run.
    layers : mapping of str to nn.Module
        By path.
    """
    return {name: Product(name, _kind(layers[name]), edge) for name, edge in _edges(products)}


def readers_behind(
    node: fx.Node, products: Mapping[str, Product], is_activation: Callable[[fx.Node], bool]
) -> tuple[Product, ...]:
    """Return the products that read an operation's signal before an activation function gives it another grid."""
    found: dict[str, Product] = {}
    waiting, seen = list(node.users), set[fx.Node]()
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        name = str(one.target) if one.op == "call_module" else ""
        if name in products:
            found[name] = products[name]
        elif not is_activation(one):
            waiting += one.users
    return tuple(found.values())


def _kind(layer: Any) -> LayerKind:
    if isinstance(layer, nn.Linear):
        return "linear"
    if isinstance(layer, Recurrent):
        return "recurrent"
    return "depthwise" if layer.groups > 1 else "conv"


def _edges(products: list[fx.Node]) -> Iterator[tuple[str, Edge]]:
    """Yield which products have none before or behind them; one that runs several times is inner where any run is."""
    behind = {node: reached(node, lambda one: one.users) for node in products}
    before = {node: reached(node, lambda one: one.all_input_nodes) for node in products}
    found: dict[str, set[Edge]] = {}
    for node in products:
        last = not any(one in behind[node] for one in products)
        first = not any(one in before[node] for one in products)
        found.setdefault(str(node.target), set()).add("last" if last else "first" if first else "inner")
    for name, edges in found.items():
        yield name, next(iter(edges)) if len(edges) == 1 else "inner"


def reached(node: fx.Node, step: Callable[[fx.Node], Any]) -> set[fx.Node]:
    """Return the nodes that are reached from one by steps, such as to its users."""
    found: set[fx.Node] = set()
    waiting = list(step(node))
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += step(one)
    return found
