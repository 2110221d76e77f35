"""What can be said of a network whose weights and inputs are made up: its dense work only."""

from __future__ import annotations

import dataclasses
from functools import reduce

from energy_models.errors import WorkloadError
from energy_models.workload.count import Count
from energy_models.workload.layers import LayerWork, Workload
from energy_models.workload.products import Conventions, Products

ASSUMED = "assumed 1: weights are untrained and inputs made up, so zeros and values in {-1, 0, 1} mean nothing"


def assume_dense(workload: Workload) -> Workload:
    """Return the workload with every operand taken as non-zero and graded.

    ``effective_input`` and ``effective`` become ``dense_valid``; every site is a multiply-accumulate, except where the
    stored format of the weights needs no multiplier (binary, ternary); all inputs are events; all weights non-zero.
    ``provenance["density"]`` says so.

    Raises
    ------
    WorkloadError
        When the workload holds spiking neurons (their activity decides everything), or a dense count that differs
        from decode to decode.
    """
    layers = tuple(_dense(layer, workload) for layer in workload.layers)
    warm_up = tuple(_dense(layer, workload) for layer in workload.warm_up)
    counted = [layer.products for layer in layers if layer.products is not None]
    return workload.replace(
        layers=layers,
        warm_up=warm_up,
        products=reduce(_sum, counted) if counted else None,
        provenance={**workload.provenance, "density": ASSUMED},
    )


def _dense(layer: LayerWork, workload: Workload) -> LayerWork:
    where = f"{workload.name}, layer {layer.name}"
    if layer.updates_active is not None:
        raise WorkloadError(
            "a spiking layer's work is its spikes", where=where, remedy="Observe it trained, on recordings"
        )
    events = layer.input_events
    return dataclasses.replace(
        layer,
        products=None if layer.products is None else _conventions(layer, layer.products, where),
        weights_nonzero=layer.weights,
        input_events=None if events is None else Count.constant(layer.inputs, events.decodes),
    )


def _conventions(layer: LayerWork, products: Conventions, where: str) -> Conventions:
    full, valid = (_all(layer, which, where) for which in (products.dense_full, products.dense_valid))
    return Conventions(full, valid, valid, valid)


def _all(layer: LayerWork, products: Products, where: str) -> Products:
    decodes = products.multiply_accumulate.decodes
    sites, rest = divmod(products.total, decodes)
    if rest:
        raise WorkloadError("dense sites differ from decode to decode", where=where, remedy="Count one input shape")
    counts = Count.constant(sites, decodes), Count(0, 0, decodes)
    return Products(*(counts if layer.weight_form == "graded" else counts[::-1]))


def _sum(left: Conventions, right: Conventions) -> Conventions:
    """Return the sum of two layers' counts, each the same in every decode."""

    def added(a: Products, b: Products) -> Products:
        return Products(_plus(a.multiply_accumulate, b.multiply_accumulate), _plus(a.accumulate, b.accumulate))

    return Conventions(
        added(left.dense_full, right.dense_full),
        added(left.dense_valid, right.dense_valid),
        added(left.effective_input, right.effective_input),
        added(left.effective, right.effective),
    )


def _plus(left: Count, right: Count) -> Count:
    return left.plus(right.total // right.decodes)
