"""Where a spiking layer costs what its dense form costs: the section of the page of published cost models."""

from __future__ import annotations

import math

from markdown_tables import percent, row

from energy_models.analysis import BreakEven, Design, break_even
from energy_models.hardware import load_profile
from energy_models.workload import Workload, dense_layer, neuron_layer, synapse_layer

SOURCE = "yan2024"
SIZE = 128
STEPS = (1, 5, 10, 100)
SPIKING = ("event_core_28nm", "odin_reckon", "loihi", "xylo")
DENSE = ("event_core_28nm", "asic65_near_memory", "gap9", "cortex_m4f")

INTRODUCTION = """## Where spiking breaks even

A layer of 128 x 128 8-bit weights: as leaky neurons over T steps, and as one product with activations of
`ceil(log2(T + 1))` bits, which tell as many values apart as T steps can (Yan et al.). In each field the spikes per
input and step at which one decode of both costs the same, and the central 90 % of it: below, the spiking form is
cheaper. *Never*: a silent one already costs more, because every neuron is updated in every step. *Always*: so is one in
which every input spikes in every step. Made by `energy_models.analysis.spiking_break_even`, which takes any two
workloads, machines and decision rates, with static power or without; here it is left out, and it is most of
what `xylo` draws.

"""
AFTER = """
Published: below 5.7 % at 5 steps, below 6.4 % from 5 to 10, memory and data movement counted (`{source}`). That lies
between a core that fetches a row for every product and an array that reuses its weights. Against a processor a spiking
core wins at few steps whatever its spikes, against an array seldom: the machine decides more than the rate does.

"""


def spiking_layer(steps: int) -> Workload:
    """Return the spiking form: a tenth of the inputs spike in each step, so do its neurons."""
    spikes = math.ceil(0.1 * SIZE * steps)
    layers = (
        synapse_layer("synapses", SIZE, SIZE, spikes=spikes, steps=steps),
        neuron_layer("neurons", SIZE, spikes=spikes, steps=steps),
    )
    return Workload(f"spiking, {steps} steps", "window", 1, steps, SIZE, 100.0, 1, layers)


def dense_form(steps: int) -> Workload:
    """Return the dense form whose activations tell ``steps + 1`` values apart."""
    bits = math.ceil(math.log2(steps + 1))
    layers = (dense_layer("products", SIZE, SIZE, activation_bits=bits),)
    return Workload(f"dense, {bits} bit", "window", 1, 1, SIZE, 100.0, bits, layers)


def spiking_section() -> str:
    """Return the section, as markdown."""
    head = ("T", "spiking on", *(f"dense on `{name}`" for name in DENSE))
    rows = [row(head), "|---:|---|" + "---|" * len(DENSE) + "\n"]
    for steps in STEPS:
        for name in SPIKING:
            cells = (cell(_found(steps, name, other)) for other in DENSE)
            rows.append(row((str(steps), f"`{name}`", *cells)))
    return "".join((INTRODUCTION, *rows, AFTER.format(source=SOURCE)))


def _found(steps: int, spiking: str, dense: str) -> BreakEven:
    first, second = ((spiking_layer(steps), spiking), (dense_form(steps), dense))
    return break_even(*(Design(work, load_profile(name), None, 1.0) for work, name in (first, second)))


def cell(found: BreakEven) -> str:
    """Return a break-even rate with its bounds, in words where there is none."""
    if found.rate is None:
        return "as one"
    ends = " to ".join(percent(end) for end in (found.rate.low, found.rate.high))
    if found.rate.nominal == 0:
        return "never" if found.rate.high == 0 else f"never (to {percent(found.rate.high)})"
    if found.rate.nominal >= 1:
        return "always" if found.rate.low >= 1 else f"always (from {percent(found.rate.low)})"
    return f"{percent(found.rate.nominal)} ({ends})"
