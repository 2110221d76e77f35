"""Number formats and constants as C text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

import numpy as np

from students.deploy.graph import Integers, Range

TYPES = (("int8_t", -(2**7), 2**7 - 1), ("uint8_t", 0, 2**8 - 1), ("int16_t", -(2**15), 2**15 - 1),
         ("uint16_t", 0, 2**16 - 1), ("int32_t", -(2**31), 2**31 - 1), ("int64_t", -(2**63), 2**63 - 1))  # fmt: skip
"""Formats and their ends, the first that fits is taken."""

Weights = Literal["bytes", "packed"]
PACKED = (2, 4)
"""Widths that a byte holds several of, in two's complement [bits]."""

BYTES = {"int8_t": 1, "uint8_t": 1, "int16_t": 2, "uint16_t": 2, "int32_t": 4, "uint32_t": 4, "int64_t": 8}
PER_LINE = 16


def type_for(lowest: int, highest: int) -> str:
    """Return the narrowest format of C that holds both ends."""
    return next(name for name, low, high in TYPES if low <= lowest and highest <= high)


def sum_type(found: Range, largest_product: int) -> str:
    """Return the format of an accumulator: 32 bits where its sums, and each of its products, fit."""
    fits = found.signed_bits <= 32 and largest_product < 2**31
    return "int32_t" if fits else "int64_t"


def packed(numbers: Integers, width: int) -> Integers:
    """Return bytes that hold numbers of 2 or 4 bits, the first in the lowest bits; the last one ends in zeros."""
    per_byte = 8 // width
    values = np.asarray(numbers).ravel() & (2**width - 1)
    rows = np.pad(values, (0, -len(values) % per_byte)).reshape(-1, per_byte)
    return (rows << np.arange(per_byte) * width).sum(axis=1)


def indented(lines: list[str]) -> list[str]:
    """Return lines indented by the braces that are open."""
    depth, found = 1, list[str]()
    for line in lines:
        depth -= line == "}"
        found.append("    " * depth + line)
        depth += line.endswith("{")
    return found


def identifier(name: str) -> str:
    """Return a node's name as an identifier."""
    return "n_" + re.sub(r"\W", "_", name)


def array(kind: str, name: str, values: Integers | Iterable[int]) -> str:
    """Return the definition of a constant array."""
    numbers = [_literal(kind, int(one)) for one in np.asarray(values).ravel()]
    lines = [", ".join(numbers[start : start + PER_LINE]) for start in range(0, len(numbers), PER_LINE)]
    return f"static const {kind} {name}[{len(numbers)}] = {{\n    " + ",\n    ".join(lines) + "\n};\n"


def _literal(kind: str, number: int) -> str:
    if kind != "int64_t":
        return str(number) if number > -(2**31) else f"(-{2**31 - 1} - 1)"
    return f"INT64_C({number})" if number > -(2**63) else "INT64_MIN"
