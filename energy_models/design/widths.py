"""What the networks of a machine ask of it, besides their work: widths of its datapath, and room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from energy_models.errors import WorkloadError
from energy_models.workload import Workload


@dataclass(frozen=True, slots=True)
class DatapathWidths:
    """Widths of the widest operands of the products [bits], and whether tables are looked up."""

    weight: int
    activation: int
    total: int
    looks_up: bool


def datapath_widths(workloads: Sequence[Workload]) -> DatapathWidths:
    """Return the widths of a datapath that takes every product of some networks.

    A product of two signals takes both at their width.

    Raises
    ------
    WorkloadError
        Where a network computes in floating point, or has no products.
    """
    layers = [(workload, layer) for workload in workloads for layer in workload.layers]
    floating = [f"{workload.name}: {layer.name}" for workload, layer in layers if layer.arithmetic == "float"]
    if floating:
        raise WorkloadError(
            f"{len(floating)} layers compute in floating point, among them {floating[0]}", where="machine design",
            remedy="Design machines for integer forms: quantise the network (w8a8, w4a4)",
        )
    products = [layer for _, layer in layers if layer.products is not None]
    if not products:
        raise WorkloadError(
            "no layer has products", where="machine design", remedy="Give a network with at least one product layer"
        )
    looked_up = [layer.operations["lookup"] for _, layer in layers if "lookup" in layer.operations]
    return DatapathWidths(
        weight=max(layer.weight_bits or layer.activation_bits for layer in products),
        activation=max(layer.activation_bits for layer in products),
        total=max(layer.accumulator_bits for layer in products),
        looks_up=any(count.total for count in looked_up),
    )
