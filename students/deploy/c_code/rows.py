"""C text of nodes that read whole rows: products of two signals, softmax and norms."""

from __future__ import annotations

import math

from students.deploy.c_code.cells import Text
from students.deploy.c_code.plan import Loop
from students.deploy.c_code.text import indented, sum_type
from students.deploy.rows import DIVISOR_BITS, NORM_SHIFT, RECIPROCAL_BITS, SPREAD_BITS, MatMul, Norm, Softmax


def write_matmul(text: Text, loop: Loop, node: MatMul) -> None:
    """Add the loop of a product of two signals, output by output."""
    *lead, rows, columns = node.result.shape
    left, right = (text.plan.ranges[name] for name in (node.source, node.other))
    largest = max(abs(left.lowest), abs(left.highest)) * max(abs(right.lowest), abs(right.highest))
    kind, axes = sum_type(node.result, largest), len(node.result.shape)
    matrix = "0"
    for axis, length in enumerate(lead):
        matrix = f"({matrix} * {length} + i{axis})" if axis else "i0"
    first = f"{text.signal(node.source)}[({matrix} * {rows} + i{axes - 2}) * {node.inner} + in]"
    second = f"{text.signal(node.other)}[({matrix} * {node.inner} + in) * {columns} + i{axes - 1}]"
    body = [
        f"{kind} sum = 0;",
        f"for (int in = 0; in < {node.inner}; in++) sum += ({kind}){first} * {second};",
        *text.stored(loop, "sum"), "place++;",
    ]  # fmt: skip
    opened = [
        f"for (int i{axis} = 0; i{axis} < {length}; i{axis}++) {{" for axis, length in enumerate(node.result.shape)
    ]
    text.lines += indented(["{", "int place = 0;", *opened, *body, *("}" for _ in opened), "}"])


def write_softmax(text: Text, loop: Loop, node: Softmax) -> None:
    """Add the loop of a softmax, row by row: the largest score, the sum of exponentials, the weights."""
    length, scores = node.result.shape[-1], text.signal(node.source)
    table = text.constant("exponential", node.entries)
    read = f"{table}[{text.prefix}_within(largest - {scores}[row * {length} + in], 0, {len(node.entries) - 1})]"
    each = f"for (int in = 0; in < {length}; in++)"
    body = [
        f"int32_t largest = {scores}[row * {length}];",
        f"{each} if ({scores}[row * {length} + in] > largest) largest = {scores}[row * {length} + in];",
        "int64_t total = 0;",
        f"{each} total += {read};",
        "int spare = 0;",
        f"while (total >> spare >= {2**DIVISOR_BITS}) spare++;",
        "const int64_t divisor = total >> spare;",
        RECIPROCAL,
        f"{each} {{",
        f"const int32_t found = {text.prefix}_requantise({read} * reciprocal, 1, 0, {RECIPROCAL_BITS - node.bits} + "
        f"spare, 0, 0, {node.result.highest});",
        *_stored(text, loop), "}",
    ]  # fmt: skip
    text.lines += _rows(math.prod(node.result.shape) // length, body)


def write_norm(text: Text, loop: Loop, node: Norm) -> None:
    """Add the loop of a norm, row by row: its sums, the root of their spread, the normalised numbers."""
    length, signal = node.length, text.signal(node.source)
    each, number = f"for (int in = 0; in < {length}; in++)", f"{signal}[row * {length} + in]"
    sums = [f"{each} total += {number};"] if node.centred else []
    body = [
        "int64_t total = 0, squares = 0;",
        *sums,
        f"{each} squares += (int64_t){number} * {number};",
        f"int64_t spread = ({length} * squares - total * total) * {2**SPREAD_BITS} + INT64_C({node.smallest});",
        f"if (spread < {2**SPREAD_BITS}) spread = {2**SPREAD_BITS};",
        "int bits = 0;",
        "while (spread >> bits > 0) bits++;",
        f"const int pairs = (bits + 1) / 2 - {DIVISOR_BITS};",
        "const int64_t scaled = pairs >= 0 ? spread >> 2 * pairs : spread << -2 * pairs;",
        "int64_t divisor = 0;",
        f"for (int64_t bit = {2 ** (DIVISOR_BITS - 1)}; bit > 0; bit >>= 1)",
        "    if ((divisor + bit) * (divisor + bit) <= scaled) divisor += bit;",
        RECIPROCAL,
        f"{each} {{",
        f"const int32_t found = {text.prefix}_requantise(({length} * (int64_t){number} - total) * reciprocal, 1, 0, "
        f"{NORM_SHIFT} + pairs, 0, {node.result.lowest}, {node.result.highest});",
        *_stored(text, loop), "}",
    ]  # fmt: skip
    text.lines += _rows(math.prod(node.result.shape) // length, body)


RECIPROCAL = f"const int64_t reciprocal = (INT64_C({2**RECIPROCAL_BITS}) + (divisor >> 1)) / divisor;"


def _stored(text: Text, loop: Loop) -> list[str]:
    """Return the lines that put `found` into its place, with the place along the first axis where they ask for it."""
    lines = text.stored(loop, "found")
    inside = math.prod(loop.result.shape[1:])
    first = [f"const int i0 = place / {inside};"] if any("[i0]" in line for line in lines) else []
    return [*first, *lines, "place++;"]


def _rows(rows: int, body: list[str]) -> list[str]:
    return indented(["{", "int place = 0;", f"for (int row = 0; row < {rows}; row++) {{", *body, "}", "}"])
