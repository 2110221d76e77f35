"""Text of ``docs/codesign.md`` that no figure stands in."""

from __future__ import annotations

HEAD = """# The machine with the network

On a machine that is given, widths hardly matter and a ranking of decoders may be the machine's. Here the machine is
sized to the network: template, array, supply, memories, banks and words are searched, every constant follows a named
law with its band, and the machine of least decoder power is priced as any other.
"""

HOW = """
## How it was made

    cosim design NETWORK.json --rate 0.5 --site implant_epilepsy --node 65,22
    python benchmarks/codesign.py        # everything on this page; --page writes it again without a search

Whether the laws hold is on a page of its own: [published chips](designed_chips.md) beside templates of their node,
supply, memories and widths.

Five templates (weight stationary, output stationary, input broadcast, streaming ring, event driven) have the closed
forms of the machines that ship; the laws of area, leakage, wires and supplies are those of
[what a machine is made of](machine_laws.md). A found machine is an ordinary profile: `--out mine.toml`
writes it. In a study, the table `[hardware.design]` prices every decoder in integers on its own machine, or all of them
on one (`one_machine = "per_study"`), under the name `designed`.

Power here is the decoder's alone, nominal, without front end and radio; bands of single figures are wide (see the
nodes), those of differences between machines of one node much narrower.
"""

BITS = """
## Widths, on a fixed machine and on its own

EEGNet-8,2 (22 channels, 1,000 steps) at 65 nm and 0.5 decodes a second, site `implant_epilepsy`. From w8a8 to w2a4 the
fixed machine gains a factor {fixed}, its own machine {own}. (At more than two bits
of activations the network has no room in the fixed machine's data memory; it is priced there as if it had.)

![power by cause](codesign_bits.svg)
"""

STUDIES = """
## Real decoders on machines of their own

Decoders of the archived studies with the work that was counted on recordings, at each study's rate; scores as in the
study's page. 65 nm. Of a decoder trained with several seeds and folds the work is that of the first. A hollow mark is
the best of the study's fixed machines, a filled one the decoder's own.

![score against power](codesign_studies.svg)
"""

ASKS = """
## In short: what the network asks of its machine

From the rows of this page alone.
"""

ASKED = (
    "**Memory and what never sleeps, not multipliers.** Retention and static power (leakage, oscillator and timer) "
    "are {kept_least} to {kept_most} of the power of the studies' {decoders} decoders on their own machines, half of "
    "them above {kept_middle}, at {rate_least} to {rate_most} decodes a second. The floor is the oscillator, {floor} "
    "µW: {smallest} draws {smallest_power} µW.",
    "**The rate decides what leads.** EEGNet-8,2 at {rate_first} decodes a second: {led_first}; at {rate_last}: "
    "{led_last}. Work grows with the rate, retention hardly: {growth} the power for {times} times the decodes.",
    "**Geometry follows K × N where the work is worth an array.** The largest product of EEGNet-8,2 has {k} products "
    "an output and {n} filters, {work} products a decode, and its array is {array}. The studies' decoders do "
    "{less_least} to {less_most} in theirs, and take {few_least} to {few_most} multipliers, half of them at most "
    "{few_middle}, with K × N up to {kn_most}: another multiplier leaks and fills area, and time is there, deadlines "
    "at least {slack} times as long as decodes.",
    "**The deadline binds late.** A machine that runs fast and sleeps draws least anyway: EEGNet-8,2 decodes in "
    "{free_ms} ms unasked, and draws the same down to a deadline of {same_ms} ms. {tight}",
    "**A machine of its own is worth most to the smallest decoder.** It draws {gain_least} to {gain_most} times less "
    "than on the best fixed machine; {gain_least_name} gains least, {gain_most_name} most. Of what EEGNet-8,2 saves "
    "at w4a4 {went} is static power and retention of the fixed machine.",
    "**Widths are worth what they take out of memory.** From w8a8 to w2a4 {widths}. The window of samples stays at "
    "the input's width; where it fills the data memory narrower weights change little.",
)

DEADLINES = """
## What the deadline asks

EEGNet-8,2 at w4a4, 0.5 decodes a second, by the time a decode may take.
"""

RATES = """
## What the rate asks

EEGNet-8,2 at w4a4: seldom decodes leave retention and what is always on; often ones leave work.
"""

NODES = """
## Nodes and templates

EEGNet-8,2 at w4a4 on the best machine of each node and template, drawn together 4,096 times: a law's error moves all
machines of a node, and half of its variance those of other nodes too. {best} nm draws least in {share} of the draws;
below about two thirds read it as undecided.

![who draws least](codesign_nodes.svg)
"""

BOUNDS = """
## What each choice is worth

The same network, one choice taken away at a time.

![gained by each bound that is relaxed](codesign_bounds.svg)

![power over the array](codesign_array.svg)
"""

NOT_MODELLED = """
## What is not modelled

- **Placed and routed logic.** Gates times a gate's area over a utilisation; no congestion, no clock tree of a plan.
- **Time inside an array.** Memory words arrive as the array needs them: conflicts of banks and ports, refills between
  tiles and back-pressure are not counted. The set-up of a layer is a number of cycles.
- **Partial products of narrow operands.** An operation costs what its operands' widths say, in a multiplier of the
  widest: the idle upper part switches nothing, which sign extension in two's complement does not quite achieve.
- **Leakage by node.** One figure at all nodes for a flavour of low leakage, with a band of a factor five. A foundry's
  own cell decides; what the optimum says of nodes is worth no more than that.
- **Supply below 0.5 V, body bias, adaptive supplies, corners.** A margin of two on the clock stands for corners and
  temperature; yield near the threshold is not modelled.
- **Retention.** Memories keep their content at 0.5 V; the circuit that makes that rail has the efficiency of the rail,
  no area and no draw of its own.
- **Waking for samples.** Samples are written into the data memory as they come, without a wake-up for each: at 128 Hz
  one of 4 nJ would add half a microwatt. A buffer of registers that gathers some of them is not in the machine.
- **Test, pads, power management, oscillator accuracy, analogue.** In neither power nor area, except an always-on part.
- **Layer fusion and sparsity.** Every valid product is done; consecutive layers meet in memory unless they work on the
  stream of one another.
"""
