"""Programmable core: cycles per product by layer kind, per layer and per decode, as measured on whole networks.

    cycles = sum over layers (dense_valid cycles_per_product[kind] + cycles_per_layer
             + operations not in the product kernels x cycles_per_operation) + cycles_per_decode

Kernels take operands up to a width, with a factor for wide ones: narrower operands save memory, not cycles. A time loop
runs inside the kernel: `cycles_per_layer` is charged once per decode, not once per call. Zeros are not skipped.
"""

from __future__ import annotations

from energy_models.mapping.common import other_operations
from energy_models.profile import ProgrammableCore
from energy_models.tally import CycleCount, Tally
from energy_models.workload import LayerWork


def tally_programmable_core(layer: LayerWork, core: ProgrammableCore) -> Tally:
    """Return what a programmable core does for one layer in one decode.

    Raises
    ------
    WorkloadError
        When an operation of the layer has no operand width.
    """
    cycles: list[CycleCount] = []
    unpriced: list[str] = []
    arithmetic = layer.arithmetic
    if layer.products is not None and layer.products.dense_valid.total:
        factor = _width_factor(layer, core)
        if layer.kind not in core.cycles_per_product.get(arithmetic, {}):
            unpriced.append(f"{arithmetic} products of kind {layer.kind}")
        elif not factor:
            unpriced.append(f"{arithmetic} products at {layer.weight_bits}x{layer.activation_bits} bits")
        else:
            path = f"execution.cycles_per_product.{arithmetic}.{layer.kind}"
            cycles.append(CycleCount(path, layer.products.dense_valid.mean, factor))
    for operation in other_operations(layer):
        if layer.products is not None and operation.name in core.included_in_products:
            continue
        if operation.name not in core.cycles_per_operation.get(arithmetic, {}):
            unpriced.append(f"{arithmetic} {operation.name}")
            continue
        path = f"execution.cycles_per_operation.{arithmetic}.{operation.name}"
        cycles.append(CycleCount(path, operation.count))
    if layer.products is not None:
        cycles.append(CycleCount("execution.cycles_per_layer", 1.0))
    return Tally(layer.name, layer.kind, layer.cadence, cycles=tuple(cycles), unpriced=tuple(unpriced))


def _width_factor(layer: LayerWork, core: ProgrammableCore) -> str:
    """Return the path of the factor for the layer's operand widths; '' where the core takes no operands so wide."""
    width = max(layer.weight_bits, layer.activation_bits)
    for index, step in enumerate(core.product_widths.get(layer.arithmetic, ())):
        if width <= step.bits:
            return f"execution.product_widths.{layer.arithmetic}[{index}].factor"
    return ""
