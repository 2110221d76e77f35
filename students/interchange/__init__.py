"""Networks from files that other tools wrote, as modules that `students.counting.observe` counts; NIR files of ours."""

from students.interchange.files import (
    SUFFIXES,
    absent_weights,
    arena_of,
    example_shape,
    examples_at_once,
    read_network,
)
from students.interchange.nir_export import nir_of
from students.interchange.operators import OnGrid, Quantiser, Saturated
from students.interchange.states import as_stream

__all__ = [
    "SUFFIXES",
    "OnGrid",
    "Quantiser",
    "Saturated",
    "absent_weights",
    "arena_of",
    "as_stream",
    "example_shape",
    "examples_at_once",
    "nir_of",
    "read_network",
]
