"""Networks of which only the products by kind of layer are known, as workloads."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import cast

from energy_models.workload import Conventions, Count, Kind, LayerWork, ProductKind, Products, Workload

WEIGHTS_BITS, SUM_BITS = 8, 32
OUTPUTS = 64
"""Outputs of each layer: so many that they keep the cores of every shipped cluster busy."""
CHANNELS = 16
"""Input channels of layers other than stems: so many that they fill the engine of every shipped cluster."""
SHAPES: Mapping[ProductKind, tuple[Kind, tuple[int, ...], int]] = {
    "stem": ("conv", (3, 3), 3), "conv": ("conv", (3, 3), CHANNELS), "temporal": ("conv", (1, CHANNELS), CHANNELS),
    "depthwise": ("depthwise", (3, 3), 1), "pointwise": ("pointwise", (1, 1), CHANNELS),
}
"""Kind, kernel and input channels of a layer that stands for all products of a kind."""


def bulk_network(name: str, macs: Mapping[ProductKind, int], layers: int) -> Workload:
    """Return an int8 network of `layers` layers: all products of a kind in one, the others without products.

    It holds no activations or weights to speak of: for machines that price products and layers only.
    """
    parts = [_layer(f"{kind}", kind, count) for kind, count in macs.items() if count]
    parts += [_layer(f"launch {place}", "conv", 0) for place in range(layers - len(parts))]
    return Workload(
        name=name, mode="window", decodes=1, steps_per_decode=1, channels=1, step_rate_hz=1.0, input_bits=8,
        layers=tuple(parts),
    )


def _layer(name: str, product: ProductKind, macs: int) -> LayerWork:
    kind, kernel, channels = SHAPES.get(product, (cast(Kind, product), (), 1))
    sites = Products(Count.constant(macs, 1), Count.constant(0, 1))
    return LayerWork(
        name=name, kind=kind, arithmetic="integer", calls=1, input_shape=(1,), output_shape=(OUTPUTS,), inputs=1,
        outputs=OUTPUTS, reduction=channels * math.prod(kernel), kernel=kernel,
        products=Conventions(sites, sites, sites, sites), weight_bits=WEIGHTS_BITS, activation_bits=WEIGHTS_BITS,
        output_bits=WEIGHTS_BITS, accumulator_bits=SUM_BITS,
    )
