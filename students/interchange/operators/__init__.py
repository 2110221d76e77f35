"""ONNX operators written in torch operations, so that each is counted by the rules of those operations."""

from students.interchange.operators.quantised import FUNCTIONS, QONNX_DOMAINS, OnGrid, Quantiser, Saturated
from students.interchange.operators.recurrent import at_rest
from students.interchange.operators.table import builder_of

__all__ = ["FUNCTIONS", "QONNX_DOMAINS", "OnGrid", "Quantiser", "Saturated", "at_rest", "builder_of"]
