"""Records the work of one forward call per layer and decode, and adds it to totals over all calls."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor

from energy_models.workload import CONVENTIONS, Count, LayerWork, Uncounted
from students.counting.axes import at_steps
from students.counting.records.measure import Measure, calls_axis, measured
from students.counting.records.recorded_call import CallRecorder, Entry, Key, RecordedCall
from students.counting.records.stored import Reader, Stored, Words
from students.counting.records.work import When, Work, count_of, layer_of, stored_layer, with_words

UNEVEN = "the number of calls differs from decode to decode"
STORAGES_KEPT = 4096
"""Addresses of storages held before those of measured tensors are dropped."""


@dataclass(slots=True)
class _LayerRecord:
    """What one layer did in one forward call; in a loop `steps` holds (order of calls, counts (decodes, calls))."""

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


class WorkRecorder:
    """Totals per layer over forward calls: `begin` a call, `add` work to it, `end` it.

    Parameters
    ----------
    steps : int
        Steps that are decodes of their own in each forward call (stream), or 0 (window).
    warm_up_steps : int
        The first of those; they have totals of their own, in the recorder `warm_up`.
    """

    def __init__(self, steps: int, warm_up_steps: int = 0) -> None:
        self.steps = steps
        self.warm_up = WorkRecorder(warm_up_steps) if warm_up_steps else None
        self.totals: dict[Key, _Total] = {}
        self.folded: dict[str, str] = {}
        self.uncounted: dict[tuple[str, str], str] = {}
        self.decodes = 0
        self.halo_steps = 0
        self.sites: dict[str, Count] = {}
        self.call_recorders: list[CallRecorder] = []
        self.recorded_calls: list[RecordedCall] = []
        self.order = itertools.count()
        self.words: Mapping[Reader, Words] = {}  # stored constants besides those of the layers' own work
        self.state_memories: frozenset[int] = frozenset()
        self.states: tuple[LayerWork, ...] = ()  # carried by code that no rule of a neuron or recurrent layer counts
        self._unmeasured: set[int] = set()
        self._batch = 0
        self.begin(0)

    def begin(self, batch: int) -> None:
        """Start recording one forward call of `batch` examples."""
        self._batch = batch
        self._records: dict[Key, _LayerRecord] = {}
        self._uses: dict[tuple[Key, int], int] = {}
        self._folds: dict[tuple[Key, int], dict[Key, tuple[Entry, int]]] = {}
        self.requantisations: dict[Key, int] = {}
        self._sites: dict[str, int | Tensor] = {}
        self._late: int | Literal["always", "if repeated"] | None = None
        self._deferred: list[tuple[str, Work, int | None, object]] = []

    def mark_uncounted(self, layer: str, operation: str, reason: str) -> None:
        """Record that an operation of a layer cannot be counted, and why."""
        self.uncounted.setdefault((layer, operation), reason)

    def add(self, name: str, work: Work) -> Key:
        """Record one call of a layer; return its key."""
        if self._late is not None:
            return self._defer(name, work)
        return self._add(name, work, next(self.order) if work.when == "loop" else None)

    def _add(self, name: str, work: Work, place: int | None) -> Key:
        """Record one call of a layer; in a loop over a stream it has a place among all calls."""
        key = _key(name, work)
        values = work.counts.items()
        entry = Entry(
            key,
            replace(work, counts={}),
            {what: value for what, value in values if isinstance(value, int)},
            tuple(value for _, value in values if isinstance(value, Measure)),
        )
        self.add_constants(entry, 1)
        order = [] if place is None else [place]
        for measure in entry.measures:
            lead = calls_axis(1, looped=work.when == "loop")
            self.add_measured(entry, order, measure.count([one.unsqueeze(0) for one in measure.tensors], lead))
        tensors = {what: value for what, value in values if isinstance(value, Tensor)}
        if tensors:
            counted = {what: value.unsqueeze(1) if order else value for what, value in tensors.items()}
            self.add_measured(entry, order, counted)
        for call_recorder in self.call_recorders:
            call_recorder.add(entry, unrepeatable=bool(tensors))
        return key

    @contextmanager
    def deferring(self, which: int | Literal["always", "if repeated"]) -> Iterator[None]:
        """Keep the calls recorded inside the block until the end of the forward call.

        They are added then: those ``if repeated`` to layers that were called otherwise too, and so are those of a
        memory, given by its address, unless it is in `state_memories`.
        """
        outer, self._late = self._late, which
        try:
            yield
        finally:
            self._late = outer

    def _defer(self, name: str, work: Work) -> Key:
        place = next(self.order) if work.when == "loop" else None
        self._deferred.append((name, measured(work), place, self._late))
        return _key(name, work)

    def _add_deferred(self) -> None:
        deferred, self._deferred = self._deferred, []
        for name, work, place, which in deferred:
            if which == "always" or which in self.state_memories or _key(name, work) in self._records:
                self._add(name, work, place)

    def add_constants(self, entry: Entry, calls: int) -> None:
        """Record the constant counts of so many calls."""
        work: Work = entry.work
        record = self._records.get(entry.key)
        if record is None:
            record = self._records[entry.key] = _LayerRecord(work)
        record.calls += work.calls * calls
        if isinstance(work.when, tuple):
            fresh = at_steps(torch.full((1, work.when[1]), work.calls * calls), work.when[0])
            record.at = fresh if record.at is None else record.at + fresh
        for what, value in entry.constants.items():
            self._add_count(record, work.when, what, value * calls)

    def add_measured(self, entry: Entry, order: list[int], counts: Mapping[str, Tensor]) -> None:
        """Record measured counts; in a loop over a stream they are (decodes, calls), with the order of the calls."""
        record = self._records[entry.key]
        for what, value in counts.items():
            if order:
                record.steps.setdefault(what, []).append((order, value))
            else:
                self._add_count(record, entry.work.when, what, value)

    def _add_count(self, record: _LayerRecord, when: When | None, what: str, value: int | Tensor) -> None:
        """Add a count, zero in the steps of a stream in which the layer does not work."""
        if isinstance(when, tuple) and when[1] < self.steps:
            value = at_steps(torch.ones((self._batch, when[1]), dtype=torch.int64), when[0]) * value
        if isinstance(value, int):
            record.constants[what] = record.constants.get(what, 0) + value
        else:
            record.sums[what] = record.sums[what] + value if what in record.sums else value

    def use(self, producer: tuple[Key, int]) -> None:
        """Record that an operation reads a product's output."""
        if self._late is not None:
            return
        self.add_uses(producer, 1)
        for call_recorder in self.call_recorders:
            call_recorder.uses.append(producer)

    def add_uses(self, producer: tuple[Key, int], times: int) -> None:
        """Record that operations read a product's output so many times."""
        self._uses[producer] = self._uses.get(producer, 0) + times

    def fold(self, producer: tuple[Key, int], name: str, unfolded: Work) -> tuple[Key, int]:
        """Record a per-channel scale and offset right after a product; whether it folds is decided in `end`.

        It folds into the product's weights if nothing else reads the product's output.
        """
        if self._late is not None:
            return producer[0], producer[1] + 1
        constants = {what: value for what, value in unfolded.counts.items() if isinstance(value, int)}
        key = _key(name, unfolded)
        norm = Entry(key, replace(unfolded, counts={}), constants, ())
        self.add_folds(producer, norm, 1)
        for call_recorder in self.call_recorders:
            call_recorder.folds.append((producer, norm))
        return producer[0], producer[1] + 1

    def add_folds(self, producer: tuple[Key, int], norm: Entry, times: int) -> None:
        """Record so many calls of a scale and offset that may fold."""
        known = self._folds.setdefault(producer, {})
        known[norm.key] = (norm, times + (known[norm.key][1] if norm.key in known else 0))

    def requantised(self, producer: tuple[Key, int], bits: int) -> None:
        """Record that a product's output is requantised to a grid of so many bits."""
        if self._late is not None:
            return
        self.requantisations[producer[0]] = bits
        for call_recorder in self.call_recorders:
            call_recorder.requantised[producer[0]] = bits

    def flush(self) -> None:
        """Record all replayed calls, after measuring the tensors they hold. No dispatch mode of ours may be active."""
        for recorded in self.recorded_calls:
            recorded.flush(self)
        self._unmeasured.clear()

    def unmeasured_storages(self) -> set[int]:
        """Return the storages of tensors that replayed calls hold and that are not measured yet, by address."""
        if len(self._unmeasured) > STORAGES_KEPT:
            self._unmeasured.clear()
            for recorded in self.recorded_calls:
                recorded.noted = 0
        for recorded in self.recorded_calls:
            for tensors in recorded.unmeasured[recorded.noted :]:
                self._unmeasured.update(tensor.untyped_storage()._cdata for tensor in tensors)
            recorded.noted = len(recorded.unmeasured)
        return self._unmeasured

    def add_state(self, key: Key, bits: int, *, elements: int = 0, reads: int = 0, writes: int = 0) -> None:
        """Add state to a layer: words kept from step to step, read and written in a call."""
        self._mark_unrepeatable()
        record = self._records[key]
        record.work = replace(record.work, state_bits=bits, state_elements=record.work.state_elements + elements)
        record.reads, record.writes = record.reads + reads, record.writes + writes

    def count(self, key: Key, what: str, per_decode: Tensor) -> None:
        """Add counts per decode to a layer, also for decodes in which it is not called."""
        self._mark_unrepeatable()
        self._add_count(self._records[key], None, what, per_decode)

    def _mark_unrepeatable(self) -> None:
        """Mark the calls being recorded as not repeatable: they change the records of other layers."""
        for call_recorder in self.call_recorders:
            call_recorder.unrepeatable = True

    def saw_halo(self, steps: int) -> None:
        """Record how many steps a layer needs before its receptive field holds samples only."""
        self.halo_steps = max(self.halo_steps, steps)

    def end(self) -> None:
        """End the forward call: record replayed calls, decide which norms fold, add everything to the totals."""
        self.flush()
        self._add_deferred()
        for key, bits in self.requantisations.items():
            record = self._records[key]
            record.work = replace(record.work, output_bits=bits)
        for producer, norms in self._folds.items():
            alone = self._uses.get(producer, 0) == sum(times for _, times in norms.values())
            for norm, times in norms.values():
                if alone:
                    self._fold_offset(producer[0], norm.key[0], norm.work.biases)
                else:
                    self.add_constants(norm, times)
        for key, record in self._records.items():
            self._end_layer(key, record)
        for recorder, first, steps in self._recorders_of_steps():
            decodes = self._batch * steps
            for what, value in self._sites.items():
                count = count_of(value, first, steps, decodes)
                recorder.sites[what] = recorder.sites.get(what, Count(0, 0, recorder.decodes)) + count
            recorder.decodes += decodes

    def _recorders_of_steps(self) -> list[tuple[WorkRecorder, int, int]]:
        """Return (recorder, first step, number of steps): whose totals the steps of a forward call are added to."""
        first = 0 if self.warm_up is None else self.warm_up.steps
        steady = (self, first, max(self.steps, 1) - first)
        return [steady] if self.warm_up is None else [(self.warm_up, 0, first), steady]

    def _fold_offset(self, key: Key, name: str, channels: int) -> None:
        """Move a folded norm's offset into the product's bias: one addition per output if it had none."""
        record = self._records[key]
        product = record.work
        if not product.biases:
            record.work = replace(product, biases=channels, bias_bits=product.bias_bits or product.accumulator_bits)
            self._add_count(record, product.when, "op:add", product.outputs // product.calls * record.calls)
        self.folded[name] = key[0]

    def _end_layer(self, key: Key, record: _LayerRecord) -> None:
        looped = record.work.when == "loop"
        if looped and record.calls % self.steps:
            self.mark_uncounted(key[0], key[1], f"called {record.calls} times for {self.steps} steps of a stream")
            return
        repeats = self.steps if looped else 1
        calls = record.calls // repeats if record.at is None else int(record.at.max())
        again = calls // record.work.calls
        work = replace(
            record.work,
            state_reads=record.work.state_reads * again + record.reads,
            state_writes=record.work.state_writes * again + record.writes,
        )
        values: dict[str, int | Tensor] = {}
        for what in {*record.constants, *record.sums, *record.steps}:
            value: int | Tensor = record.constants.get(what, 0) // repeats
            if what in record.sums:
                value = record.sums[what] + value
            elif what in record.steps:
                value = _by_step(record.steps[what], self.steps) + value
            values[what] = value
            if what.partition(".")[0] in CONVENTIONS:
                self._sites[what] = self._sites.get(what, 0) + value
        for recorder, first, steps in self._recorders_of_steps():
            decodes = self._batch * steps
            counts = {what: count_of(value, first, steps, decodes) for what, value in values.items()}
            recorder._add_to_totals(key, _Total(work, calls, counts, decodes))

    def _add_to_totals(self, key: Key, fresh: _Total) -> None:
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
            self.mark_uncounted(key[0], key[1], UNEVEN)

    def layers(self) -> tuple[LayerWork, ...]:
        """Return every layer in the order of its first call, names made unique."""
        seen: dict[str, int] = {}
        result: list[LayerWork] = []
        separate: list[tuple[str, int, int]] = []
        for key, total in self.totals.items():
            seen[key[0]] = seen.get(key[0], 0) + 1
            name = key[0] if seen[key[0]] == 1 else f"{key[0]}_{seen[key[0]]}"
            work, more = with_words(total.work, self.words.get(key, {}))
            result.append(layer_of(name, work, total.calls, total.counts, (self.decodes, key[-1])))
            separate += [(f"{name}.stored", bits, words) for bits, words in more.items()]
        for reader, found in self.words.items():
            if reader not in self.totals:
                label = reader if isinstance(reader, str) else reader[0]
                separate += [(label, bits, words) for bits, words in found.items()]
        for label, bits, words in separate:
            seen[label] = seen.get(label, 0) + 1
            result.append(stored_layer(label if seen[label] == 1 else f"{label}_{seen[label]}", words, bits))
        for layer in self.states:
            seen[layer.name] = seen.get(layer.name, 0) + 1
            number = seen[layer.name]
            result.append(layer if number == 1 else replace(layer, name=f"{layer.name}_{number}"))
        return tuple(result)

    def add_stored(self, stored: Stored) -> None:
        """Add the constants that layers store besides those of their own work, and list those that no layer stores."""
        for recorder in (self,) if self.warm_up is None else (self, self.warm_up):
            recorder.words = stored.allocate()
        for layer, reason in stored.not_allocated().items():
            self.mark_uncounted(layer, "storage", reason)

    def add_states(self, layers: tuple[LayerWork, ...]) -> None:
        """Add state that no rule of a neuron or recurrent layer sizes."""
        for recorder in (self,) if self.warm_up is None else (self, self.warm_up):
            recorder.states = layers

    def uncounted_items(self) -> tuple[Uncounted, ...]:
        """Return what could not be counted, and layers that do not work in every decode."""
        uneven = {key[:2]: UNEVEN for key, total in self.totals.items() if total.decodes < self.decodes}
        found = {**uneven, **self.uncounted}
        return tuple(Uncounted(layer, operation, reason) for (layer, operation), reason in found.items())


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
