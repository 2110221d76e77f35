"""C text of linear attention: two running sums, and a division of each step's results by one number."""

from __future__ import annotations

from students.deploy.attention import LinearAttention
from students.deploy.c_code.cells import Text, repeated
from students.deploy.c_code.plan import Loop
from students.deploy.c_code.rows import RECIPROCAL
from students.deploy.c_code.text import identifier, indented, sum_type, type_for
from students.deploy.rows import DIVISOR_BITS, RECIPROCAL_BITS


def write_attention(text: Text, loop: Loop, node: LinearAttention) -> None:
    """Add the loop of linear attention, step by step: both sums, the divisor, each result, what is halved."""
    name, width, steps = identifier(node.name), node.width, loop.result.shape[1]
    formats = [type_for(one.lowest, one.highest) for one in (node.sums, node.totals)]
    sums, totals = (
        text.keep(f"{what}_{name}", kind, size)
        for what, kind, size in zip(("sums", "totals"), formats, (width * width, width), strict=True)
    )
    taken = text.keep(f"taken_{name}", "int32_t", 1)
    query, key, value = (text.signal(one) for one in (node.source, node.key, node.value))
    kind = sum_type(node.numerators, max(node.numerators.highest, node.sums.highest))
    forgotten = [
        *repeated("i0", width * width, [f"{sums}[i0] = 0;"]), *repeated("i0", width, [f"{totals}[i0] = 0;"]),
        f"{taken}[0] = 0;",
    ]  # fmt: skip
    each = f"for (int u = 0; u < {width}; u++)"
    gathered = [
        f"{each} {sums}[i0 * {width} + u] = ({formats[0]})({sums}[i0 * {width} + u] + {value}[i0 * {steps} + i1] * "
        f"{key}[u * {steps} + i1]);",
        f"{totals}[i0] = ({formats[1]})({totals}[i0] + {key}[i0 * {steps} + i1]);",
        f"whole += (int64_t){totals}[i0] * {query}[i0 * {steps} + i1];",
    ]
    results = [
        f"{kind} sum = 0;",
        f"{each} sum += ({kind}){sums}[i0 * {width} + u] * {query}[u * {steps} + i1];",
        f"const int place = i0 * {steps} + i1;",
        f"const int32_t found = {text.prefix}_requantise(sum * reciprocal, 1, 0, {RECIPROCAL_BITS - node.fraction} + "
        f"spare, 0, {node.result.lowest}, {node.result.highest});",
        *text.stored(loop, "found"),
    ]
    halved = [
        *repeated("i0", width * width, [f"{sums}[i0] = ({formats[0]}){text.prefix}_shifted({sums}[i0], 1);"]),
        *repeated("i0", width, [f"{totals}[i0] = ({formats[1]}){text.prefix}_shifted({totals}[i0], 1);"]),
        f"{taken}[0] /= 2;",
    ]
    text.lines += indented([
        "{", *([] if text.plan.entry == "step" else forgotten), f"for (int i1 = 0; i1 < {steps}; i1++) {{",
        "int64_t whole = 0;", *repeated("i0", width, gathered), "if (whole < 1) whole = 1;", "int bits = 0;",
        "while (whole >> bits > 0) bits++;", f"const int spare = bits - {DIVISOR_BITS};",
        "const int64_t divisor = spare >= 0 ? whole >> spare : whole << -spare;", RECIPROCAL,
        *repeated("i0", width, results), f"{taken}[0]++;", f"if ({taken}[0] == {node.longest}) {{", *halved, "}",
        "}", "}",
    ])  # fmt: skip
