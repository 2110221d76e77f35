"""C text of delays: each channel as it was some steps ago."""

from __future__ import annotations

from students.deploy.c_code.cells import Text
from students.deploy.c_code.plan import Loop
from students.deploy.c_code.text import identifier, indented, type_for
from students.deploy.graph import Delay


def write_delay(text: Text, loop: Loop, node: Delay) -> None:
    """Add the loop of a delay line: within a window, or through a ring of words for each channel."""
    steps, signal, name = loop.result.shape[1], text.signal(node.source), identifier(node.name)
    late = text.place_constant(f"{name}_steps", node.steps.reshape(-1, 1), (len(node.steps), 1))
    if text.plan.entry != "step":
        value = f"(i1 < {late} ? 0 : {signal}[place - {late}])"
        body = [f"for (int i1 = 0; i1 < {steps}; i1++) {{", *text.stored(loop, value), "place++;", "}"]
        text.lines += indented([
            "{", "int place = 0;", f"for (int i0 = 0; i0 < {len(node.steps)}; i0++) {{", *body, "}", "}",
        ])  # fmt: skip
        return
    source = text.plan.ranges[node.source]
    kind = type_for(min(source.lowest, 0), max(source.highest, 0))
    ring = text.keep(f"ring_{name}", kind, max(int(node.steps.sum()), 1))
    newest = text.keep(f"newest_{name}", "int32_t", len(node.steps))
    text.lines += indented([
        "{", "int start = 0;", f"for (int i0 = 0; i0 < {len(node.steps)}; i0++) {{", "const int place = i0;",
        f"{kind} late = {signal}[i0];", f"if ({late} > 0) {{", f"{kind} *const word = {ring} + start + {newest}[i0];",
        f"const {kind} waited = *word;", "*word = late;", "late = waited;",
        f"{newest}[i0] = {newest}[i0] + 1 == {late} ? 0 : {newest}[i0] + 1;", "}", f"start += {late};",
        *text.stored(loop, "late"), "}", "}",
    ])  # fmt: skip
