"""Rules that count tensor operations, one file a topic."""

from students.counting.rules.host_scalars import host_scalars_tracked, note_unused
from students.counting.rules.pointwise import fold_affine
from students.counting.rules.products import (
    Operand,
    decodes_in,
    element_bits,
    events,
    linear_counts,
    record_product,
)
from students.counting.rules.quantised import grid_of, numbers_of, put_on_grid, record_dequantised
from students.counting.rules.table import all_rules

__all__ = [
    "Operand",
    "all_rules",
    "decodes_in",
    "element_bits",
    "events",
    "fold_affine",
    "grid_of",
    "host_scalars_tracked",
    "linear_counts",
    "note_unused",
    "numbers_of",
    "put_on_grid",
    "record_dequantised",
    "record_product",
]
