"""MAC-only models: products times one energy each, no memory, no control, no leakage, no time.

This is how MINDFUL prices a decoder and how most papers on spiking networks compare themselves. Such a figure is
printed beside ours and never mixed into it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

from pydantic import Field

from energy_models.errors import PriceError, unknown_name
from energy_models.quantities import ZERO, Band, Energy, Frozen, Quantity, Source, read_model, total
from energy_models.workload import LayerWork, Workload


class MacOnlyModel(Frozen):
    """Energy of one product and nothing else; None where the model has no such thing.

    Parameters
    ----------
    title : str
    multiply_accumulate : Quantity or None
        Per textbook product of a layer that is not fed by spikes.
    accumulate : Quantity or None
        Per synaptic event of a layer fed by spikes.
    update : Quantity or None
        Per neuron and step.
    """

    title: str = Field(min_length=1)
    multiply_accumulate: Energy | None = None
    accumulate: Energy | None = None
    update: Energy | None = None

    def prices(self, workload: Workload) -> bool:
        """Return whether the model has an energy for every product of the workload."""
        spiking = {_fed_by_spikes(layer) for layer in workload.layers if layer.products is not None}
        each = {True: self.accumulate, False: self.multiply_accumulate}
        return all(each[kind] is not None for kind in spiking)


class Quoted(Frozen):
    """What another tool gave for one of the networks of `energy_models.analysis.published_models.networks`."""

    network: str
    title: str = Field(min_length=1)
    energy: Energy


class PublishedModels(Frozen):
    """The shipped file of published cost models."""

    models: Mapping[str, MacOnlyModel]
    quoted: tuple[Quoted, ...]
    sources: Mapping[str, Source] = Field(default_factory=dict[str, Source])


@cache
def shipped_cost_models() -> PublishedModels:
    """Return the models and quoted figures that ship."""
    return read_model(Path(str(files("energy_models.data"))) / "published_models.toml", PublishedModels)


def load_cost_model(name: str) -> MacOnlyModel:
    """Return a shipped MAC-only model.

    Raises
    ------
    PriceError
        When there is none of this name; the nearest are listed.
    """
    known = shipped_cost_models().models
    if name not in known:
        raise PriceError(f"unknown cost model {name!r}", remedy=unknown_name("cost models", name, known))
    return known[name]


def mac_only_energy(workload: Workload, model: MacOnlyModel) -> Band:
    """Return the energy of one decode under a MAC-only model [J].

    A layer fed by spikes (inputs of one bit) is charged its synaptic events, any other its textbook products, padding
    and zeros included, as these models do. Filters and features of another cadence are left out, as they leave them.

    Raises
    ------
    PriceError
        When the model has no energy for what the network does.
    """
    return total(_layer(layer, model, workload) for layer in workload.layers if layer.cadence == "decode")


def ratio(ours: Band, other: Band) -> Band | None:
    """Return our estimate over that of another model; None where that model charges nothing."""
    if other.low <= 0:
        return None
    return Band(ours.low / other.high, ours.nominal / other.nominal, ours.high / other.low)


def _fed_by_spikes(layer: LayerWork) -> bool:
    return layer.activation_bits == 1


def _layer(layer: LayerWork, model: MacOnlyModel, workload: Workload) -> Band:
    charged = ZERO
    if layer.products is not None and _fed_by_spikes(layer):
        charged += _charge(model.accumulate, "accumulate", layer.products.effective_input.mean, model, workload)
    elif layer.products is not None:
        sites = layer.products.dense_full.mean
        charged += _charge(model.multiply_accumulate, "multiply_accumulate", sites, model, workload)
    if model.update is not None:
        updates = sum(count.mean for count in (layer.updates_active, layer.updates_idle) if count is not None)
        charged += model.update.band.times(updates)
    return charged


def _charge(each: Quantity | None, name: str, count: float, model: MacOnlyModel, workload: Workload) -> Band:
    if count == 0:
        return ZERO
    if each is None:
        raise PriceError(
            f"model {model.title!r} has no energy per {name}", where=workload.name,
            remedy="Use a model that has one",
        )
    return each.band.times(count)
