"""C text of delays, each channel as it was some steps ago, and of sums of past bins."""

from __future__ import annotations

from students.deploy.c_code.cells import Text
from students.deploy.c_code.plan import Loop
from students.deploy.c_code.text import identifier, indented, type_for
from students.deploy.delay_lines import PastSums
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


def write_past_sums(text: Text, loop: Loop, node: PastSums) -> None:
    """Add the loop of sums of past bins: within a window, or from the bins and the older sums that are kept."""
    width, blocks, steps, signal = node.width, node.blocks, loop.result.shape[1], text.signal(node.source)
    channel = [f"for (int c = 0; c < {node.channels}; c++) {{"]
    if text.plan.entry != "step":
        text.lines += indented([
            "{", *channel, f"for (int b = 0; b < {blocks}; b++) {{", f"for (int i1 = 0; i1 < {steps}; i1++) {{",
            f"const int i0 = c * {blocks} + b, place = i0 * {steps} + i1;",
            f"const int last = i1 - {width} * ({blocks - 1} - b);", "int32_t sum = 0;",
            f"for (int t = last < {width} ? 0 : last - {width - 1}; t <= last; t++) sum += {signal}[c * {steps} + t];",
            *text.stored(loop, "sum"), "}", "}", "}", "}",
        ])  # fmt: skip
        return
    name, late = identifier(node.name), width * (blocks - 1)
    source, runs = text.plan.ranges[node.source], width > 3  # a running sum, as the layer counts it
    words = width - 1 + runs
    body = [f"const int32_t bin = {signal}[c];", "int32_t sum = bin;"]
    moved: list[str] = []
    if words:
        kind = type_for(min(source.lowest, 0), max(source.highest, 0))
        bins, at = text.keep(f"bins_{name}", kind, node.channels * words), text.keep(f"bin_{name}", "int32_t", 1)
        if runs:
            total = text.keep(f"sum_{name}", type_for(node.result.lowest, node.result.highest), node.channels)
            body += [f"sum += {total}[c] - {bins}[c * {words} + {at}[0]];", f"{total}[c] = sum;"]
        else:
            body.append(f"for (int t = 0; t < {words}; t++) sum += {bins}[c * {words} + t];")
        body.append(f"{bins}[c * {words} + {at}[0]] = bin;")
        moved.append(f"{at}[0] = ({at}[0] + 1) % {words};")
    value, older, old = "sum", "", ""
    if late:
        older = text.keep(f"older_{name}", type_for(node.result.lowest, node.result.highest), node.channels * late)
        old = text.keep(f"old_{name}", "int32_t", 1)
        value = f"(b == {blocks - 1} ? sum : {older}[c * {late} + ({old}[0] + b * {width}) % {late}])"
        moved.append(f"{old}[0] = ({old}[0] + 1) % {late};")
    body += [f"for (int b = 0; b < {blocks}; b++) {{", f"const int i0 = c * {blocks} + b, place = i0;"]
    body += [*text.stored(loop, value), "}"]
    if late:
        body.append(f"{older}[c * {late} + {old}[0]] = sum;")
    text.lines += indented(["{", *channel, *body, "}", *moved, "}"])
