"""Which widths each layer of a network gets from its form: by its name, by its kind, as an edge, or as all others.

A layer's name is known once the network that holds it is built. Where a form names layers, the network is therefore
built twice: the first time to see which module is made when and under which name, the second time with the widths.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from torch import nn

from energy_models.errors import StudentError, unknown_name
from students.layers.protocol import Edge
from students.quantize.weight_grid import WeightGrid
from students.spec import LAYER_KINDS, LayerBits, LayerKind, Quantised

Kind = LayerKind | Literal["signal"]


def layer_bits(form: Quantised, name: str, kind: LayerKind, edge: Edge) -> LayerBits:
    """Return the widths of a layer.

    Parameters
    ----------
    form : Quantised
    name : str
        Path in the network; empty where it is unknown.
    kind : {'conv', 'depthwise', 'linear', 'recurrent'}
    edge : {'first', 'inner', 'last'}
    """
    given = dict(form.overrides)
    if (found := given.get(name) or given.get(kind)) is not None:
        return found
    weight = form.weight if edge == "inner" else form.edge_weight
    return LayerBits(weight=weight, activation_bits=form.activation_bits, state_bits=form.state_bits)


def weight_grid(form: Quantised, bits: LayerBits, edge: Edge) -> WeightGrid:
    """Return the grid of a layer's weights; the last product's have one scale, so that its sums can be compared."""
    return WeightGrid(bits.weight, "tensor" if edge == "last" else form.per, form.scale)


def check_names(form: Quantised, layers: Mapping[str, LayerKind]) -> None:
    """Refuse widths for a layer that a network does not have.

    Parameters
    ----------
    form : Quantised
    layers : mapping of str to str
        Kinds of its products, by path.

    Raises
    ------
    StudentError
        Naming the products that it has.
    """
    known = {*layers, *layers.values()}
    for name, _ in form.overrides:
        if name not in known:
            what = "kind of layer" if name in LAYER_KINDS else "layer"
            raise StudentError(
                f"form '{form}' has widths for the {what} '{name}', which the network lacks", where="form",
                remedy=unknown_name("its products", name, sorted(known)),
            )


def common_bits(form: Quantised, readers: Iterable[tuple[str, LayerBits]]) -> int:
    """Return the width of a signal, given the layers that read it [bits]; that of the form where none does.

    Raises
    ------
    StudentError
        Layers that read it at different widths.
    """
    wanted = {name: bits.activation_bits for name, bits in readers}
    if len(set(wanted.values())) > 1:
        told = ", ".join(f"'{name}' with {bits} bits" for name, bits in sorted(wanted.items()))
        raise StudentError(
            f"form '{form}' is impossible here: one signal is read by {told}", where="form",
            remedy="Give layers that read one signal one activation width",
        )
    return next(iter(wanted.values()), form.activation_bits)


@dataclass(frozen=True, slots=True)
class Made:
    """One module that was made: a product of some kind, or what puts a signal on a grid."""

    module: nn.Module
    kind: Kind
    edge: Edge = "inner"


@dataclass(frozen=True, slots=True)
class Product:
    """A product of a network: its path, kind and place."""

    name: str
    kind: LayerKind
    edge: Edge


@dataclass(frozen=True, slots=True)
class ReadSignal:
    """What puts a signal of an adopted network on its grid, and the products that read it."""

    module: nn.Module
    readers: tuple[Product, ...]


@dataclass(slots=True)
class WidthPlan:
    """The widths of modules in the order in which they are made.

    Parameters
    ----------
    form : Quantised
    names : tuple of str or None
        Paths of all modules made, in that order; None where they are not known yet: then a layer goes by its kind, and
        a signal by the form.
    earlier : tuple of Made
        Those modules, of a first building.
    made : list of Made
        Of this building.
    adopted : tuple of Product
        Products of an adopted network, of which none was made here.
    signals : tuple of ReadSignal
        What puts signals on grids in an adopted network.
    """

    form: Quantised
    names: tuple[str, ...] | None = None
    earlier: tuple[Made, ...] = ()
    made: list[Made] = field(default_factory=list[Made])
    adopted: tuple[Product, ...] = ()
    signals: tuple[ReadSignal, ...] = ()

    def named(self, network: nn.Module) -> WidthPlan:
        """Return the plan for building a network again, now that its modules have names.

        Raises
        ------
        StudentError
            Widths for a layer that it does not have.
        """
        check_names(self.form, {one.name: one.kind for one in self.products(network)})
        return WidthPlan(self.form, self._paths(network), tuple(self.made))

    def products(self, network: nn.Module) -> tuple[Product, ...]:
        """Return the products of the network that was made."""
        pairs = zip(self._paths(network), self.made, strict=True)
        return (*self.adopted, *(Product(name, one.kind, one.edge) for name, one in pairs if one.kind != "signal"))

    def readers(self, network: nn.Module) -> dict[str, tuple[str, ...]]:
        """Return the products whose activation width each signal has, by the path of what puts it on its grid.

        The raw input is none of them, and a signal that no product reads has no products.
        """
        paths = {id(module): path for path, module in network.named_modules()}
        found = {paths[id(one.module)]: tuple(product.name for product in one.readers)
                 for one in self.signals if id(one.module) in paths}  # fmt: skip
        behind: tuple[str, ...] = ()
        for one in reversed(self.made):
            if one.kind != "signal":
                behind = (paths[id(one.module)],)
            else:
                found[paths[id(one.module)]] = behind
        return found

    def _paths(self, network: nn.Module) -> tuple[str, ...]:
        paths = {id(module): path for path, module in network.named_modules()}
        return tuple(paths.get(id(one.module), "") for one in self.made)

    def product(self, kind: LayerKind, edge: Edge) -> LayerBits:
        """Return the widths of the product that is made next."""
        return layer_bits(self.form, "" if self.names is None else self.names[len(self.made)], kind, edge)

    def signal_bits(self) -> int:
        """Return the width of the signal whose quantiser is made next: as the next product reads it [bits]."""
        if self.names is None:
            return self.form.activation_bits
        for name, one in zip(self.names[len(self.made) :], self.earlier[len(self.made) :], strict=True):
            if one.kind != "signal":
                return layer_bits(self.form, name, one.kind, one.edge).activation_bits
        return self.form.activation_bits

    def add(self, module: nn.Module, kind: Kind, edge: Edge = "inner") -> nn.Module:
        """Note a module that was made and return it."""
        self.made.append(Made(module, kind, edge))
        return module
