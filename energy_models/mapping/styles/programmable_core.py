"""Programmable core: cycles per product by layer kind, per layer and per decode, as measured on whole networks.

    cycles = sum over layers (dense_valid cycles_per_product[kind] / utilisation + cycles_per_layer
             + operations not in the product kernels x cycles_per_operation) + cycles_per_decode

A layer whose kernel, channels and widths an engine beside the cores takes costs the engine's cycles, for products
padded to the channels that it multiplies side by side; all other layers stay on the cores.

Kernels share a call's outputs among the cores, and the slowest core decides: with N outputs on C cores the utilisation
is (N / C) / ceil(N / C), a quarter for a read-out of two on eight cores.

A layer of kind `filter` without products does its multiplications and additions in pairs, at the price of a product
of that kind. Requantisation and clipping of a product layer's outputs are in its kernel although the workload lists
them as layers of their own: they follow it directly, element by element, and are not charged again (`epilogues`).

Memory between layers: a product layer stores its outputs as its epilogues make them; its sums are never in memory.
Other layers are loops that read one tensor and write another (pools, sums of branches), as wide as the activations,
quantisers, norms and neurons behind them make it. Where these follow a product kernel and are not in it, they write
over its outputs.

Kernels take operands up to a width, with a factor for wide ones: narrower operands save memory, not cycles. A time loop
runs inside the kernel: `cycles_per_layer` is charged once per decode, not once per call. Zeros are not skipped.
Accesses are those of im2col kernels (`energy_models.mapping.styles.im2col`); their energy is in the active power.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from energy_models.hardware import MatrixEngine, ProgrammableCore
from energy_models.mapping.action_counts import ActionCounts, CycleCount
from energy_models.mapping.placement import WordWidths
from energy_models.mapping.styles.common import other_operations, state_access
from energy_models.mapping.styles.im2col import im2col_accesses
from energy_models.mapping.styles.passes import STREAMED_KINDS, Pass, at_stored_widths, continues
from energy_models.mapping.styles.style import Style
from energy_models.workload import LayerWork, Workload, input_channels, priced_as, product_kind

EPILOGUE_KINDS: frozenset[str] = frozenset({"activation", "quantise"})


def count_layer(
    layer: LayerWork, core: ProgrammableCore, placement: WordWidths, *, epilogues: frozenset[str]
) -> ActionCounts:
    """Return what a programmable core does for one layer in one decode; `epilogues` are the names of fused layers.

    Raises
    ------
    WorkloadError
        When an operation of the layer has no operand width, or its products have no reduction.
    """
    cycles: list[CycleCount] = []
    unpriced: list[str] = []
    arithmetic = layer.arithmetic
    operations = other_operations(layer)
    pairs = _filter_pairs(layer, core)
    products = pairs if layer.products is None else layer.products.dense_valid.mean
    if products:
        found = product_cycles(layer, core, products)
        if isinstance(found, CycleCount):
            cycles.append(found)
        else:
            unpriced.append(found)
    contained = layer.products is not None or layer.name in epilogues
    for operation in operations:
        count = operation.count - (pairs if operation.name in ("add", "multiply") else 0.0)
        if count <= 0 or (contained and operation.name in core.included_in_products):
            continue
        if operation.name not in core.cycles_per_operation.get(arithmetic, {}):
            unpriced.append(f"{arithmetic} {operation.name}")
            continue
        cycles.append(CycleCount(f"execution.cycles_per_operation.{arithmetic}.{operation.name}", count))
    if layer.products is not None:
        cycles.append(CycleCount("execution.cycles_per_layer", 1.0))
    accesses, registers = im2col_accesses(layer, placement)
    return ActionCounts(
        layer.name, layer.kind, layer.cadence, accesses=(*accesses, *state_access(layer, placement)),
        cycles=tuple(cycles), unpriced=tuple(unpriced), registers=registers,
    )


def product_cycles(layer: LayerWork, core: ProgrammableCore, products: float) -> CycleCount | str:
    """Return the cycles of so many products of a layer, or in words what the core does not price."""
    kind, arithmetic = product_kind(layer), layer.arithmetic
    if core.engine is not None and engine_takes(layer, core.engine):
        lanes, channels = core.engine.channels, input_channels(layer)
        padding = 1.0 if kind == "depthwise" else lanes * math.ceil(channels / lanes) / channels
        on_engine = priced_as(kind, core.engine.cycles_per_product)
        return CycleCount(f"execution.engine.cycles_per_product.{on_engine}", products * padding)
    priced = core.cycles_per_product.get(arithmetic, {})
    kind = priced_as(kind, priced)
    factor = _width_factor(layer, core)
    if kind not in priced:
        return f"{arithmetic} products of kind {layer.kind}"
    if not factor:
        return f"{arithmetic} products at {layer.weight_bits}x{layer.activation_bits} bits"
    path = f"execution.cycles_per_product.{arithmetic}.{kind}"
    return CycleCount(path, products / utilisation(layer, core.cores), factor)


def engine_takes(layer: LayerWork, engine: MatrixEngine) -> bool:
    """Return whether an engine takes a layer: an integer convolution of one of its kernels, with operands it holds."""
    if layer.arithmetic != "integer" or max(layer.weight_bits, layer.activation_bits) > engine.max_bits:
        return False
    known = priced_as(product_kind(layer), engine.cycles_per_product) in engine.cycles_per_product
    return known and layer.kernel in engine.kernels and input_channels(layer) > 0


def utilisation(layer: LayerWork, cores: int) -> float:
    """Return the share of the cores that is busy while they make the outputs of one call, above 0 and at most 1."""
    outputs = max(1, round(layer.outputs / max(1, layer.calls)))
    return outputs / (cores * math.ceil(outputs / cores))


def fused_epilogues(layers: Sequence[LayerWork]) -> frozenset[str]:
    """Return the names of the integer `activation` and `quantise` layers that finish a product layer's outputs."""
    found: set[str] = set()
    outputs: int | None = None
    for layer in layers:
        if layer.products is not None:
            outputs = layer.outputs if layer.arithmetic == "integer" else None
        elif layer.kind in EPILOGUE_KINDS and layer.inputs == outputs == layer.outputs:
            found.add(layer.name)
        else:
            outputs = None
    return frozenset(found)


