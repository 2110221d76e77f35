"""The books: work of one forward call per layer and decode, then totals over all calls."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor

from energy_models.workload import Arithmetic, Conventions, Count, Kind, LayerWork, Products, Uncounted, WeightForm
from students.counting.layout import Steps, at_steps

When = tuple[Steps, int] | Literal["loop"]
"""In a stream: steps at which a call works and how many they are, or one step of a loop that makes the others."""

CONVENTIONS = ("dense_full", "dense_valid", "effective_input", "effective")


@dataclass(frozen=True, slots=True)
class Work:
    """One call of one layer, in figures of one decode.

    `counts` holds, by name, an int where every decode does the same, or an int64 tensor of shape (decodes,) or
    (decodes, steps); either holds in the decodes of `when`, the others have none. Names: ``dense_full.mac``,
    ``dense_full.ac`` and so on; ``op:`` and an operation; ``input_events``, ``output_events``, ``active``, ``idle``.
    """

    kind: Kind
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    counts: Mapping[str, int | Tensor]
    arithmetic: Arithmetic = "float"
    calls: int = 1
    when: When | None = None  # stream only; None: in every decode
    reduction: int = 0
    weights: int = 0
    weights_nonzero: int = 0
    biases: int = 0
    weights_key: str = ""
    weight_bits: int = 0
    activation_bits: int = 32
    output_bits: int = 32
    accumulator_bits: int = 0
    bias_bits: int = 0
    state_bits: int = 0
    state_elements: int = 0
    state_reads: int = 0
    state_writes: int = 0
    weight_form: WeightForm = "graded"
    constants: int = 0
    constant_bits: int = 0

    @property
    def inputs(self) -> int:
        """Input elements of one decode over this call."""
        return math.prod(self.input_shape) * self.calls

    @property
    def outputs(self) -> int:
        """Output elements of one decode over this call."""
        return math.prod(self.output_shape) * self.calls


Key = tuple[str, Kind, tuple[int, ...], tuple[int, ...], int]
"""Name, kind, shapes of one call, and in a stream the steps from one call to the next."""


@dataclass(slots=True)
class _Page:
    """What one layer did in one forward call."""

    work: Work
    calls: int = 0
    at: Tensor | None = None  # calls by step, where not every step has one
    reads: int = 0  # of buffered steps, besides those of `work`
    writes: int = 0
    constants: dict[str, int] = field(default_factory=dict[str, int])
    sums: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    steps: dict[str, list[Tensor]] = field(default_factory=dict[str, list[Tensor]])


@dataclass(slots=True)
class _Total:
    """One layer over all forward calls."""

    work: Work
    calls: int
    counts: dict[str, Count]


class Ledger:
    """Totals per layer over forward calls; open a page with `begin`, write with `add`, close with `end`.

    Parameters
    ----------
    steps : int
        Steps that are decodes of their own in each forward call (stream), or 0 (window).
    warm_up_steps : int
        Of those, the first ones that go into totals of their own, the ledger `warm_up`.
    """

    def __init__(self, steps: int, warm_up_steps: int = 0) -> None:
        self.steps = steps
        self.warm_up = Ledger(warm_up_steps) if warm_up_steps else None
        self.totals: dict[Key, _Total] = {}
        self.folded: dict[str, str] = {}
        self.uncounted: dict[tuple[str, str], str] = {}
        self.decodes = 0
        self.halo_steps = 0
        self._pages: dict[Key, _Page] = {}
        self._batch = 0
        self._uses: dict[tuple[Key, int], int] = {}
        self._folds: dict[tuple[Key, int], list[tuple[str, Work]]] = {}

    def begin(self, batch: int) -> None:
        """Open the books for one forward call of `batch` examples."""
        self._batch = batch
        self._pages, self._uses, self._folds = {}, {}, {}

    def refuse(self, layer: str, operation: str, reason: str) -> None:
        """Note something that cannot be counted."""
        self.uncounted.setdefault((layer, operation), reason)

    def add(self, name: str, work: Work) -> Key:
        """Write one call of a layer; return its key."""
        every = work.when[0].every if isinstance(work.when, tuple) else 1
        key = (name, work.kind, work.input_shape, work.output_shape, every)
        page = self._pages.setdefault(key, _Page(work))
        page.calls += work.calls
        if isinstance(work.when, tuple):
            fresh = at_steps(torch.full((1, work.when[1]), work.calls), work.when[0])
            page.at = fresh if page.at is None else page.at + fresh
        for what, value in work.counts.items():
            self._write(page, work.when, what, value)
        return key

    def _write(self, page: _Page, when: When | None, what: str, value: int | Tensor) -> None:
        """Add a count, zero in the steps of a stream in which the layer does not work."""
        if isinstance(when, tuple) and when[1] < self.steps:
            value = at_steps(torch.ones((self._batch, when[1]), dtype=torch.int64), when[0]) * value
        if isinstance(value, int):
            page.constants[what] = page.constants.get(what, 0) + value
        elif when == "loop":
            page.steps.setdefault(what, []).append(value)
        else:
            page.sums[what] = page.sums[what] + value if what in page.sums else value

    def use(self, producer: tuple[Key, int]) -> None:
        """Note that a product's output was read by an operation."""
        self._uses[producer] = self._uses.get(producer, 0) + 1

    def fold(self, producer: tuple[Key, int], name: str, unfolded: Work) -> tuple[Key, int]:
        """Note a per-channel scale and offset right after a product; decided at the end of the call.

        It folds into the product's weights if nothing else reads the product's output.
        """
        self._folds.setdefault(producer, []).append((name, unfolded))
        return producer[0], producer[1] + 1

    def requantised(self, producer: tuple[Key, int], bits: int) -> None:
        """Note that a product's accumulator leaves it on a grid of so many bits."""
        page = self._pages[producer[0]]
        page.work = replace(page.work, output_bits=bits)

    def keep(self, key: Key, bits: int, *, elements: int = 0, reads: int = 0, writes: int = 0) -> None:
        """Give a layer more state: words kept from step to step, read and written in a call."""
        page = self._pages[key]
        page.work = replace(page.work, state_bits=bits, state_elements=page.work.state_elements + elements)
        page.reads, page.writes = page.reads + reads, page.writes + writes

    def count(self, key: Key, what: str, per_decode: Tensor) -> None:
        """Add counts to a layer in whatever decodes they fall, also where its call is yet to come."""
        self._write(self._pages[key], None, what, per_decode)

    def saw_halo(self, steps: int) -> None:
        """Note how many steps a layer needs before it sees true samples only."""
        self.halo_steps = max(self.halo_steps, steps)

    def end(self) -> None:
        """Close the page: settle what folds, and add it to the totals."""
        for producer, norms in self._folds.items():
            for name, unfolded in norms:
                if self._uses.get(producer, 0) == len(norms):
                    self._settle(producer[0], name, unfolded.biases)
                else:
                    self.add(name, unfolded)
        for key, page in self._pages.items():
            self._close(key, page)
        for book, _, steps in self._books():
            book.decodes += self._batch * steps

    def _books(self) -> list[tuple[Ledger, int, int]]:
        """Return whose totals the steps of a forward call go to: the book, its first step and how many."""
        first = 0 if self.warm_up is None else self.warm_up.steps
        steady = (self, first, max(self.steps, 1) - first)
        return [steady] if self.warm_up is None else [(self.warm_up, 0, first), steady]

    def _settle(self, key: Key, name: str, channels: int) -> None:
        """Move a folded norm's offset into the product's bias: one addition per output if it had none."""
        page = self._pages[key]
        product = page.work
        if not product.biases:
            page.work = replace(product, biases=channels, bias_bits=product.bias_bits or product.accumulator_bits)
            self._write(page, product.when, "op:add", product.outputs // product.calls * page.calls)
        self.folded[name] = key[0]

    def _close(self, key: Key, page: _Page) -> None:
        looped = page.work.when == "loop"
        if looped and page.calls % self.steps:
            self.refuse(key[0], key[1], f"called {page.calls} times for {self.steps} steps of a stream")
            return
        repeats = self.steps if looped else 1
        calls = page.calls // repeats if page.at is None else int(page.at.max())
        again = calls // page.work.calls
        work = replace(
            page.work,
            state_reads=page.work.state_reads * again + page.reads,
            state_writes=page.work.state_writes * again + page.writes,
        )
        values: dict[str, int | Tensor] = {}
        for what in {*page.constants, *page.sums, *page.steps}:
            value: int | Tensor = page.constants.get(what, 0) // repeats
            if what in page.sums:
                value = page.sums[what] + value
            elif what in page.steps:
                stacked = torch.stack(page.steps[what], dim=1)
                value = stacked.unflatten(1, (-1, stacked.shape[1] // repeats)).sum(2) + value
            values[what] = value
        for book, first, steps in self._books():
            decodes = self._batch * steps
            counts = {what: _counted(value, first, steps, decodes) for what, value in values.items()}
            book._join(key, _Total(work, calls, counts), decodes)

    def _join(self, key: Key, fresh: _Total, decodes: int) -> None:
        known = self.totals.get(key)
        if known is None:
            blank = Count(0, 0, self.decodes)
            fresh.counts = {what: blank + count for what, count in fresh.counts.items()}
            self.totals[key] = fresh
            known = fresh
        else:
            for what, count in fresh.counts.items():
                known.counts[what] = known.counts.get(what, Count(0, 0, self.decodes)) + count
        seen = next((count.decodes for count in known.counts.values()), self.decodes + decodes)
        if known.calls != fresh.calls or seen != self.decodes + decodes:
            self.refuse(key[0], key[1], "the number of calls differs from decode to decode")

    def layers(self) -> tuple[LayerWork, ...]:
        """Return every layer in the order of its first call, names made unique."""
        seen: dict[str, int] = {}
        result: list[LayerWork] = []
        for key, total in self.totals.items():
            seen[key[0]] = seen.get(key[0], 0) + 1
            name = key[0] if seen[key[0]] == 1 else f"{key[0]}_{seen[key[0]]}"
            result.append(_layer(name, total, self.decodes, every=key[-1]))
        return tuple(result)

    def gaps(self) -> tuple[Uncounted, ...]:
        """Return what was refused."""
        return tuple(Uncounted(layer, operation, reason) for (layer, operation), reason in self.uncounted.items())


def _counted(per_decode: int | Tensor, first: int, steps: int, decodes: int) -> Count:
    """Return exact Python integers of `steps` steps from `first` on; int64 per decode, or (decodes, all steps)."""
    if isinstance(per_decode, int):
        return Count.constant(per_decode, decodes)
    chosen = per_decode if per_decode.dim() < 2 else per_decode[:, first : first + steps]
    return Count.of([int(number) for number in chosen.flatten().tolist()])


def _layer(name: str, total: _Total, decodes: int, *, every: int) -> LayerWork:
    work, counts = total.work, total.counts
    nothing = Count(0, 0, decodes)
    full = {what: count + Count(0, 0, decodes - count.decodes) for what, count in counts.items()}
    products = None
    if "dense_full.mac" in full:
        products = Conventions(
            *(Products(full.get(f"{rule}.mac", nothing), full.get(f"{rule}.ac", nothing)) for rule in CONVENTIONS)
        )
    repeat = total.calls // work.calls
    return LayerWork(
        name=name,
        kind=work.kind,
        arithmetic=work.arithmetic,
        calls=total.calls,
        input_shape=work.input_shape,
        output_shape=work.output_shape,
        inputs=work.inputs * repeat,
        outputs=work.outputs * repeat,
        reduction=work.reduction,
        products=products,
        operations={what[3:]: full[what] for what in sorted(full) if what.startswith("op:") and full[what].total},
        weights=work.weights,
        weights_nonzero=work.weights_nonzero,
        biases=work.biases,
        weights_key=work.weights_key,
        weight_bits=work.weight_bits,
        activation_bits=work.activation_bits,
        output_bits=work.output_bits,
        accumulator_bits=work.accumulator_bits,
        bias_bits=work.bias_bits,
        state_bits=work.state_bits,
        input_events=full.get("input_events"),
        output_events=full.get("output_events"),
        state_elements=work.state_elements,
        state_reads=work.state_reads,
        state_writes=work.state_writes,
        updates_active=full.get("active"),
        updates_idle=full.get("idle"),
        decodes_per_call=every,
        weight_form=work.weight_form,
        constants=work.constants,
        constant_bits=work.constant_bits,
    )
