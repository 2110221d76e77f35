"""The page of the memory laws and their errors: ``python docs/make/memory_page.py > docs/memory.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

from markdown_tables import number, percent, row

from energy_models.hardware import NonVolatile, load_profile, profile_names
from energy_models.quantities import Quantity
from energy_models.technology import (
    FLAVOURS,
    Law,
    MemoryFit,
    held_out_errors,
    memory_fit,
    non_volatile_memories,
    sweep,
)
from energy_models.technology.sram import FitError

HEADER = """# Memories

How the energy models price what is stored. Made by `python docs/make/memory_page.py > docs/memory.md`; a test
keeps it current, another fits every law again.

## Accesses

A memory is read and written in words: `ceil(elements bits / word)`. Four-bit weights halve the words only because
they are packed. A read and a write have each their own energy. Every operand goes whole into the first memory of a
machine that may hold it and has room: weights, then activations (what is [live at once](#activations)), then state,
then buffers. What has no room is an infeasibility, said with the missing bits.

The window of samples that slides between decodes is a buffer of `steps channels bits`. Each new sample is written into
it once, its channels packed into words, however many decodes read it: `step rate ceil(channels bits / word) E_write`,
cause `memory`. Layers of a stream, and filters that store the window themselves, write it as their state. Nothing is
added where memory accesses are inside cycles or events (processors, `loihi`, `xylo` and the like).

`wires` of a memory is the energy of a word's way between its bank and the datapath, charged for each word read or
written: the more banks, the longer (`energy_models.technology.wires`). It is apart where memories are composed of
banks, and inside `read` and `write` elsewhere.

## Activations

A machine works through a network in *passes*: a layer with those that work on its stream. A pass reads the inputs of
its first layer and stores the outputs of its last, at that one's width; nothing between them is stored. Room is made
for the pass that needs most,

    live = inputs activation_bits + outputs stored_bits + sums (accumulator_bits - stored_bits)

| style | on the stream of the layer before | unfinished sums in memory |
|---|---|---|
| `programmable_core` | in an integer product's kernel: clipping, requantisation; in other loops: as on arrays | none |
| `output_stationary`, `input_broadcast`, `streaming_ring` | activations, quantisers, norms, neurons | none |
| `weight_stationary_array` | the same four | of one tile of columns, where products take several tiles of rows |
| event-driven | the same four | of every output |

So a convolution of 8 bit stores 8 bit, not its sums of 20; behind an array neurons leave spikes, not currents. The
words that are written are those of the stored width too. Element-wise layers that follow a kernel of a core and are not
in it (a float ReLU, neurons, a norm) write over its outputs. Pools and sums of two branches read one tensor and write
another on every style; a pool between a product and its quantiser reads sums, which are stored for it.

- An input is counted once: the window is in buffers, or in the state of a filter, and read there; a copy at another
  width is counted. A quantiser at the input that keeps its width makes none: it works on samples as they arrive.
- The outputs of the last pass are the result; they leave by the link number by number. A decoder whose result must be
  kept needs them besides.
- A product of two signals (attention) has both in memory. Between a time loop and a layer that takes all steps at once,
  all steps are; layers of one loop hand on a step at a time.
- A workload is a list, not a graph. **A tensor that is needed again later is not known to wait**: the input of a
  residual block, the other one of two branches. A network with branches may need up to that much more (ResNet-8: 48 KiB
  for 32).

`tests/literature/test_activation_memory.py` holds this against published figures at 8 bit. MobileNet-v1 1.0 on images
of 224 x 224: 1,204,224 bytes by `ml_memory_analyser`, the same here. MobileNet-v1 0.25 on 96 x 96: 18,432 + 36,864
bytes here; STM32Cube.AI 10.0 plans 52.8 KiB for one colour and 66.96 KiB for three, 2 % less and 24 % more. Over its
five figures ours is 0.81 to 1.36 of theirs, which hold image and scratch, and let outputs overwrite inputs. The
reference code of MLPerf Tiny allots arenas of 200, 200, 100 and 10 KiB to its four networks, whose live tensors are 54,
15.6, 32 and 0.25 KiB: an arena holds the interpreter's structures and scratch as well, and none was made as small as it
could be.

## Retention

Banks that hold nothing cost nothing; a bank in use is kept whole: `ceil(used / bank) bank retention`. For how long:

- Weights, state and the window of samples are what the next decode needs: kept the whole time. So is what work on
  every sample holds, and everything of a stream.
- Activations and unfinished sums of windows end with their decode. Banks that hold nothing else are on for
  `decode rate x latency` of the time, never more than all of it, where the machine can switch a bank off.
- A bank that holds both is kept.

    P = retention bank (ceil(lasting / bank) + (ceil(used / bank) - ceil(lasting / bank)) min(1, rate latency))

Cells are kept at a lower supply than they are read at. While the machine works, on a decode or on samples, every bank
that is on draws `awake_leakage` besides, where that is given apart. A look-up table of 1 KiB leaks as the weights'
memory does, on machines whose memories have prices of their own. What does not fit into a memory takes the banks that
would hold it: a machine that is too small never draws less than one that is large enough.

So power is affine in the rate up to `1 / latency`, affine above it and concave in all. Switching banks on is taken as
part of waking the machine and has no energy of its own. `idle_banks` of a memory says whether they are off between
decodes: in arrays composed of banks, and in Vega, whose retention is set from 16 kB on, and its siblings. They are kept
where retention is one figure for the whole memory or chip, where it is in `static`, measured with all memories on, if
the machine never sleeps and waking costs it nothing (`event_core_28nm`), and where banks are rows of registers:

"""
SRAM = """## SRAM

By node and cell flavour, least squares in the logarithm over a shipped sweep of CACTI 7 at 300 K
(`data/measurements/cacti_sweep.csv`), size S of a macro or bank, word of W bits, x = ln(S / 8 KiB), y = ln(W / 32):

    read, write   E = E0 exp(s x + w y + a x² + b y² + c x y)    a word
    access time   t = t0 exp(s x + w y + a x² + b y² + c x y)
    leakage       L = L0 (S / 8 KiB)^s exp(k (T - 300 K))        a bit, k where other temperatures were run

The curvatures a, b, c of a figure are those of all nodes and flavours together.

CACTI cuts a memory into sub-arrays by powers of two, so that energies and times go in steps a smooth law cannot follow,
much the same ones at all nodes. A macro (`sram_costs`) costs its law times what the runs of its size and width, and of
sizes and widths close by, are over theirs (kriging; five constants a figure, `energy_models.technology.sram_steps`),
with bounds that hold 90 % of runs that were left out. At 45 nm 8 KiB read 64 bits for 6.24 pJ, CACTI says 6.14, the law
alone 6.91. A machine that is being designed is sized by the smooth laws, which never make a larger memory cheaper.

Error is `max(run / law, law / run) - 1` over the runs of a law: median / 90th percentile / largest; *left out*: each
run against its cost without it, laws, curvatures and steps. The flavour matters more than the node: at 45 nm a bit in a
low-operating-power cell of 64 KiB leaks eight hundred times what one in a low-standby-power cell leaks. What was not
swept is refused.

"""
OLD = """## 130 and 180 nm

CACTI does not reach them. At 130 nm ten macros of an open process (IHP SG13G2, 1.2 V, 25 °C) give

    read, write   E = c + W (a + b N)        N words of W bits

within 12 % (reads) and 5 % (writes): 1024 words of 16 bit read 25.6 and write 32.3 pJ, their files say 26.5 and 32.9.
Bounds are a factor 2, since files are good to that against silicon. Leakage is 12.1 pW a bit, the cells alone. At 180
nm no macro is open: energies go as a product of 8 bit in both processes' standard cells, 2.6 times (2.25 to 3.12). See
`energy_models.technology.old_memory_costs` and the machine `asic130_open`.

"""
REGISTERS = """## Below SRAM

To 256 bytes a memory is made of registers: W register bits a word, whatever its size
(`energy_models.technology.register_file`), four SRAM cells' leakage a bit. From there to the smallest swept macro,
1 KiB, the macro is the price. No law is carried towards zero: a tiny buffer costs its registers.

"""
NON_VOLATILE = """## Non-volatile memories

Energy a bit, every bit of a word; energy and time of waking once a decode; no retention. Without a write energy a
memory holds weights only.

"""
RELOAD = """## Weights kept or reloaded

A weight memory with a non-volatile copy (`reload_from`) may be off between decodes. One reload reads the copy, writes
the memory and wakes the store:

    E_reload        = bits E_read + words E_write + E_wake       bits of whole words
    P_kept          = ceil(used / bank) bank retention
    break-even time = E_reload / P_kept

Off for longer than that, reloading costs less, and is charged: its energy under `wake`, its time in the latency,
retention for the time awake only. Otherwise the weights are kept. Work on every sample that needs weights keeps them
always. The report (`cosim estimate`, `EnergyReport.reload`) says what either way costs, the break-even time and the
choice.
"""
_TITLES: tuple[tuple[Law, str], ...] = (
    ("read", "Read"), ("write", "Write"), ("leakage", "Leakage"), ("access", "Access time"),
)
_UNITS: Mapping[Law, str] = {"read": "pJ", "write": "pJ", "leakage": "pW/bit", "access": "ns"}


def memory_page() -> str:
    """Return the page, as markdown."""
    nodes = sorted({run.node_nm for run in sweep()})
    fits = [(f"{node} nm {flavour}", memory_fit(node, flavour)) for node in nodes for flavour in FLAVOURS]
    parts = [HEADER, _idle_banks(), SRAM, *(_law(law, title, fits) for law, title in _TITLES), OLD, REGISTERS]
    parts += [NON_VOLATILE, _non_volatile(non_volatile_memories()), RELOAD]
    return "".join(parts)


def _law(law: Law, title: str, fits: Iterable[tuple[str, MemoryFit]]) -> str:
    last = "k [1/K]" if law == "leakage" else "w"
    head = ("cells", f"at 8 KiB, 32 bit [{_UNITS[law]}]", "s", last, "runs", "error", "left out")
    lines = [f"### {title}\n\n", row(head)]
    lines.append("|---|---:|---:|---:|---:|---:|---:|\n")
    held_out = {} if law == "leakage" else held_out_errors(law)
    left_out = {f"{node} nm {flavour}": one for (node, flavour), one in held_out.items()}
    for name, fit in fits:
        one = fit.laws[law]
        error = one.error
        exponent = one.warmth if law == "leakage" else one.width
        lines.append(row((
            name, number(one.reference), f"{one.size:.3f}",
            f"{exponent:.4f}" if exponent else "not run" if law == "leakage" else "0", str(error.runs),
            _shares(error), _shares(left_out[name]) if left_out else "not made",
        )))
    return "".join([*lines, "\n"])


def _shares(error: FitError) -> str:
    return " / ".join(percent(share) for share in (error.median, error.p90, error.largest))


def _idle_banks() -> str:
    lines = [row(("machine", "memory", "idle banks", "retention, by its source")), "|---|---|---|---|\n"]
    for name in profile_names():
        for memory in load_profile(name).memories:
            if memory.retention is None:
                continue
            text = "; ".join(part for part in (memory.retention.where, memory.retention.note) if part)
            lines.append(row((f"`{name}`", memory.name, str(memory.idle_banks), text)))
    return "".join([*lines, "\n"])


def _non_volatile(memories: Mapping[str, NonVolatile]) -> str:
    lines = [row(("technology", "read", "write", "wake", "time to wake")), "|---|---|---|---|---|\n"]
    for name, one in memories.items():
        lines.append(row((name, _text(one.read), _text(one.write), _text(one.wake), _text(one.wake_time))))
    return "".join([*lines, "\n"])


def _text(quantity: Quantity | None) -> str:
    if quantity is None:
        return "none known: weights only"
    bounds = f"{number(quantity.value)} [{number(quantity.low)}, {number(quantity.high)}] {quantity.unit}"
    return f"{bounds}, {quantity.basis}"


if __name__ == "__main__":
    sys.stdout.write(memory_page())