def kernel_passes(layers: Sequence[LayerWork]) -> tuple[Pass, ...]:
    """Return the passes of a core: a product with its epilogues, an element-wise loop in place, any other loop.

    An epilogue counts here where the calls' shapes agree: of a module that is used behind several products, the cycles
    are charged, as nobody says which of them are inside kernels, but none of its inputs is ever stored as a sum.
    """
    found: list[Pass] = []
    for layer in layers:
        before = found[-1] if found else None
        if layer.kind not in STREAMED_KINDS:
            found.append(Pass(layer, layer))
        elif before is not None and continues(before.last, layer) and _joins(layer, before.head):
            found[-1] = replace(before, last=layer)
        else:
            found.append(Pass(layer, layer, "place"))
    return tuple(found)


def _joins(layer: LayerWork, head: LayerWork) -> bool:
    """Return whether an element-wise layer is in the kernel or loop that `head` begins."""
    return head.products is None or (head.arithmetic == "integer" and layer.kind in EPILOGUE_KINDS)


def _filter_pairs(layer: LayerWork, core: ProgrammableCore) -> float:
    """Return the multiply-accumulates of a filter counted as separate operations; 0 where the core has no price."""
    if layer.kind != "filter" or layer.products is not None:
        return 0.0
    if "filter" not in core.cycles_per_product.get(layer.arithmetic, {}) or not _width_factor(layer, core):
        return 0.0
    counts = [layer.operations[name].mean if name in layer.operations else 0.0 for name in ("add", "multiply")]
    return min(counts)


def _width_factor(layer: LayerWork, core: ProgrammableCore) -> str:
    """Return the path of the factor for the layer's operand widths; '' where the core takes no operands so wide."""
    width = max(layer.weight_bits, layer.activation_bits)
    for index, step in enumerate(core.product_widths.get(layer.arithmetic, ())):
        if width <= step.bits:
            return f"execution.product_widths.{layer.arithmetic}[{index}].factor"
    return ""


def count_layers(
    layers: Sequence[LayerWork], core: ProgrammableCore, placement: WordWidths
) -> tuple[ActionCounts, ...]:
    """Return what the core does for every layer in one decode; epilogues of products are in their kernels.

    Raises
    ------
    WorkloadError
        As `count_layer`.
    """
    epilogues = fused_epilogues(layers)
    stored = at_stored_widths(layers, kernel_passes)
    return tuple(count_layer(layer, core, placement, epilogues=epilogues) for layer in stored)


def _per_decode(workload: Workload) -> tuple[ActionCounts, ...]:
    cycles = (CycleCount("execution.cycles_per_decode", 1.0),)
    return (ActionCounts("(per decode)", "overhead", "decode", cycles=cycles),)


PROGRAMMABLE_CORE = Style(
    name="programmable_core",
    count=count_layers,
    passes=kernel_passes,
    per_decode=_per_decode,
    cycle_power="execution.active_power",
)
