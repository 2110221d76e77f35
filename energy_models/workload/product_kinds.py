"""Kinds of products by what they cost on kernel libraries: convolutions of few channels or of one axis are apart.

A convolution kernel gathers runs of taps that lie side by side in memory, kernel width times input channels long. The
first convolution of a network has one to three input channels: its runs are short, and a product of it takes two to
seven times the cycles of a product of a wide convolution (2.76 against 1.41 on a Cortex-M7 with CMSIS-NN). Kernels
along one axis, as over time, are gathered apart again, and are not what matrix engines are built for.
"""

from __future__ import annotations

import math
from collections.abc import Container
from typing import Literal

from energy_models.workload.layers import Kind, LayerWork

ProductKind = Kind | Literal["stem", "temporal"]
STEM_CHANNELS = 3
"""A two-dimensional convolution of so many input channels, or fewer, is a stem."""
LIKE: dict[ProductKind, ProductKind] = {"stem": "conv", "temporal": "conv"}
"""What a kind is priced as on a machine that does not price it apart."""


def product_kind(layer: LayerWork) -> ProductKind:
    """Return the kind of a layer's products; a convolution whose kernel is not known is of kind ``conv``.

    ``temporal``: a convolution whose kernel is longer than one along one axis only. ``stem``: along several, with
    `STEM_CHANNELS` input channels or fewer.
    """
    if layer.kind != "conv" or not layer.kernel:
        return layer.kind
    if sum(taps > 1 for taps in layer.kernel) <= 1:
        return "temporal"
    return "stem" if input_channels(layer) <= STEM_CHANNELS else "conv"


def input_channels(layer: LayerWork) -> int:
    """Return the input channels that one output of a convolution sums; 0 where its kernel is not known."""
    return layer.reduction // math.prod(layer.kernel) if layer.kernel else 0


def priced_as(kind: ProductKind, priced: Container[ProductKind]) -> ProductKind:
    """Return the kind whose price a kind takes: its own where there is one, else that of `LIKE`."""
    return kind if kind in priced else LIKE.get(kind, kind)
