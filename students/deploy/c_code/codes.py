"""C text of input codes that keep a state."""

from __future__ import annotations

import numpy as np

from students.deploy.c_code.cells import Text, repeated
from students.deploy.c_code.plan import Loop
from students.deploy.c_code.text import identifier, indented, type_for
from students.deploy.codes import Bands, Coder, LockIns, RandomRates, Rates

WORD = "uint32_t"


def write_code(text: Text, loop: Loop, node: Coder) -> None:
    """Add the loop of an input code."""
    if isinstance(node, Rates):
        _rates(text, loop, node)
    elif isinstance(node, RandomRates):
        _random_rates(text, loop, node)
    elif isinstance(node, Bands):
        _bands(text, loop, node)
    else:
        _lock_ins(text, loop, node)


def _rates(text: Text, loop: Loop, node: Rates) -> None:
    kind = type_for(-node.limit, node.limit)
    kept = text.keep(f"integral_{identifier(node.name)}", kind, node.result.shape[0])
    start, end = f"int32_t v = {_start(text, f'{kept}[i0]', '0')};", f"{kept}[i0] = ({kind})v;"
    _each_channel(text, loop, start, end, [
        f"v = {text.prefix}_within(v + {text.signal(node.source)}[place], -{node.limit}, {node.limit});",
        f"const int event = (2 * v > {node.unit}) - (2 * v < -{node.unit});", f"v -= event * {node.unit};",
    ])  # fmt: skip


def _random_rates(text: Text, loop: Loop, node: RandomRates) -> None:
    """Registers are kept less what they began with, so that zeros are the beginning."""
    name = identifier(node.name)
    kept = text.keep(f"register_{name}", WORD, len(node.first))
    first = f"{text.constant(f'{name}_first', node.first, WORD)}[i0]"
    up, down, again = node.shifts
    start, end = f"uint32_t s = {_start(text, f'{kept}[i0] ^ {first}', first)};", f"{kept}[i0] = s ^ {first};"
    _each_channel(text, loop, start, end, [
        f"s ^= s << {up};", f"s ^= s >> {down};", f"s ^= s << {again};",
        f"const int32_t x = {text.signal(node.source)}[place];",
        f"const int sends = (int64_t)(x < 0 ? -x : x) * {2**node.bits} > "
        f"(int64_t)(s >> {node.REGISTER_BITS - node.bits}) * {node.unit};",
        "const int event = x < 0 ? -sends : sends;",
    ])  # fmt: skip


def _each_channel(text: Text, loop: Loop, start: str, end: str, body: list[str]) -> None:
    """Add the loop of a code that sends one `event` a channel and step."""
    channels, steps = loop.result.shape
    text.lines += indented([
        "{", "int place = 0;", f"for (int i0 = 0; i0 < {channels}; i0++) {{", start,
        f"for (int i1 = 0; i1 < {steps}; i1++) {{", *body, *text.stored(loop, "event"), "place++;", "}", end, "}", "}",
    ])  # fmt: skip


