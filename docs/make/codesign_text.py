"""Text of ``docs/codesign.md`` that no figure stands in."""

from __future__ import annotations

HEAD = """# The machine with the network

On a machine that is given, widths hardly matter and a ranking of decoders may be the machine's. Here the machine is
sized to the network: template, array, supply, memories, banks and words are searched, every constant follows a named
law with its band, and the machine of least decoder power is priced as any other.

    cosim design NETWORK.json --rate 0.5 --site implant_epilepsy --node 65,22
    python benchmarks/codesign.py        # everything on this page; --page writes it again without a search

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

RATES = """
## What the rate asks

EEGNet-8,2 at w4a4: seldom decodes leave retention and what is always on; often ones leave work.
"""

NODES = """
## Nodes and templates

EEGNet-8,2 at w4a4 on the best machine of each node and template, drawn together 4,096 times: a law's error moves all
machines of a node, and half of its variance those of other nodes too. {best} nm draws least in {share} of the draws;
below about two thirds read it as undecided.
"""

BOUNDS = """
## What each choice is worth

The same network, one choice taken away at a time.

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
