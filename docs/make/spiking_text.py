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

*Events*: per neuron and step, an event of value k counted as k. *Products*: non-zero inputs times non-zero weights of
one decode; *on events*: those behind the first neurons that fire (synaptic operations). *Updates* of neurons and
bytes of *state* read and written, of one decode. Powers are of the decoder with its preprocessing, nominal; – : the
machine has no price for float32.
"""
FINDINGS = """
## What it says

- **Where spiking loses.** On the near-memory array and the microcontroller every spiking decoder that scores nearly
  as well as the quantised network without spikes takes as much power or more. On the event-driven core the delay net
  takes less, with a probability above 99 % on 42 units and of 89 % on 95 channels, and by less than 1 %: it fires
  0.45 and 0.33 events where it breaks even at 0.59 and 0.36. One-bit neurons without delays do a tenth of the
  products, which halves the microcontroller's power and saves the others 8 to 16 %, and they lose more than 0.2 R² on
  42 units; a recurrent network loses a quarter of that.
- **The classical decoder is hard to beat on 42 units, not on 95 channels.** Ridge regression over lags scores 0.733
  on 42 units with 565 products, within the interval of the perceptron (0.745, 13,913 products) and above every
  network that was trained with spikes, and takes the least power of all decoders above 0.7. On 95 channels it loses
  0.21 R².
- **Counts and delays close the gap of velocity.** Up to 7 events a bin and ten bins of delay bring the score of 42
  units from 0.53 to 0.725 (perceptron 0.745; five seeds) and of 95 channels to 0.949 (0.952; two seeds, five of an
  earlier version of this page say 0.947 and 0.953), at less than half an event a neuron and bin. Both are within the
  bar of 0.03 by their means, on 95 channels by the interval too.
- **It does not save power there.** The first product sees standardised counts, numbers that are hardly ever zero, in
  both networks. The products that see events are 2 % of the work, so that machines take the same power for both,
  event-driven or not, and a price of events, which halves them for 0.03 R², moves no power. On counts that are not
  standardised, where zeros would cost nothing, the delay net scored 0.655 on validation (one seed, an earlier
  version) and was not used.
- **The reset decides part of it.** A threshold that is subtracted after the leak, as snnTorch does, turns a burst
  into inhibition of the next bin where the membrane forgets fast: with it the delay net scored 0.64 on validation of
  42 units, with what is left over leaking on (`residue`) 0.68 to 0.70. Its options were chosen on the two recordings
  of velocity, by validation scores of one seed.
- **A converted network keeps its score and pays in steps.** Every output is that of the quantised one: the bar is met
  with no training. A decode takes the steps of all its layers, its membranes are as wide as their sums, and it is
  updated in every step. With 15 steps a layer the event-driven core breaks even at 3 to 4 % spikes; 10 % are fired on
  42 units, 4 % on 95 channels. With 7 steps (`w4a3`) the score of 42 units is the same and it breaks even at 11 %,
  about what it fires; with 3 (`w4a2`) 0.02 R² more are lost, and it takes less than the network without spikes with a
  probability of 98 %, by less than 1 %. On the other machines a silent one already takes more.
- **EEG, by conversion.** This command has not been run on EEG (below). In the archived studies of
  [seizures](results/seizure.md) and [SSVEP](results/ssvep_headset.md), three seeds each, EEGNet in w4a4 differs from
  its float form by +0.4 points [−0.2, +1.0] and −1.6 [−3.8, 0.0], and converted it decides as it does in w4a4, by
  construction: within the bars of 1 and 5 points. Networks trained with spikes lose 22 points on SSVEP (LIF
  convolutions 0.613, EEGNet 0.832) and 0.7 on seizures (0.967, 0.974). The power of converted EEGNets was not counted
  on these recordings.
- **A spiking machine has to take it.** Loihi, TrueNorth, ODIN and Xylo take single spikes without delays; estimates
  say what they refuse. `event_core_28nm` takes an event of several bits with a multiplier; with `graded_events =
  "repeated"` in a profile of one's own it is sent as so many spikes. A message costs the same whatever the bits of
  its payload: no source that was read has its energy by bits.
"""
BARS = """
## Bars

The spiking decoder with the best validation score (of velocity: of those with at most 0.8 events per neuron and
step), less the network without spikes in float. *Met*: the worse end of the interval is within the bar.

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
