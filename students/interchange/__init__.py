"""Networks from files that other tools wrote, as modules that `students.counting.observe` counts."""

from students.interchange.files import SUFFIXES, example_shape, examples_at_once, read_network
from students.interchange.operators import Quantiser

__all__ = ["SUFFIXES", "Quantiser", "example_shape", "examples_at_once", "read_network"]
