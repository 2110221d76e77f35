"""C text of leaky neurons: unit by unit through all steps, or step by step where they hear one another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from students.deploy.c_code.cells import Text, repeated
from students.deploy.c_code.plan import Loop
from students.deploy.c_code.text import identifier, indented, sum_type, type_for
from students.deploy.cells import MEMBRANE_DECAY_BITS, Feedback, Neurons
from students.deploy.graph import Integers

LEAK = 2**MEMBRANE_DECAY_BITS


@dataclass(frozen=True, slots=True)
class _States:
    """The numbers of a neuron: names in a step, and of the arrays that keep them."""

    kept: dict[str, tuple[str, str]]

    def start(self, kind: str, forgets: bool) -> list[str]:
        """Return the lines that begin with what is kept, or with zeros."""
        return [f"{kind} {name} = {'0' if forgets else f'{array}[i0]'};" for name, (array, _) in self.kept.items()]

    def end(self) -> list[str]:
        """Return the lines that keep the numbers."""
        return [f"{array}[i0] = ({kind}){name};" for name, (array, kind) in self.kept.items()]


def write_neurons(text: Text, loop: Loop, node: Neurons) -> None:
    """Add the loop of a layer of neurons."""
    steps, kind, states = loop.result.shape[1], _width(text, node), _kept(text, node)
    fresh = text.plan.entry != "step"
    if node.feedback is None:
        text.lines += indented([
            "{", "int place = 0;", f"for (int i0 = 0; i0 < {node.units}; i0++) {{", *states.start(kind, fresh),
            f"for (int i1 = 0; i1 < {steps}; i1++) {{", *_step(text, loop, node, kind), "place++;", "}",
            *states.end(), "}", "}",
        ])  # fmt: skip
        return
    spikes = text.keep(f"spikes_{identifier(node.name)}", "uint8_t", node.units)
    arrays = [array for array, _ in states.kept.values()]
    forget = repeated("i0", node.units, [f"{one}[i0] = 0;" for one in (*arrays, spikes)]) if fresh else []
    fired = [f"const int32_t m = {arrays[0]}[i0];", f"{spikes}[i0] = (uint8_t)({_events(text, node)});"]
    if node.adaptation is not None:
        fired.insert(1, f"const int32_t risen = {states.kept['risen'][0]}[i0];")
    text.lines += indented([
        "{", *forget, f"for (int i1 = 0; i1 < {steps}; i1++) {{", *repeated("i0", node.units, fired),
        *repeated("i0", node.units, [
            *_heard(text, node, node.feedback, spikes), *states.start(kind, False),
            f"const int place = i0 * {steps} + i1;", *_step(text, loop, node, kind), *states.end(),
        ]), "}", "}",
    ])  # fmt: skip


def _width(text: Text, node: Neurons) -> str:
    """Return the format that every number of a step fits into."""
    drive, low, high = text.plan.ranges[node.source], node.membrane.lowest, node.membrane.highest
    most = 0 if node.threshold is None else node.most * int(np.max(node.threshold))
    heard = 0 if node.feedback is None else high
    largest = (max(-low, high) + most + heard + max(-drive.lowest, drive.highest)) << MEMBRANE_DECAY_BITS
    return "int32_t" if largest < 2**31 else "int64_t"


def _kept(text: Text, node: Neurons) -> _States:
    """Return where the numbers of a neuron lie between steps, the membrane first."""
    label, held = identifier(node.name), type_for(node.membrane.lowest, node.membrane.highest)
    formats = {"m": ("membrane", held)}
    if node.current_decay is not None:
        formats["flowing"] = ("flowing", held)
    if node.adaptation is not None:
        formats["risen"] = ("risen", type_for(0, node.adaptation.highest))
    return _States(
        {name: (text.keep(f"{what}_{label}", kind, node.units), kind) for name, (what, kind) in formats.items()}
    )


def _step(text: Text, loop: Loop, node: Neurons, kind: str) -> list[str]:
    """Return the lines of one step of one neuron: from its numbers before to those after, and what it puts out."""
    low, high = node.membrane.lowest, node.membrane.highest
    events, before, taken, after = _events(text, node), "m", "", ""
    if node.threshold is not None:
        threshold = _constant(text, node, "threshold", node.threshold)
        reset = f"fired * {threshold}" if node.most > 1 else f"(fired ? {threshold} : 0)"
        before = {"zero": "(fired ? 0 : m)", "residue": f"m - {reset}"}.get(node.reset, "m")
        taken = f" - {reset}" if node.reset == "subtract" else ""
        after = "m = fired ? 0 : m;" if node.reset == "clear" else ""
    into = f"{text.signal(node.source)}[place]" + ("" if node.feedback is None else " + heard")
    flow: list[str] = []
    if node.current_decay is not None:
        decay = _constant(text, node, "current_decay", node.current_decay)
        flow = [f"flowing = flowing * {decay} / {LEAK} + {into};", _held("flowing", low, high)]
        into = "flowing"
    rise: list[str] = []
    if node.adaptation is not None:
        decay, most = _constant(text, node, "risen_decay", node.adaptation.decay), node.adaptation.highest
        rise = [
            f"risen = risen * {decay} / {LEAK} + (fired ? {node.adaptation.rise} : 0);",
            f"risen = risen > {most} ? {most} : risen;",
        ]
    lines = [
        *flow, f"const {kind} kept = {before};",
        f"m = kept * {_constant(text, node, 'decay', node.decay)} / {LEAK} + {into}{taken};",
        *([after] if after else []), _held("m", low, high), *rise,
    ]  # fmt: skip
    if any("fired" in one for one in lines):
        lines.insert(0, f"const int fired = {events};")
    return [*lines, *text.stored(loop, events if node.most == 1 else f"({events})")]


def _events(text: Text, node: Neurons) -> str:
    """Return how often a neuron fires, or its membrane where it never does."""
    if node.threshold is None:
        return "m"
    threshold = _constant(text, node, "threshold", node.threshold)
    if node.adaptation is not None:
        return f"((m - {threshold}) * {2**node.adaptation.fraction} > risen)"
    return " + ".join([
        f"(m > {threshold})", *(f"(m > {event} * {threshold})" for event in range(2, node.most + 1)),
    ])  # fmt: skip


def _heard(text: Text, node: Neurons, feedback: Feedback, spikes: str) -> list[str]:
    """Return the lines that make the current of the layer's own spikes for one neuron."""
    name = f"{identifier(node.name)}_recurrent"
    kind, found = sum_type(feedback.sums, int(np.abs(feedback.weights).max(initial=0))), feedback.constants
    weight = text.weight_of(name, feedback.weights, feedback.weight_bits)
    first = "0" if feedback.bias is None else f"{text.constant(f'{name}_b', feedback.bias)}[i0]"
    factors = {"m": found.multiplier, "o": found.offset, "s": found.shift, "g": found.guard}
    given = ", ".join(text.place_constant(f"{name}_{one}", value, (node.units,)) for one, value in factors.items())
    return [
        f"{kind} sum = {first};",
        f"for (int u = 0; u < {node.units}; u++) sum += ({kind}){weight(f'i0 * {node.units} + u')} * {spikes}[u];",
        f"const int32_t heard = {text.prefix}_requantise(sum, {given}, {node.membrane.lowest}, "
        f"{node.membrane.highest});",
    ]


def _constant(text: Text, node: Neurons, what: str, number: int | Integers) -> str:
    return text.place_constant(f"{identifier(node.name)}_{what}", np.asarray(number), (node.units,))


def _held(name: str, low: int, high: int) -> str:
    return f"{name} = {name} < {low} ? {low} : {name} > {high} ? {high} : {name};"
