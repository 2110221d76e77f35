"""The words of ``docs/bitwidths.md``; its numbers come from `bitwidths_rows`."""

HEAD = """# Score against bits

Which form do shipped decoders need on real recordings, and how should it be made? Each decoder of a shipped
study, trained in float from labels, is put into every form four ways: *rounded* after training (`ptq`:
least-squares clipping on 256 training examples, biases corrected; `gptq`: the same with GPTQ), *trained* on
with the rounding in the loop from labels, trained on from labels and the outputs of its own float form
(method `kl`), and some forms trained on from labels and a teacher's outputs, after a float form that the same
teacher taught: their float form is that one. The teacher is that of the shipped study; for SSVEP it is canonical
correlation with logistic regression. Forms come in three sets, each a run of its own: `uniform`, `mixed` (layers
of several widths; `conv`, `depthwise` and `linear` are kinds of layers, `body.1` is the perceptron's first one) and
`teacher`. All of it is one command, which goes on where it was stopped and begins no form after 90 minutes of a set:

    COSIM_DATA=... python benchmarks/bitwidths.py               # every part, cheapest first, then this page
    COSIM_DATA=... python benchmarks/bitwidths.py --part motor_imagery --forms uniform --seeds 5
    python benchmarks/bitwidths.py --reprice                    # this page again, nothing trained

Settings of training are those of the shipped study. In each row the weights of the first and last product
follow the form unless it says `edge=8`; the raw input has 8 bits in all of them: the column of widths shows
every product in the order of computation. `ternary-a4` and `binary-a4` are coarse weights with 4-bit
activations.
"""

NOT_RUN = """
## Not run

"""

NOT_RUN_PARTS = "- {parts}: the command has these parts, but they were not run for this version.\n"

WHY_ALIKE = """
## Why w8a8, w4a4 and w2a4 cost the same on some machines

{widths}. An operand of 2, 4 or 6 bits is widened to the next of these widths before it is multiplied, by a
kernel that exists for that width only; the cycles of a product are those of 8 bits, and cycles times active
power are what such a machine charges. Nothing in its profile makes narrower weights cheaper, and nothing should
until a kernel for them is measured on it. What narrow forms do save there is memory: stored bytes are packed,
so a network that did not fit may fit. On
`asic65_near_memory` a multiplier's energy goes with the product of its widths, and words of memory and retention
with the bits stored, so narrow forms cost less there: little where leakage and the preprocessing, which no form
touches, are most of the power, as for the EEGNets; more where a first layer holds most of the weights, as in the
perceptrons, and then only if that layer is narrow too (compare `edge=8`).
"""

TAIL = """
## Limits

Few seeds and few recordings: intervals range over what is held out and say nothing of other subjects. Forms were
not tuned one by one. An interval of no width says that no decision of any held-out example differs, not that none would
on other recordings. Where an interval is wider than a bar, "undecided" is all that can be said.
"""
