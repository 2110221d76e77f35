"""The words of the page on BrainDistill's power; its numbers are filled in by `braindistill_page`."""

ANSWER = """# BrainDistill: {float32} to {w8a8} mW

**It holds only if** one of three things, or a mixture, was charged that an implant would avoid:

1. **Operands fetched anew for each product**: {rates} decisions/s by memory (DRAM to SRAM), at most {most} mW static.
2. **A radio link for each input sample**: {link} nJ a bit (Bluetooth LE takes {radio}), nothing static.
3. **All wavelets made again for each decision**: {slow} decisions/s, beside {static} mW static.

With weights fetched once a decision and nothing else it takes {once} decisions/s or more. What is said of the
estimate (operations, weights, I/O) names no static power: that speaks for 1 or 2. Which one it was, the sources at hand
do not say. This page reconciles; it fits nothing, and nothing of it enters a profile.

Made by `python docs/make/braindistill_page.py > docs/braindistill.md`; a test keeps it current.

"""

PUBLISHED = """## What is published

| figure | value | basis | where |
|---|---:|---|---|
{rows}
An estimate, not a measurement, and read second hand: the appendix that makes it was not at hand. Neither node nor
decision rate nor what is fetched from where is known to us. {rate}/s below is one decision every 50 ms.

"""

COUNTS = """## What the network does in one decision

Our IND (`students/architectures/data/implanted/ind_wavelets_64.toml`: 64 channels, 5 wavelets, 20 tokens, two layers
of linear attention), counted exactly, 32-bit floats or 8-bit integers. After its wavelets it holds {weights} weights
and biases, and 640 position offsets left out here. What the paper leaves open (wavelet length, window, sampling rate)
is assumed.

| in one decision | network | network + wavelets |
|---|---:|---:|
{rows}
"""

CASES = """## What each assumption gives

Charged: products at 45 nm ({float32} pJ in FP32, {w8a8} pJ in INT8) and what they fetch. First the power at {rate}
decisions/s; then the decisions/s each figure needs by itself; then the one rate and static power that give both.

| products of | fetched | FP32 mW | W8A8 mW | ratio | 22.84 needs | 5.66 needs | both need | holds? |
|---|---|---:|---:|---:|---:|---:|---|---|
{rows}
*Nearly*: static power would have to be a little below zero; the two rates differ by {off} or less. *No*: a decoder
cannot decide more often than samples arrive (500/s) or less than once a window (1/s), both as assumed for our network.

"""

SPLIT = """## Both figures at once

The ratio is {ratio}, that of the widths 4, that of a 45 nm product {factor}. With fixed power *a* and the rest in
proportion to the width, a + b = 22.84 and a + b/4 = 5.66 put *a* below zero: no fixed part at all. Only arithmetic,
which falls faster than the width, makes room for one, up to {most} of 22.84:

| corner | arithmetic mW | traffic mW | static mW |  |
|---|---:|---:|---:|---|
{corners}
Every mixture of the last two rows gives both figures: two numbers cannot fix three unknowns.

With nothing static, {share} is traffic and arithmetic sets the pace: {per_s} million products/s, which is {pace}
decisions/s of {tokens} tokens ({slow} to {fast} by the last digits) or {rare} of {many} tokens, wavelets free. One kind
of traffic alone must then cost:

| traffic in FP32 | Mbit/s | pJ/bit it must cost | against what is known |
|---|---:|---:|---|
{flows}
"""

MACHINES = """## What we say

The network without its wavelets at {rate} decisions/s: power of the decoder in mW, with bounds.

| machine | FP32 | W8A8 | ratio | 5.66 mW over ours |
|---|---:|---:|---:|---:|
{rows}
Arrays that keep the weights on chip lie far below the published figure, microcontrollers near it but with a
smaller ratio: an instruction is not four times cheaper at 8 bits. 5.66 mW is no bound on what this network needs.

## What would settle it

The decision rate, and the energy a bit that the appendix multiplies weights and I/O by.

## Sources

"""
