"""Words of the leaderboard's page."""

HEAD = """# Leaderboard

Published decoders with the scores their authors or others published, the work we count for their networks, and what
that work draws on machines that ship and on one that is sized to each network. {counted} of {decoders} decoders are
counted; of the others only what is published stands here.

**Scores of different protocols are not comparable**, and none was run here. Inside a task decoders are sorted by score;
the letter says under which protocol. A score is of the published network, mostly in 32-bit floats; **all prices are of
8-bit integers**, which cost IND under 3 % and Q-EEGNet 0.2 points. Stored numbers are weights and biases with norms
folded. Dense networks are counted with every operand non-zero, spiking ones at their published activity: **powers of a
dense and of a spiking network say nothing of which is cheaper** on inputs of which few are non-zero, as binned spikes
are. A machine that skips zeros would skip those of a dense network's first layer too; its other activations at such
inputs are not published, so that we cannot count them.

Power is the decoder's alone, in µW, at one rate a task: no front end, converter or radio. In brackets the central 90 %
of 1,024 draws of all constants. The *own machine* is searched for each network at 65 nm ({choices}); its area is that
of its core. Its band is that of its laws, which err together: two own machines compare far better than either is known.

{findings}
    python docs/make/leaderboard_page.py            # counts and prices all; --page writes the page of the CSV

All rows on {machines} machines, with energies, latencies and what stands against a machine, are in
[leaderboard.csv](leaderboard.csv).

![score against power of each decoder on three machines, by task](leaderboard.svg)

One mark a machine that a decoder fits; letters are the protocols of the tables below.
"""
FINDINGS = """Within one protocol, each on its own machine (the one of least power that is searched for that network):

- Reaching: {big} scores {big_gain} more R² than {tiny} at {big_times} times its power.
- Motor imagery: {ctnet} is {ctnet_gain} points above {eegnet} at {ctnet_times} times its power; the standard deviation
  between subjects is wider than that.

A decoder that fits a Cortex-M4F draws {least} to {most} times more there than on its own machine.
"""
TASK = "\n## {title}\n\n{rate:g} decodes a second: {why}.\n\n"
WORK_HEAD = (
    "decoder", "score", "protocol", "stored numbers", "bytes stored", "bytes of state", "MACs", "ACs",
    "other operations",
)  # fmt: skip
CLAIMS = """
## The authors' own figures

Energy or power as published, and ours of the same network on the same machine. *Fitted*: the machine's constants were
fitted to this figure among others, so that agreement says little.

"""
CLAIM_HEAD = ("decoder", "published", "how", "machine", "ours", "ours / published", "")
ACTIVITY = """
## How spikes were put in

Publications state accumulates and sparsities, not spikes by layer. Counted at 96 channels, three of the six sessions;
published means over all six are of 144 channels.

"""
ACTIVITY_HEAD = ("decoder", "spikes a decode", "accumulates here", "published", "")
ASSUMED = """
## What is assumed

Layers of architectures that their sources leave open are listed in [architectures](architectures.md). Figures below
were recalled, or it is not certain that they belong to this size of the network:

"""
SOURCES = "\n## Sources\n\n"
