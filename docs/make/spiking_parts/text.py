"""What ``docs/spiking.md`` says around its tables."""

from __future__ import annotations

HEAD = """# Spiking decoders on recordings

What spiking networks buy on recordings of motor cortex, of seizures and of SSVEP, and what they do not. Made by

    python benchmarks/spiking.py            # every part, two seeds; --seeds 5 adds three, --part NAME runs one
    python benchmarks/spiking.py --reprice  # this page from the archived runs, at today's prices

(the recordings are not part of the project; scores and workloads of the runs are in `docs/results/spiking`). Every
decoder of a part sees the same recordings, split and seeds, without a teacher but where the name says *taught*. *As
spikes*: the quantised network run by integrate-and-fire neurons (`cosim convert`), equal to its integers in every
output, so that its score is theirs. *Priced*: trained at a [price of events](concepts/training.md#events-at-a-price)
of 0.1. `ternary-a4` is the sparse network: about half of its weights are zero, and machines that skip zeros skip
them.

*Events a step*: per neuron and time step, an event of value k counted as k; *a bin*: over all steps of a bin, of which
networks as spikes take 15 (`w4a4`), 7 (`w4a3`) or 3 (`w4a2`). *Products*: non-zero inputs times non-zero weights of
one decode; *on events*: those behind the first neurons that fire (synaptic operations). *Updates* of neurons and
bytes of *state* read and written, of one decode. Powers are of the decoder with its preprocessing, nominal; – : the
machine has no price for float32, or no room for the decoder.
"""
FINDINGS = (
    """**Where spiking loses.** On the near-memory array and the microcontroller every spiking decoder of velocity that
scores nearly as well as the quantised network without spikes takes as much power or more. On the event-driven core the
delay net takes less, with a probability {units[Delay net spiking w4a4].less} on 42 units and {channels[Delay
net spiking w4a4].less} on 95 channels, but only {units[Delay net spiking w4a4].core:.2%} and {channels[Delay
net spiking w4a4].core:.2%} less: it fires {units[Delay net spiking w4a4].a_step:.2f} and {channels[Delay net
spiking w4a4].a_step:.2f} events where it breaks even at {units[Delay net spiking w4a4].even:.2f} and
{channels[Delay net spiking w4a4].even:.2f}. One-bit neurons without delays do {units[One-bit LIF spiking
w4a4].product_share:.0%} of the products, which saves {units[One-bit LIF spiking w4a4].controller:.0%} of the
microcontroller's power, {units[One-bit LIF spiking w4a4].core:.0%} of the core's and {units[One-bit LIF spiking
w4a4].array:.0%} of the array's, and they lose {units[One-bit LIF spiking w4a4].lost:.2f} R² on 42 units; a
recurrent network (GRU) loses {units[GRU-32 w4a4].lost:.2f}.""",
    """**The classical decoder is hard to beat on 42 units, not on 95 channels.** Ridge regression over lags scores
{units[ridge].score:.3f} on 42 units with {units[ridge].products:,.0f} products, within the interval of the
perceptron ({units[MLP float32].score:.3f}, {units[MLP float32].products:,.0f} products) and above every network
that was trained with spikes, and takes the least power of all decoders above 0.7. On 95 channels it loses
{channels[ridge].lost:.2f} R².""",
    """**Counts and delays close the gap of velocity.** Up to 7 events a bin and ten bins of delay bring the score of
42 units from {units[One-bit LIF spiking].score:.2f} to {units[Delay net spiking].score:.3f} (perceptron
{units[MLP float32].score:.3f}) and of 95 channels to {channels[Delay net spiking].score:.3f} ({channels[MLP
float32].score:.3f}; an earlier version of this page, of five seeds, says 0.947 and 0.953), at {units[Delay net
spiking].a_bin:.2f} and {channels[Delay net spiking].a_bin:.2f} events a neuron and bin. Both are within the bar
of 0.03 by their means, on 95 channels by the interval too.""",
    """**Pruning saves products of the perceptron, hardly power.** With half, 75 and 90 % of its weights set to zero by
magnitude while it is trained, the perceptron of 42 units in w4a4 scores {pruned[MLP, 50% pruned w4a4].score:.3f},
{pruned[MLP, 75% pruned w4a4].score:.3f} and {pruned[MLP, 90% pruned w4a4].score:.3f} ({pruned[MLP w4a4].score:.3f}
whole, {pruned[MLP ternary-a4].score:.3f} ternary; two seeds). 90 % leave {pruned[MLP, 90% pruned w4a4].products:,.0f}
of {pruned[MLP w4a4].products:,.0f} products, which saves {pruned[MLP, 90% pruned w4a4].array:.1%} of the array's power
and {pruned[MLP, 90% pruned w4a4].core:.1%} of the core's.""",
    """**It does not save power there.** The first product sees standardised counts, numbers that are hardly ever zero,
in both networks. The products that see events are {units[Delay net spiking].event_share:.0%} of the work, so
that machines take the same power for both, event-driven or not, and a price of events, which halves them for
0.03 R², moves no power. On counts that are not standardised, where zeros would cost nothing, the delay net
scored 0.655 on validation (one seed, an earlier version) and was not used.""",
    """**The reset decides part of it.** A threshold that is subtracted after the leak, as snnTorch does, turns a burst
into inhibition of the next bin where the membrane forgets fast: with it the delay net scored 0.64 on validation
of 42 units, with what is left over leaking on (`residue`) 0.68 to 0.70. Its options were chosen on the two
recordings of velocity, by validation scores of one seed.""",
    """**A converted network keeps its score and pays in steps.** Every output is that of the quantised one, with no
training. A decode takes the steps of all its layers, its membranes are as wide as their sums, and it is updated
in every step. Events add up over the steps of a bin: with 15 steps a layer (`w4a4`) there are {units[MLP w4a4
as spikes].a_bin:.2f} per neuron and bin on 42 units, which is above the bar of 0.8, and {channels[MLP w4a4 as
spikes].a_bin:.2f} on 95 channels, which is within it; on 42 units 7 steps (`w4a3`) give {units[MLP w4a3 as
spikes].a_bin:.2f}, above it by little, and 3 steps (`w4a2`) {units[MLP w4a2 as spikes].a_bin:.2f}, with
{units[MLP w4a2 as spikes].lost:.3f} R² lost: within the bar by the mean, not by the interval. The event-driven
core breaks even with 15 steps at {units[MLP w4a4 as spikes].even:.1%} and {channels[MLP w4a4 as
spikes].even:.1%} spikes a step, and {units[MLP w4a4 as spikes].a_step:.1%} and {channels[MLP w4a4 as
spikes].a_step:.1%} are fired; with 7 at {units[MLP w4a3 as spikes].even:.1%} ({units[MLP w4a3 as
spikes].a_step:.1%} fired); with 3 at {units[MLP w4a2 as spikes].even:.1%} ({units[MLP w4a2 as
spikes].a_step:.1%} fired), where it takes less than the network without spikes with a probability {units[MLP
w4a2 as spikes].less}, by {units[MLP w4a2 as spikes].core:.2%}. On the other machines a silent one already takes
more.""",
    """**EEG: conversion keeps the score, and costs power.** EEGNet in w4a4, run with spikes, loses
{ssvep[EEGNet w4a4 as spikes].lost:.3f} of the {ssvep[EEGNet float32].score:.3f} of its float form on SSVEP and
{seizures[EEGNet w4a4 as spikes].lost:.3f} of {seizures[EEGNet float32].score:.3f} on seizures: within the bars of 0.05
and 0.01 by the intervals. Networks trained with spikes lose {ssvep[LIF conv spiking].lost:.2f} (LIF convolutions) and
{ssvep[PLIF conv spiking].lost:.2f} (PLIF) on SSVEP, {seizures[LIF conv spiking].lost:.3f} and {seizures[PLIF conv
spiking].lost:.3f} on seizures. Converted, EEGNet fires {ssvep[EEGNet w4a4 as spikes].a_step:.3f} and {seizures[EEGNet
w4a4 as spikes].a_step:.3f} events a step, and its membranes are updated in every one: it takes {ssvep[EEGNet w4a4 as
spikes].array_times:.1f} and {seizures[EEGNet w4a4 as spikes].array_times:.1f} times the power of its integers on the
near-memory array, {ssvep[EEGNet w4a4 as spikes].controller_times:.1f} and {seizures[EEGNet w4a4 as
spikes].controller_times:.1f} times on the microcontroller, and the event-driven core has no room for its membranes.""",
    """**Energies of lock-in amplifiers bring trained spikes near EEGNet, at a price.** LIF neurons that see the energy
of each channel at the three stimuli's frequencies and their first harmonics score {lock[Lock-in LIF spiking].score:.3f}
on SSVEP in float, where LIF convolutions score {ssvep[LIF conv spiking].score:.3f} and EEGNet
{ssvep[EEGNet float32].score:.3f}: session by session and seed by seed {apart.mean:+.3f} [{apart.low:+.3f},
{apart.high:+.3f}] over {apart.count} subjects, within the bar of 0.05 by the mean only, where EEGNet run with
spikes loses {ssvep[EEGNet w4a4 as spikes].lost:.3f}. They take
{lock[Lock-in LIF spiking].controller_uw:,.0f} µW of the microcontroller, EEGNet in float
{ssvep[EEGNet float32].controller_uw:,.0f}. Harmonics and dropout were chosen over neither, by the validation scores
of the first sessions with one seed.""",
    """**A teacher helps spikes too, where labels are few.** From two labelled trials a class of SSVEP EEGNet scores
{few[EEGNet float32].score:.3f}; taught by correlations with logistic regression, on unlabelled windows too, and run
with spikes in w4a4 it scores {few[EEGNet, taught w4a4 as spikes].score:.3f}. LIF convolutions rise from {few[LIF conv
spiking].score:.3f} to {few[LIF conv, taught spiking].score:.3f}. The teacher itself scores {few[CCA+LR].score:.3f},
and correlations without any label {few[CCA].score:.3f}.""",
    """**EEG: classical decoders take the least.** On SSVEP canonical correlation with logistic regression scores
{ssvep[CCA+LR].score:.3f}, above every network by its mean, and takes {ssvep[CCA+LR].controller_uw:.0f} µW of the
microcontroller, EEGNet in w4a4 {ssvep[EEGNet w4a4].controller_uw:.0f}. On seizures the support vector machine on band
power loses {seizures[band power SVM].lost:.3f} and takes {seizures[band power SVM].controller_uw:.0f} µW, EEGNet in
w4a4 {seizures[EEGNet w4a4].controller_uw:.0f}. The smallest network with spikes, two PLIF neurons on the one channel
of seizures, takes {seizures[PLIF conv spiking].controller_uw:.0f} µW in float and fires {seizures[PLIF conv
spiking].a_step:.2f} events a step; on SSVEP its neurons hardly fire ({ssvep[PLIF conv spiking].a_step:.4f}).""",
    """**A spiking machine has to take it.** Loihi, TrueNorth, ODIN and Xylo take single spikes without delays;
estimates say what they refuse. `event_core_28nm` takes an event of several bits with a multiplier; with
`graded_events = "repeated"` in a profile of one's own it is sent as so many spikes. A message costs the same
whatever the bits of its payload: no source that was read has its energy by bits.""",
)
"""Templates: `units`, `pruned`, `channels`, `ssvep`, `lock`, `few` and `seizures` hold, by label,
`spiking_parts.findings.Figures` of a decoder."""
BARS = """
## Bars

The spiking decoder with the best validation score (of velocity: of those with at most 0.8 events per neuron and
bin, all time steps of the bin together), less the network without spikes in float. *Met*: the worse end of the interval
is within the bar.

"""
BREAK_EVEN = """
## Where spiking breaks even

The spikes per input and step of the layers that hear spikes at which the spiking decoder takes the power of the
quantised network without spikes of the same form, with its central 90 %; then the probability that it takes less at
its counted rate. Below the rate spiking takes less. *Never*: a silent one already takes more; *always*: so does one
in which every input spikes in every step; *as one*: the machine gains nothing from silence. Static power is included,
and constants that both forms share are drawn once. Where the two networks differ in more than spikes (one-bit neurons
see one bin, the perceptron ten), the rate says what the two decoders take, not what spikes are worth. For single
layers see [published cost models](published_models.md#where-spiking-breaks-even).
"""
NOT_RUN = """
## Not run

- The networks of Zhou et al. (`snn_streaming`, `snn_3d`) on the recordings they were published for; recurrent
  networks on EEG; a designed machine beside these three (`--reprice --machine FILE` adds its column).
"""
