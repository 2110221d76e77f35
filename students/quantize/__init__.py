"""Integer students, and the integers of any Brevitas network. The only importer of Brevitas."""

from students.layers.grid import Grid
from students.quantize.layers import (
    IntegerAveragePool,
    IntegerConv1d,
    IntegerLinear,
    IntegerReLU,
    QuantLayers,
    Requantise,
    calibrate,
    grid_of,
    output_grid_of,
    quantisation_of,
    value_of,
)

__all__ = [
    "Grid",
    "IntegerAveragePool",
    "IntegerConv1d",
    "IntegerLinear",
    "IntegerReLU",
    "QuantLayers",
    "Requantise",
    "calibrate",
    "grid_of",
    "output_grid_of",
    "quantisation_of",
    "value_of",
]
