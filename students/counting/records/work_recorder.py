"""The books: work of one forward call per layer and decode, then totals over all calls."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from energy_models.workload.layers import CONVENTIONS, Count, LayerWork, Uncounted
from students.counting.axes.batch_axis import at_steps
from students.counting.records.measure import Measure, calls_axis
from students.counting.records.recorded_call import Entry, Key, Recorder, Tape
from students.counting.records.stored import Reader, Stored, Words
from students.counting.records.work import When, Work, count_of, layer_of, stored_layer, with_words

UNEVEN = "the number of calls differs from decode to decode"
STORAGES_KEPT = 4096
"""Addresses of storages remembered before those no longer waiting are dropped."""


@dataclass(slots=True)
class _Page:
    """What one layer did in one forward call; `steps` holds (when, values of shape (decodes, calls)) in a loop."""

    work: Work
    calls: int = 0
    at: Tensor | None = None  # calls by step, where not every step has one
    reads: int = 0  # of buffered steps, besides those of `work`
    writes: int = 0
    constants: dict[str, int] = field(default_factory=dict[str, int])
    sums: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    steps: dict[str, list[tuple[list[int], Tensor]]] = field(default_factory=dict[str, list[tuple[list[int], Tensor]]])


@dataclass(slots=True)
class _Total:
    """One layer over all forward calls."""

    work: Work
    calls: int
    counts: dict[str, Count]
    decodes: int  # in which it works


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
        self.sites: dict[str, Count] = {}
        self.recorders: list[Recorder] = []
        self.tapes: list[Tape] = []
        self.order = itertools.count()
        self.words: Mapping[Reader, Words] = {}  # stored constants besides those of the layers' own work
        self._waiting: set[int] = set()
        self._batch = 0
        self.begin(0)

    def begin(self, batch: int) -> None:
        """Open the books for one forward call of `batch` examples."""
        self._batch = batch
        self._pages: dict[Key, _Page] = {}
        self._uses: dict[tuple[Key, int], int] = {}
        self._folds: dict[tuple[Key, int], dict[Key, tuple[Entry, int]]] = {}
        self.requantisations: dict[Key, int] = {}
        self._sites: dict[str, int | Tensor] = {}

    def refuse(self, layer: str, operation: str, reason: str) -> None:
        """Note something that cannot be counted."""
        self.uncounted.setdefault((layer, operation), reason)

    def add(self, name: str, work: Work) -> Key:
        """Write one call of a layer; return its key."""
        key = _key(name, work)
        values = work.counts.items()
        entry = Entry(
            key,
            replace(work, counts={}),
            {what: value for what, value in values if isinstance(value, int)},
            tuple(value for _, value in values if isinstance(value, Measure)),
        )
        self.write(entry, 1)
        order = [next(self.order)] if work.when == "loop" else []
        for measure in entry.measures:
            lead = calls_axis(1, looped=work.when == "loop")
            self.measured(entry, order, measure.count([one.unsqueeze(0) for one in measure.tensors], lead))
        tensors = {what: value for what, value in values if isinstance(value, Tensor)}
        if tensors:
            counted = {what: value.unsqueeze(1) if order else value for what, value in tensors.items()}
            self.measured(entry, order, counted)
        for recorder in self.recorders:
            recorder.wrote(entry, spoils=bool(tensors))
        return key

    def write(self, entry: Entry, calls: int) -> None:
        """Write the constant part of so many calls."""
        work: Work = entry.work
        page = self._pages.get(entry.key)
        if page is None:
            page = self._pages[entry.key] = _Page(work)
        page.calls += work.calls * calls
        if isinstance(work.when, tuple):
            fresh = at_steps(torch.full((1, work.when[1]), work.calls * calls), work.when[0])
            page.at = fresh if page.at is None else page.at + fresh
        for what, value in entry.constants.items():
            self._write(page, work.when, what, value * calls)

    def measured(self, entry: Entry, order: list[int], counts: Mapping[str, Tensor]) -> None:
        """Write what was measured; of calls in a loop over a stream, shape (decodes, calls), with when they were."""
        page = self._pages[entry.key]
        for what, value in counts.items():
            if order:
                page.steps.setdefault(what, []).append((order, value))
            else:
                self._write(page, entry.work.when, what, value)

    def _write(self, page: _Page, when: When | None, what: str, value: int | Tensor) -> None:
        """Add a count, zero in the steps of a stream in which the layer does not work."""
        if isinstance(when, tuple) and when[1] < self.steps:
            value = at_steps(torch.ones((self._batch, when[1]), dtype=torch.int64), when[0]) * value
        if isinstance(value, int):
            page.constants[what] = page.constants.get(what, 0) + value
        else:
            page.sums[what] = page.sums[what] + value if what in page.sums else value

    def use(self, producer: tuple[Key, int]) -> None:
        """Note that a product's output was read by an operation."""
        self.used(producer, 1)
        for recorder in self.recorders:
            recorder.uses.append(producer)

    def used(self, producer: tuple[Key, int], times: int) -> None:
        """Note so many readings of a product's output."""
        self._uses[producer] = self._uses.get(producer, 0) + times

    def fold(self, producer: tuple[Key, int], name: str, unfolded: Work) -> tuple[Key, int]:
        """Note a per-channel scale and offset right after a product; decided at the end of the call.

        It folds into the product's weights if nothing else reads the product's output.
        """
        constants = {what: value for what, value in unfolded.counts.items() if isinstance(value, int)}
        key = _key(name, unfolded)
        norm = Entry(key, replace(unfolded, counts={}), constants, ())
        self.folds(producer, norm, 1)
        for recorder in self.recorders:
            recorder.folds.append((producer, norm))
        return producer[0], producer[1] + 1

    def folds(self, producer: tuple[Key, int], norm: Entry, times: int) -> None:
        """Note so many calls of a fold."""
        known = self._folds.setdefault(producer, {})
        known[norm.key] = (norm, times + (known[norm.key][1] if norm.key in known else 0))

    def requantised(self, producer: tuple[Key, int], bits: int) -> None:
        """Note that a product's accumulator leaves it on a grid of so many bits."""
        self.requantisations[producer[0]] = bits
        for recorder in self.recorders:
            recorder.requantised[producer[0]] = bits

    def settle(self) -> None:
        """Write down what was replayed, measuring what waits. Operations must not be followed meanwhile."""
        for tape in self.tapes:
            tape.settle(self)
        self._waiting.clear()

    def waiting(self) -> set[int]:
        """Return the storages of tensors that may still wait to be measured, by address."""
        if len(self._waiting) > STORAGES_KEPT:
            self._waiting.clear()
            for tape in self.tapes:
                tape.noted = 0
        for tape in self.tapes:
            for tensors in tape.pending[tape.noted :]:
                self._waiting.update(tensor.untyped_storage()._cdata for tensor in tensors)
            tape.noted = len(tape.pending)
        return self._waiting

    def keep(self, key: Key, bits: int, *, elements: int = 0, reads: int = 0, writes: int = 0) -> None:
        """Give a layer more state: words kept from step to step, read and written in a call."""
        self._spoil()
        page = self._pages[key]
        page.work = replace(page.work, state_bits=bits, state_elements=page.work.state_elements + elements)
        page.reads, page.writes = page.reads + reads, page.writes + writes

    def count(self, key: Key, what: str, per_decode: Tensor) -> None:
        """Add counts to a layer in whatever decodes they fall, also where its call is yet to come."""
        self._spoil()
        self._write(self._pages[key], None, what, per_decode)

    def _spoil(self) -> None:
        """Have what is being recorded followed anew each time: it reaches into other layers' books."""
        for recorder in self.recorders:
            recorder.spoiled = True

    def saw_halo(self, steps: int) -> None:
        """Note how many steps a layer needs before it sees true samples only."""
        self.halo_steps = max(self.halo_steps, steps)

    def end(self) -> None:
        """Close the page: settle what was replayed and what folds, and add it to the totals."""
        self.settle()
        for key, bits in self.requantisations.items():
            page = self._pages[key]
            page.work = replace(page.work, output_bits=bits)
        for producer, norms in self._folds.items():
            alone = self._uses.get(producer, 0) == sum(times for _, times in norms.values())
            for norm, times in norms.values():
                if alone:
                    self._settle(producer[0], norm.key[0], norm.work.biases)
                else:
                    self.write(norm, times)
        for key, page in self._pages.items():
            self._close(key, page)
        for book, first, steps in self._books():
            decodes = self._batch * steps
            for what, value in self._sites.items():
                count = count_of(value, first, steps, decodes)
                book.sites[what] = book.sites.get(what, Count(0, 0, book.decodes)) + count
            book.decodes += decodes

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
                value = _by_step(page.steps[what], self.steps) + value
            values[what] = value
            if what.partition(".")[0] in CONVENTIONS:
                self._sites[what] = self._sites.get(what, 0) + value
        for book, first, steps in self._books():
            decodes = self._batch * steps
            counts = {what: count_of(value, first, steps, decodes) for what, value in values.items()}
            book._join(key, _Total(work, calls, counts, decodes))

    def _join(self, key: Key, fresh: _Total) -> None:
        known = self.totals.get(key)
        if known is None:
            blank = Count(0, 0, self.decodes)
            fresh.counts = {what: blank + count for what, count in fresh.counts.items()}
            self.totals[key] = fresh
            known = fresh
        else:
            for what, count in fresh.counts.items():
                known.counts[what] = known.counts.get(what, Count(0, 0, self.decodes)) + count
            known.decodes += fresh.decodes
        if known.calls != fresh.calls:
            self.refuse(key[0], key[1], UNEVEN)

    def layers(self) -> tuple[LayerWork, ...]:
        """Return every layer in the order of its first call, names made unique."""
        seen: dict[str, int] = {}
        result: list[LayerWork] = []
        apart: list[tuple[str, int, int]] = []
        for key, total in self.totals.items():
            seen[key[0]] = seen.get(key[0], 0) + 1
            name = key[0] if seen[key[0]] == 1 else f"{key[0]}_{seen[key[0]]}"
            work, more = with_words(total.work, self.words.get(key, {}))
            result.append(layer_of(name, work, total.calls, total.counts, (self.decodes, key[-1])))
            apart += [(f"{name}.stored", bits, words) for bits, words in more.items()]
        for reader, found in self.words.items():
            if reader not in self.totals:
                label = reader if isinstance(reader, str) else reader[0]
                apart += [(label, bits, words) for bits, words in found.items()]
        for label, bits, words in apart:
            seen[label] = seen.get(label, 0) + 1
            result.append(stored_layer(label if seen[label] == 1 else f"{label}_{seen[label]}", words, bits))
        return tuple(result)

    def store(self, stored: Stored) -> None:
        """Take over what the layers store besides their own work, and list what no layer does."""
        for book in (self,) if self.warm_up is None else (self, self.warm_up):
            book.words = stored.shares()
        for layer, reason in stored.gaps().items():
            self.refuse(layer, "storage", reason)

    def gaps(self) -> tuple[Uncounted, ...]:
        """Return what was refused, and layers that do not work in every decode."""
        uneven = {key[:2]: UNEVEN for key, total in self.totals.items() if total.decodes < self.decodes}
        refused = {**uneven, **self.uncounted}
        return tuple(Uncounted(layer, operation, reason) for (layer, operation), reason in refused.items())


def _key(name: str, work: Work) -> Key:
    every = work.when[0].every if isinstance(work.when, tuple) else 1
    # Axes of length 1 come and go with the batch size, where a model joins the batch with another axis.
    inner, outer = (tuple(size for size in shape if size != 1) for shape in (work.input_shape, work.output_shape))
    return name, work.kind, inner, outer, work.weights_key, every


def _by_step(chunks: list[tuple[list[int], Tensor]], steps: int) -> Tensor:
    """Return counts per decode and step, shape (decodes, steps), of as many calls in each step."""
    order = torch.tensor([when for chunk, _ in chunks for when in chunk])
    values = torch.cat([value for _, value in chunks], dim=1)[:, order.argsort()]
    return values.unflatten(1, (steps, -1)).sum(2)
