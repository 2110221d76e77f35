"""The layers that families are built from, integer grids, and networks run step by step."""

from students.layers.float_layers import FloatLayers
from students.layers.grid import Constant, Grid, LayerQuantisation
from students.layers.modules import (
    Add,
    AveragePool1d,
    Conv1d,
    DepthwiseConv1d,
    MatMul,
    OutputScale,
    Recurrent,
    SpatialFirst,
)
from students.layers.protocol import Bias, Edge, Layers, Padding, RecurrentKind, resolve_padding

__all__ = [
    "Add",
    "AveragePool1d",
    "Bias",
    "Constant",
    "Conv1d",
    "DepthwiseConv1d",
    "Edge",
    "FloatLayers",
    "Grid",
    "LayerQuantisation",
    "Layers",
    "MatMul",
    "OutputScale",
    "Padding",
    "Recurrent",
    "RecurrentKind",
    "SpatialFirst",
    "resolve_padding",
]
