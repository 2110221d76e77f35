"""The layers that families are built from, integer grids, and networks run step by step."""

from students.layers.delay_lines import Delays, PastSums
from students.layers.float_layers import FloatLayers
from students.layers.fused import FusedSequential, TimeFirst
from students.layers.grid import Constant, Grid, LayerQuantisation
from students.layers.layout import BatchNorm1d
from students.layers.modules import (
    Add,
    AveragePool1d,
    ByFilter,
    Conv1d,
    DepthwiseConv1d,
    Dropout,
    FilterBank,
    MatMul,
    OutputScale,
    Residual,
)
from students.layers.protocol import Bias, Edge, Layers, Padding, RecurrentKind, resolve_padding
from students.layers.recurrent import Recurrent

__all__ = [
    "Add",
    "AveragePool1d",
    "BatchNorm1d",
    "Bias",
    "ByFilter",
    "Constant",
    "Conv1d",
    "Delays",
    "DepthwiseConv1d",
    "Dropout",
    "Edge",
    "FilterBank",
    "FloatLayers",
    "FusedSequential",
    "Grid",
    "LayerQuantisation",
    "Layers",
    "MatMul",
    "OutputScale",
    "Padding",
    "PastSums",
    "Recurrent",
    "RecurrentKind",
    "Residual",
    "TimeFirst",
    "resolve_padding",
]
