"""Puts a network that is made of torch's own layers into integers, layer by layer, along its graph of operations.

Every signal is one of three kinds: ``raw`` as it came in, on a ``grid``, or a ``sum``, what products and averages give.
A product takes a signal on a grid; raw ones and sums are quantised in front of it. Activation functions put their
output on a grid, shapes are changed on it, two signals are added on one that both share. The first and last products
have the form's edge widths. What has no integer form is refused by its name: no product stays in float.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import fx, nn

from energy_models.errors import StudentError
from students.layers.modules import OutputScale
from students.layers.recurrent import Recurrent
from students.quantize.adopt import operations as known
from students.quantize.adopt.parts import FloatParts, IntegerParts, Parts, Sum, values
from students.quantize.adopt.readers import readers_behind, readers_of
from students.quantize.adopt.recurrent import put_over_steps
from students.quantize.adopt.traced import place_of, traced
from students.quantize.functions import Square
from students.quantize.signals import on_grid_of
from students.quantize.width_plan import Product, check_names
from students.spec import Shape

SQUARED = 2


def adopted(network: nn.Module, parts: IntegerParts, shape: Shape) -> nn.Module:
    """Return an untrained network in integers; its layers keep their names, quantisers between them get new ones.

    Parameters
    ----------
    network : nn.Module
        Of torch's layers, in float; not to be used any more.
    parts : IntegerParts
        Of the form.
    shape : Shape
        What it takes.

    Raises
    ------
    StudentError
        Naming the operation that has no integer form.
    """
    adoption = _Adoption(network, shape, parts)
    check_names(parts.form, {one.name: one.kind for one in adoption.products.values()})
    return adoption.result()


def float_twin(network: nn.Module, shape: Shape) -> nn.Module:
    """Return a float network as a graph with an identity wherever its adopted form has a quantiser, by the same names.

    Parameters
    ----------
    network : nn.Module
        Not changed.
    shape : Shape
        What it takes.

    Raises
    ------
    StudentError
        As `adopted`.
    """
    return _Adoption(network, shape, FloatParts()).result()


@dataclass(frozen=True, slots=True)
class _Signal:
    """What is known of a signal: its kind, whether it is never negative, and whether it may only be put out."""

    kind: Literal["raw", "grid", "sum"]
    positive: bool = False
    final: bool = False


class _Adoption:
    """Rewrites one graph, operation by operation."""

    def __init__(self, network: nn.Module, shape: Shape, parts: Parts) -> None:
        self.module = traced(network, shape)
        put_over_steps(self.module)
        self.graph, self.parts = self.module.graph, parts
        self.warmup_steps = getattr(network, "warmup_steps", 0)
        modules = [str(node.target) for node in self.graph.nodes if node.op == "call_module"]
        self.layers = {name: self.module.get_submodule(name) for name in modules}  # as they were before
        self.signals: dict[fx.Node, _Signal] = {}
        self.quantised: dict[fx.Node, fx.Node] = {}
        self.replaced: set[str] = set()
        found = [node for node in self.graph.nodes if self._is_product(node)]
        self.products, self.activations = readers_of(found, self.layers), set[str]()
        if not found:
            what = "it has no Linear, Conv1d, Conv2d, GRU or LSTM"
            raise _refused(what, "a network without products has nothing to quantise")

    def result(self) -> nn.Module:
        """Return the rewritten network."""
        nodes = list(self.graph.nodes)
        for node in nodes:
            self._rewrite(node)
        self.graph.eliminate_dead_code()
        self.graph.lint()
        self.module.recompile()
        self.module.delete_all_unused_submodules()
        vars(self.module)["warmup_steps"] = self.warmup_steps
        return self.module

    def _is_product(self, node: fx.Node) -> bool:
        return node.op == "call_module" and type(self.layers[str(node.target)]) in (*known.PRODUCTS, Recurrent)

    def _readers(self, node: fx.Node) -> tuple[Product, ...]:
        return readers_behind(node, self.products, self._is_activation)

    def _is_activation(self, node: fx.Node) -> bool:
        if node.op == "call_module":
            name = str(node.target)
            return name in self.activations or type(self.layers.get(name)) in known.ACTIVATIONS
        target = cast(Any, node.target)
        return node.op != "output" and (_is_square(node) or known.makes_activation(target) is not None)

    def _rewrite(self, node: fx.Node) -> None:
        if node.op == "placeholder":
            self.signals[node] = _Signal("raw")
        elif node.op == "output":
            self._put_values(node)
        elif node.op == "call_module":
            self._rewrite_layer(node, self.layers[str(node.target)])
        elif node.op != "get_attr" and self._inputs(node):
            self._rewrite_call(node)

    def _rewrite_layer(self, node: fx.Node, layer: nn.Module) -> None:
        kind, source = type(layer), self._source(node)
        if self._is_product(node):
            self._product(node, layer)
        elif kind in known.ACTIVATIONS:
            self._activation(node, layer)
        elif kind in known.NORMS or kind is OutputScale:
            self._put_values(node)
            self.signals[node] = _Signal("raw" if source.kind == "raw" else "sum", final=source.final)
        elif kind in known.KEPT:
            self._kept(node)
        elif kind in known.AVERAGES:
            self._put_values(node)
            self.signals[node] = _Signal("sum", source.positive, source.final)
        elif kind in known.LAST_ONLY:
            self._put_values(node)
            self.signals[node] = _Signal("sum", positive=True, final=True)
        else:
            raise _refused(f"{place_of(node)} ({kind.__name__})", _reason(layer))

    def _rewrite_call(self, node: fx.Node) -> None:
        target, source = cast(Any, node.target), self._source(node)
        function = Square if _is_square(node) else known.makes_activation(target)
        if target in known.SIZES:
            self._put_values(node)
        elif function is not None:
            self._activation(node, function(**_settings(node, function)))
        elif target in known.DROPOUT_CALLS:
            self._dropout(node, known.DROPOUT_CALLS[target])
        elif target in known.KEPT_CALLS or (target in known.PADS and known.is_zero_padding(node.kwargs, node.args[2:])):
            self._kept(node)
        elif target in known.AVERAGE_CALLS:
            self._put_values(node)
            self.signals[node] = _Signal("sum", source.positive, source.final)
        elif target in known.ADDITIONS and len(self._inputs(node)) == 2:
            self._sum(node)
        elif target in known.JOINS:
            self._put_values(node)
            self.signals[node] = _Signal("sum", all(self.signals[one].positive for one in self._inputs(node)))
        elif target in known.ADDITIONS | known.SCALINGS and _by_numbers(node):
            self._put_values(node)
            self.signals[node] = _Signal("raw" if source.kind == "raw" else "sum", final=source.final)
        elif target in known.LIMITS and _by_numbers(node):
            self._put_values(node)
            self.signals[node] = _Signal("sum", source.positive or _least(node) >= 0, source.final)
        elif target in known.LAST_ONLY_CALLS:
            self._put_values(node)
            self.signals[node] = _Signal("sum", positive=True, final=True)
        else:
            by_hand = "a product that is no layer" if target in known.BY_HAND else "no integer form is known for it"
            raise _refused(place_of(node), by_hand)

    def _inputs(self, node: fx.Node) -> list[fx.Node]:
        """Return the signals that go into an operation."""
        return [one for one in node.all_input_nodes if one in self.signals]

    def _source(self, node: fx.Node) -> _Signal:
        found = self._inputs(node)
        if not found:
            raise _refused(place_of(node), "it takes nothing that is computed from the input")
        return self.signals[found[0]]

    def _product(self, node: fx.Node, layer: nn.Module) -> None:
        if getattr(layer, "padding_mode", "zeros") != "zeros":
            raise _refused(place_of(node), "its padding is not zeros")
        source = self._inputs(node)[0]
        node.replace_input_with(source, self._on_grid(source))
        name = str(node.target)
        if name not in self.replaced:
            self.replaced.add(name)
            _set_module(self.module, name, self.parts.product(layer, self.products[name]))
        self.signals[node] = _Signal("sum")

    def _activation(self, node: fx.Node, function: nn.Module) -> None:
        self._put_values(node)
        base = str(node.target) if node.op == "call_module" else str(node.name)
        source = node.all_input_nodes[0]
        own = base if node.op == "call_module" else ""
        name = self._new(base, self.parts.activation(function, self._readers(node)), own)
        self.activations.add(name)
        call = self._insert(node, name, source)
        node.replace_all_uses_with(call)
        self.graph.erase_node(node)
        self.signals[call] = _Signal("grid", known.ACTIVATIONS[type(function)])

    def _kept(self, node: fx.Node) -> None:
        """Do on the numbers what changes none of them, and put them on their grid again.

        What comes in is put on its grid first, and so is what is padded, whose zeros are no new numbers.
        """
        source = self._inputs(node)[0]
        layer = type(self.layers.get(str(node.target)))
        pads = node.target in known.PADS or (node.op == "call_module" and layer in known.PADDINGS)
        if self.signals[source].kind == "raw" or pads:
            grid = self._on_grid(source)
            node.replace_input_with(source, grid)
            source = grid
        signal = self.signals[source]
        self.signals[node] = signal
        if signal.kind != "grid":
            return
        self._put_values(node)
        with self.graph.inserting_after(node):
            again = self.graph.call_function(on_grid_of, (node, source))
        node.replace_all_uses_with(again, delete_user_cb=lambda user: user is not again)
        self.signals[node], self.signals[again] = _Signal("sum"), signal

    def _dropout(self, node: fx.Node, kind: type[nn.Module]) -> None:
        """Make a called dropout a layer, as the graph was taken in evaluation mode."""
        probability = node.kwargs.get("p", node.args[1] if len(node.args) > 1 else 0.5)
        call = self._insert(node, self._new(str(node.name), kind(probability)), self._inputs(node)[0])
        node.replace_all_uses_with(call)
        self.graph.erase_node(node)
        self._kept(call)

    def _sum(self, node: fx.Node) -> None:
        if node.kwargs.get("alpha", 1) != 1:
            raise _refused(place_of(node), "it adds a multiple (alpha)")
        both = [one for one in node.args if isinstance(one, fx.Node)]
        positive = all(self.signals[one].positive for one in both)
        sign: Literal["signed", "unsigned"] = "unsigned" if positive else "signed"
        shared = self.parts.grid("activation", sign, self._readers(node))
        call = self._insert(node, self._new(str(node.name), Sum(shared)), *both)
        node.replace_all_uses_with(call)
        self.graph.erase_node(node)
        self.signals[call] = _Signal("sum", positive)

    def _on_grid(self, node: fx.Node) -> fx.Node:
        """Return the signal on a grid, quantised once however many products take it."""
        signal = self.signals[node]
        if signal.kind == "grid":
            return node
        if signal.final:
            raise _refused(place_of(node), "a softmax in front of a product")
        if node not in self.quantised:
            role = "input" if signal.kind == "raw" else "activation"
            sign: Literal["signed", "unsigned"] = "unsigned" if signal.positive else "signed"
            name = "quantise_input" if role == "input" else f"requantise_{node.name}"
            grid = self.parts.grid(role, sign, self._readers(node))
            with self.graph.inserting_after(node):
                call = self.graph.call_module(self._new(name, grid), (node,))
            self.signals[call] = _Signal("grid", signal.positive)
            self.quantised[node] = call
        return self.quantised[node]

    def _put_values(self, node: fx.Node) -> None:
        """Let an operation read the plain numbers of its signals."""
        for source in self._inputs(node):
            if self.signals[source].kind == "grid":
                with self.graph.inserting_before(node):
                    plain = self.graph.call_function(values, (source,))
                node.replace_input_with(source, plain)
                self.signals[plain] = self.signals[source]

    def _new(self, base: str, module: nn.Module, own: str = "") -> str:
        """Add a module under a name that no other has, or only the layer `own` that it replaces, and return it."""
        name, number = base, 1
        while name in self.replaced or (name != own and "." not in name and hasattr(self.module, name)):
            number += 1
            name = f"{base}_{number}"
        self.replaced.add(name)
        _set_module(self.module, name, module)
        return name

    def _insert(self, node: fx.Node, name: str, *arguments: fx.Node) -> fx.Node:
        with self.graph.inserting_before(node):
            return self.graph.call_module(name, arguments)


def _settings(node: fx.Node, function: type[nn.Module]) -> dict[str, Any]:
    """Return the settings of a called activation function, by the names its layer has for them."""
    names = {nn.LeakyReLU: ("negative_slope",), nn.ELU: ("alpha",), nn.Hardtanh: ("min_val", "max_val"),
             nn.Softplus: ("beta", "threshold")}.get(function, ())  # fmt: skip
    given = {**dict(zip(names, node.args[1:], strict=False)), **node.kwargs}
    accepted = (*names, "approximate") if function is nn.GELU else names
    return {key: value for key, value in given.items() if key in accepted}


def _by_numbers(node: fx.Node) -> bool:
    """Return whether an operation takes one signal and else written numbers."""
    given = [one for one in (*node.args, *node.kwargs.values()) if one is not None]
    numbers = sum(isinstance(one, int | float) for one in given)
    return sum(isinstance(one, fx.Node) for one in given) == 1 and numbers == len(given) - 1


def _is_square(node: fx.Node) -> bool:
    """Return whether a signal is multiplied by itself, or raised to the second power."""
    if node.target in known.TIMES and len(node.args) == SQUARED and node.args[0] is node.args[1]:
        return True
    exponent = node.kwargs.get("exponent", node.args[1] if len(node.args) > 1 else None)
    return node.target in known.POWERS and isinstance(exponent, int | float) and exponent == SQUARED


def _least(node: fx.Node) -> float:
    """Return the number below which nothing that a limit gives lies."""
    low = node.kwargs.get("min", node.args[1] if len(node.args) > 1 else None)
    bounded = node.target not in (torch.clamp_max, "clamp_max")
    return float(low) if bounded and isinstance(low, int | float) else -math.inf


def _set_module(module: nn.Module, name: str, new: nn.Module) -> None:
    above, _, last = name.rpartition(".")
    setattr(module.get_submodule(above), last, new)


def _reason(layer: nn.Module) -> str:
    if isinstance(layer, known.RECURRENT):
        return "of recurrent layers GRU and LSTM have an integer form"
    if isinstance(layer, known.OWN_NORMS):
        return "it divides by a deviation that is computed anew from each example; a BatchNorm is folded into integers"
    if isinstance(layer, known.ATTENTION):
        return "attention multiplies two signals, which has no integer form here"
    derived = next((kind.__name__ for kind in known.PRODUCTS if isinstance(layer, kind)), None)
    return f"what is derived from {derived} may do anything" if derived else "no integer form is known for it"


def _refused(what: str, why: str) -> StudentError:
    layers = ", ".join([*(kind.__name__ for kind in known.PRODUCTS), "GRU, LSTM"])
    return StudentError(
        f"{what} would stay in float: {why}", where="form",
        remedy=f"Make products of the layers {layers}, with activation functions, norms, pools and sums between them, "
        "or train this decoder in float32 only",
    )