def _bands(text: Text, loop: Loop, node: Bands) -> None:
    """Step by step: the new sample behind the others, then each band and the sum of its last magnitudes."""
    name, (bands, reach), many, steps = identifier(node.name), node.taps.shape, *loop.result.shape
    size = type_for(0, node.largest)
    line = text.keep(f"line_{name}", "int16_t", node.channels * reach)
    sizes = text.keep(f"magnitudes_{name}", size, many * node.smoothed)
    totals = text.keep(f"sums_{name}", "int32_t", many)
    slot = text.keep(f"slot_{name}", "int32_t", 1)
    taps = text.constant(f"{name}_taps", node.taps[:, ::-1])
    kind = "int32_t" if 2**15 * int(np.abs(node.taps).sum(axis=1).max()) < 2**31 else "int64_t"
    lengths = {line: node.channels * reach, sizes: many * node.smoothed, totals: many, slot: 1}
    body = [
        f"const int16_t *past = {line} + i0 / {bands} * {reach};", f"{kind} sum = 0;",
        f"for (int t = 0; t < {reach}; t++) sum += ({kind}){taps}[i0 % {bands} * {reach} + t] * past[t];",
        f"int32_t passed = {text.prefix}_requantise(sum, 1, 0, {node.point}, 0, -{node.largest}, {node.largest});",
        "if (passed < 0) passed = -passed;",
        f"{size} *const oldest = {sizes} + i0 * {node.smoothed} + {slot}[0];",
        f"{totals}[i0] += passed - *oldest;", f"*oldest = ({size})passed;", f"const int place = i0 * {steps} + i1;",
        *text.stored(loop, f"{totals}[i0]"),
    ]  # fmt: skip
    newest = [
        f"int16_t *past = {line} + c * {reach};", f"for (int t = 1; t < {reach}; t++) past[t - 1] = past[t];",
        f"past[{reach - 1}] = {text.signal(node.source)}[c * {steps} + i1];",
    ]  # fmt: skip
    text.lines += indented([
        "{", *_forgotten(text, lengths), f"for (int i1 = 0; i1 < {steps}; i1++) {{",
        *repeated("c", node.channels, newest), *repeated("i0", many, body),
        f"{slot}[0] = {slot}[0] + 1 < {node.smoothed} ? {slot}[0] + 1 : 0;", "}", "}",
    ])  # fmt: skip


def _lock_ins(text: Text, loop: Loop, node: LockIns) -> None:
    """Step by step: the references of every frequency, then the low-passes of each channel and frequency."""
    name, count, (many, steps), prefix = identifier(node.name), len(node.increments), loop.result.shape, text.prefix
    phases = text.keep(f"phases_{name}", WORD, count)
    parts = [text.keep(f"{one}_{name}", "int32_t", many) for one in ("in_phase", "quadrature")]
    cosines = text.constant(f"{name}_cosines", node.cosines)
    increments = text.constant(f"{name}_increments", node.increments, WORD)
    entries, bits = len(node.cosines), node.place_bits
    references = [
        f"const uint32_t at = (uint32_t)({phases}[f] + {2 ** (bits - 1)}) >> {bits};",
        f"reference[0][f] = {cosines}[at];", f"reference[1][f] = {cosines}[(at + {3 * entries // 4}) % {entries}];",
        f"{phases}[f] += {increments}[f];",
    ]  # fmt: skip
    body = [f"const int32_t x = {text.signal(node.source)}[i0 / {count} * {steps} + i1];", "int32_t energy = 0, mean;"]
    for number, kept in enumerate(parts):
        body += [
            f"{kept}[i0] += {prefix}_shifted(x * reference[{number}][i0 % {count}], {node.mixed}) - "
            f"{prefix}_shifted({kept}[i0], {node.shift});",
            f"mean = {prefix}_within({prefix}_shifted({kept}[i0], {node.shift}), -{node.highest}, {node.highest});",
            "energy += mean * mean;",
        ]
    body += [f"const int place = i0 * {steps} + i1;", *text.stored(loop, f"{prefix}_shifted(energy, {node.halved})")]
    lengths = {phases: count, **dict.fromkeys(parts, many)}
    text.lines += indented([
        "{", *_forgotten(text, lengths), f"for (int i1 = 0; i1 < {steps}; i1++) {{",
        f"int32_t reference[2][{count}];", *repeated("f", count, references), *repeated("i0", many, body), "}", "}",
    ])  # fmt: skip


def _start(text: Text, kept: str, first: str) -> str:
    """Return what a state begins a call with: what is kept, or of a window what comes first."""
    return kept if text.plan.entry == "step" else first


def _forgotten(text: Text, lengths: dict[str, int]) -> list[str]:
    """Return the lines that forget the past before a window."""
    if text.plan.entry == "step":
        return []
    return [f"for (int i = 0; i < {size}; i++) {name}[i] = 0;" for name, size in lengths.items()]
