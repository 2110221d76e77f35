"""The integers of a quantised product, asked from `students.quantize` without importing it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from torch import nn

from students.counting.operands import accumulator_bits
from students.grid import Grid

QUANTIZE = "students.quantize"


@dataclass(frozen=True, slots=True)
class ProductIntegers:
    """Widths of an integer product [bits]."""

    weight_bits: int
    bias_bits: int
    accumulator_bits: int


def quantize_module() -> Any | None:
    """Return `students.quantize` if a model can hold its layers, which is if it was imported; it is slow to import."""
    return sys.modules.get(QUANTIZE)


def output_codes(module: nn.Module) -> Grid | None:
    """Return the grid a quantising module puts its output on; None for any other module."""
    quantize = quantize_module()
    return None if quantize is None else quantize.output_grid_of(module)


def is_integer_product(module: nn.Module) -> bool:
    """True for a product with integer weights."""
    quantize = quantize_module()
    return quantize is not None and isinstance(module, quantize.IntegerConv1d | quantize.IntegerLinear)


def product_integers(tracer: Any, module: nn.Module, codes: Grid | None) -> ProductIntegers | None:
    """Return the widths of an integer product whose input is on the grid `codes`; None for a float product.

    The accumulator holds the largest sum these weights can reach with any input on the grid.
    """
    if codes is None or not is_integer_product(module):
        return None
    key = ("integers", module, codes)
    if key not in tracer.cache:
        quantisation = quantize_module().quantisation_of(module)  # type: ignore[union-attr]
        rows = quantisation.weights.abs().flatten(1).sum(1) * codes.largest
        if quantisation.bias is not None:
            rows = rows + quantisation.bias.abs()
        width = accumulator_bits(int(rows.max()))
        tracer.cache[key] = ProductIntegers(quantisation.weight_bits, quantisation.bias_bits, width)
    return tracer.cache[key]
