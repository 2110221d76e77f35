"""The spike rate at which a spiking network costs what its dense form costs.

Neurons are updated in every step however silent the network is; all else that spikes cause grows with their number. So
the cost at k times the spikes that were counted is ``C(k) = C(0) + k (C(1) - C(0))``, and it meets the dense form's at

    k = (D - C(0)) / (C(1) - C(0)),    rate = k times the counted rate

The counted updates with input stay as they are. On a machine that works the same with and without spikes no rate does.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

import numpy as np

from energy_models.analysis.uncertainty import Design, sample_designs, spread
from energy_models.errors import WorkloadError
from energy_models.pricing import Array, VectorisedEstimate, estimate
from energy_models.quantities import Band
from energy_models.workload import Conventions, Count, LayerWork, Products, Workload

Basis = Literal["decode energy", "decoder power"]
"""Energy of one decode without static power, or average power with it; the decision rate matters for the second."""


@dataclass(frozen=True, slots=True)
class BreakEven:
    """Where a spiking form and a dense form cost the same.

    Parameters
    ----------
    counted : float
        Spikes per input of a layer with synapses and time step, as counted.
    rate : Band or None
        The same at equal cost, with its central 90 %; 0 where even a silent network costs more, above 1 where no rate
        does; None where the machine of the spiking form does not gain from silence.
    probability_less : float
        Share of the draws in which the spiking form costs less at its counted rate.
    """

    counted: float
    rate: Band | None
    probability_less: float


def break_even(
    spiking: Design, dense: Design, *, basis: Basis = "decode energy", draws: int = 1024, seed: int = 0
) -> BreakEven:
    """Return the spike rate at which two designs cost the same.

    Parameters
    ----------
    spiking : Design
        Its workload holds layers of synapses with binary events.
    dense : Design
        The other form; its own machine, site and decision rate.
    basis : {'decode energy', 'decoder power'}
    draws : int
        A power of two.
    seed : int

    Raises
    ------
    WorkloadError
        When no spike of the spiking form was counted.
    """
    quiet = dataclasses.replace(spiking, workload=silent(spiking.workload))
    counted = spike_rate(spiking.workload)
    at_zero, at_one, other = (_nominal(design, basis) for design in (quiet, spiking, dense))
    drawn = [_drawn(points, basis) for points in sample_designs((quiet, spiking, dense), draws=draws, seed=seed)]
    less = float(np.mean(drawn[1] < drawn[2]))
    if at_one <= at_zero * (1.0 + 1e-12):
        return BreakEven(counted, None, less)
    nominal = counted * max(other - at_zero, 0.0) / (at_one - at_zero)
    low, _, high = spread(counted * np.maximum(drawn[2] - drawn[0], 0.0) / (drawn[1] - drawn[0]))
    return BreakEven(counted, Band(min(low, nominal), nominal, max(high, nominal)), less)


def spike_rate(workload: Workload) -> float:
    """Return the spikes per input and time step over all layers of synapses that take spikes; a value k counts k.

    Raises
    ------
    WorkloadError
        When no spike was counted.
    """
    layers = [layer for layer in workload.layers if _takes_spikes(layer)]
    inputs = sum(layer.inputs for layer in layers)
    counted = ((layer.input_units or layer.input_events) for layer in layers)
    events = sum(count.mean for count in counted if count is not None)
    if not events:
        raise WorkloadError(
            "no spike was counted", where=workload.name,
            remedy="Give a spiking network, observed on decodes with spikes",
        )
    return events / inputs


def silent(workload: Workload) -> Workload:
    """Return the same network with no spike in it: neurons updated as counted, graded layers as they are."""
    return dataclasses.replace(workload, layers=tuple(map(_silent_layer, workload.layers)))


def _takes_spikes(layer: LayerWork) -> bool:
    if layer.products is None or layer.input_events is None:
        return False
    binary = layer.activation_bits == 1 and layer.products.effective_input.multiply_accumulate.total == 0
    return binary or layer.input_units is not None


def _silent_layer(layer: LayerWork) -> LayerWork:
    if layer.kind == "neuron" and layer.output_events is not None:
        none, once = (Count.constant(number, layer.output_events.decodes) for number in (0, layer.outputs))
        units = layer.output_units and none
        changed = {"reset": none} if units is None else {"reset": none, "compare": once}
        operations = {name: changed.get(name, count) for name, count in layer.operations.items()}
        return dataclasses.replace(layer, operations=operations, output_events=none, output_units=units)
    if layer.products is None or layer.input_events is None or not _takes_spikes(layer):
        return layer
    none = Count.constant(0, layer.input_events.decodes)
    nothing, sites = Products(none, none), layer.products
    products = Conventions(sites.dense_full, sites.dense_valid, nothing, nothing)
    return dataclasses.replace(layer, products=products, input_events=none, input_units=layer.input_units and none)


def _nominal(design: Design, basis: Basis) -> float:
    report = estimate(design.workload, design.profile, design.site, decode_rate_hz=design.decode_rate_hz)
    return float((report.decode_energy_j if basis == "decode energy" else report.decoder_power_w).nominal)


def _drawn(points: VectorisedEstimate, basis: Basis) -> Array:
    return points.decode_energy_j if basis == "decode energy" else points.decoder_power_w
