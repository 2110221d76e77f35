"""A layer's products as matrix products, and what every dense machine does for them."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod

from energy_models.errors import WorkloadError
from energy_models.mapping.action_counts import Operations
from energy_models.workload import LayerWork


@dataclass(frozen=True, slots=True)
class MatrixProduct:
    """One call of a layer: `groups` products of (positions, reduction) with (reduction, filters) matrices.

    `filters` is per group. `held` counts the elements of the second matrices over all groups; they are `stored`
    weights, or else a second signal.
    """

    groups: int
    positions: float
    reduction: int
    filters: int
    held: int
    stored: bool

    @property
    def inputs(self) -> float:
        """Elements of the first matrices, over all groups."""
        return self.groups * self.positions * self.reduction


def reduction_of(layer: LayerWork) -> int:
    """Return the products per output of a layer with products.

    Raises
    ------
    WorkloadError
        When the layer has products but no reduction, no calls, or outputs without a shape.
    """
    if layer.reduction < 1 or layer.calls < 1 or not layer.output_shape:
        raise WorkloadError(
            f"products with a reduction of {layer.reduction} in {layer.calls} calls, onto the shape "
            f"{layer.output_shape}", where=f"layer {layer.name!r}",
            remedy="Count products per output and calls per decode, and give the shape of one call's output",
        )
    return layer.reduction


def matrix_product(layer: LayerWork) -> MatrixProduct:
    """Return the matrix products of one call of a layer with products.

    Raises
    ------
    WorkloadError
        When the layer has products but no reduction, or makes nothing.
    """
    depth = reduction_of(layer)
    channels = layer.input_shape[0] if layer.kind == "depthwise" and layer.input_shape else 1
    stored = layer.weights >= depth
    if stored:
        filters, batches, held = layer.weights // depth, 1, layer.weights
    else:  # both operands are activations: one of them is held
        filters = layer.output_shape[-1]
        batches = max(1, prod(layer.output_shape[:-2]))
        held = depth * filters * batches
    positions = layer.outputs / (layer.calls * filters * batches)
    return MatrixProduct(channels * batches, positions, depth, ceil(filters / channels), held, stored)


def product_operations(layer: LayerWork, sites: float) -> list[Operations]:
    """Return the multiplications and additions of so many sites.

    One-bit activations and binary or ternary weights need no multiplier.
    """
    found: list[Operations] = []
    if layer.activation_bits != 1 and layer.weight_form == "graded":
        widths = (layer.weight_bits or layer.activation_bits, layer.activation_bits)
        found.append(Operations("multiply", layer.arithmetic, widths, sites))
    sum_width = layer.accumulator_bits
    found.append(Operations("accumulate", layer.arithmetic, (sum_width, sum_width), sites))
    return found


def held_bits(layer: LayerWork, product: MatrixProduct) -> int:
    """Return the width of one element of the second matrices [bits]."""
    return layer.weight_bits if product.stored else layer.activation_bits
