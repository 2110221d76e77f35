"""Puts a network that is made of torch's own layers into integers, layer by layer, along its graph of operations.

Every signal is one of three kinds: ``raw`` as it came in, on a ``grid``, or a ``sum``, what products and averages give.
A product takes a signal on a grid; raw ones and sums are quantised in front of it. Activation functions put their
output on a grid, shapes are changed on it, two signals are added on one that both share. The first and last products
have the form's edge widths. What has no integer form is refused by its name: no product stays in float.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

from torch import fx, nn

from energy_models.errors import StudentError
from students.layers.modules import OutputScale
from students.layers.recurrent import Recurrent
from students.quantize.adopt import operations as known
from students.quantize.adopt.called import by_numbers, is_square, least, settings
from students.quantize.adopt.heads import write_out_heads
from students.quantize.adopt.parts import FloatParts, IntegerParts, Parts, Sum, values
from students.quantize.adopt.readers import reached, readers_behind, readers_of
from students.quantize.adopt.recurrent import put_over_steps
from students.quantize.adopt.traced import AXES, place_of, traced
from students.quantize.adopt.written_out import write_out
from students.quantize.functions import Square
from students.quantize.rows import ROW_NORMS
from students.quantize.signals import on_grid_of
from students.quantize.width_plan import Product, check_names
from students.spec import Shape

PAIR = 2


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
        write_out_heads(self.module)
        write_out(self.module)
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
        return node.op != "output" and (is_square(node) or known.makes_activation(target) is not None)

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
        elif kind in ROW_NORMS and not getattr(layer, "track_running_stats", False):
            self._row_norm(node, layer)
        elif kind is nn.Softmax and self._feeds_a_product(node):
            self._softmax(node, cast(Any, layer).dim)
        elif kind in known.LAST_ONLY:
            self._put_values(node)
            self.signals[node] = _Signal("sum", positive=True, final=True)
        else:
            raise _refused(f"{place_of(node)} ({kind.__name__})", _reason(layer))

    def _rewrite_call(self, node: fx.Node) -> None:
        target, source = cast(Any, node.target), self._source(node)
        function = Square if is_square(node) else known.makes_activation(target)
        if target in known.SIZES:
            self._put_values(node)
        elif function is not None:
            self._activation(node, function(**settings(node, function)))
        elif target in known.DROPOUT_CALLS:
            self._dropout(node, known.DROPOUT_CALLS[target])
        elif target in known.KEPT_CALLS or (target in known.PADS and known.pads_with_own(node.kwargs, node.args[2:])):
            self._kept(node)
        elif target in known.AVERAGE_CALLS:
            self._put_values(node)
            self.signals[node] = _Signal("sum", source.positive, source.final)
        elif target in known.ADDITIONS and len(self._inputs(node)) == 2:
            self._sum(node)
        elif target in known.JOINS:
            self._put_values(node)
            self.signals[node] = _Signal("sum", all(self.signals[one].positive for one in self._inputs(node)))
        elif target in known.ADDITIONS | known.SCALINGS and by_numbers(node):
            self._put_values(node)
            self.signals[node] = _Signal("raw" if source.kind == "raw" else "sum", final=source.final)
        elif target in known.LIMITS and by_numbers(node):
            self._put_values(node)
            self.signals[node] = _Signal("sum", source.positive or least(node) >= 0, source.final)
        elif target in known.MATMULS and len(self._inputs(node)) == len(node.args) == PAIR:
            self._of_signals(node, self.parts.matmul())
        elif target in known.TIMES and len(self._inputs(node)) == len(node.args) == PAIR:
            self._of_signals(node, self.parts.multiply())
        elif target in known.SOFTMAX_CALLS and self._feeds_a_product(node):
            self._softmax(node, node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else None))
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

    def _row_norm(self, node: fx.Node, layer: nn.Module) -> None:
        """Put what a norm takes on a grid, and the norm in integers in its place."""
        source, name = self._inputs(node)[0], str(node.target)
        node.replace_input_with(source, self._on_grid(source))
        if name not in self.replaced:
            self.replaced.add(name)
            _set_module(self.module, name, self.parts.norm(layer))
        self.signals[node] = _Signal("sum")

    def _of_signals(self, node: fx.Node, module: nn.Module) -> None:
        """Put both signals of a product on grids, and make it a layer."""
        both = [self._on_grid(one) for one in self._inputs(node)]
        if len(node.all_input_nodes) < PAIR:
            both = both * PAIR
        elif node.all_input_nodes[0] is not node.args[0]:
            both.reverse()
        call = self._insert(node, self._new(str(node.name), module), *both)
        node.replace_all_uses_with(call)
        self.graph.erase_node(node)
        self.signals[call] = _Signal("sum", all(self.signals[one].positive for one in both))

    def _feeds_a_product(self, node: fx.Node) -> bool:
        """Return whether a product of stored weights, or of two signals, comes after an operation."""
        return any(
            (one.op == "call_module" and str(one.target) in self.products) or one.target in known.MATMULS
            for one in reached(node, lambda before: before.users)
        )

    def _softmax(self, node: fx.Node, axis: Any) -> None:
        """Make a softmax a layer over the last axis, between two exchanges of axes where it is over another one."""
        self._put_values(node)
        source, base = node.all_input_nodes[0], str(node.target if node.op == "call_module" else node.name)
        if not isinstance(axis, int):
            raise _refused(place_of(node), "a softmax over an axis that it does not name")
        axes = len(node.meta.get(AXES, ()))
        last = axis in (-1, axes - 1)
        if not last:
            with self.graph.inserting_before(node):
                source = self.graph.call_method("transpose", (source, axis, -1))
            self.signals[source] = _Signal("sum")
        module = self.parts.softmax(self._readers(node))
        call = self._insert(node, self._new(base, module, base if node.op == "call_module" else ""), source)
        self.signals[call] = _Signal("grid", positive=True)
        if last:
            node.replace_all_uses_with(call)
        else:
            with self.graph.inserting_before(node):
                back = self.graph.call_method("transpose", (call, axis, -1))
            node.replace_all_uses_with(back)
            self._kept(back)
        self.graph.erase_node(node)

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


def _set_module(module: nn.Module, name: str, new: nn.Module) -> None:
    above, _, last = name.rpartition(".")
    setattr(module.get_submodule(above), last, new)


def _reason(layer: nn.Module) -> str:
    if isinstance(layer, known.RECURRENT):
        return "of recurrent layers GRU and LSTM have an integer form"
    if isinstance(layer, ROW_NORMS):
        return "it keeps statistics beside those of each example; a BatchNorm is folded into integers"
    if isinstance(layer, known.ATTENTION):
        return "it has a mask, examples in its second axis or weights that are read; without them it has integers"
    derived = next((kind.__name__ for kind in known.PRODUCTS if isinstance(layer, kind)), None)
    return f"what is derived from {derived} may do anything" if derived else "no integer form is known for it"


def _refused(what: str, why: str) -> StudentError:
    layers = ", ".join([*(kind.__name__ for kind in known.PRODUCTS), "GRU, LSTM"])
    return StudentError(
        f"{what} would stay in float: {why}", where="form",
        remedy=f"Make products of the layers {layers}, with activation functions, norms, pools and sums between them, "
        "or train this decoder in float32 only",
    )
