"""What one call recorded, kept so that later calls of the same signature need not be followed again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import torch
from torch import Tensor

from energy_models.workload import Kind
from students.counting.records.measure import Measure, calls_axis
from students.counting.records.work import Work

Key = tuple[str, Kind, tuple[int, ...], tuple[int, ...], str, int]
"""Name, kind, shapes of one call, where its weights are stored, and in a stream the steps from one call to the next."""

CALLS_AT_ONCE = 64
"""Calls whose tensors are held and measured together, at most."""
ELEMENTS_AT_ONCE = 2**18
"""Elements held before they are measured, at most: larger signals are measured call by call."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one call records for one layer: constant counts by name, and what must be measured of its tensors."""

    key: Key
    work: Work  # its counts are `constants` and `measures`
    constants: Mapping[str, int]
    measures: tuple[Measure, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _ReplayedEntry:
    """An entry with its measures' tensors as places among a call's inputs and outputs."""

    entry: Entry
    places: tuple[tuple[int, ...], ...]


@dataclass(slots=True, eq=False)
class CallRecorder:
    """Collects what one call records while it is followed."""

    entries: list[Entry] = field(default_factory=list[Entry])
    uses: list[tuple[Key, int]] = field(default_factory=list[tuple[Key, int]])
    folds: list[tuple[tuple[Key, int], Entry]] = field(default_factory=list[tuple[tuple[Key, int], Entry]])
    requantised: dict[Key, int] = field(default_factory=dict[Key, int])
    unrepeatable: bool = False
    sized: bool = False  # it recorded state

    def add(self, entry: Entry, *, unrepeatable: bool) -> None:
        """Add an entry; one with counts already computed makes the call unrepeatable."""
        self.entries.append(entry)
        self.sized = self.sized or entry.work.state_elements > 0
        self.unrepeatable = self.unrepeatable or unrepeatable

    @property
    def reader(self) -> tuple[Key | None, bool]:
        """The layer recorded last, None for no layer, and whether any recorded layer stores constants."""
        works = [*(entry.work for entry in self.entries), *(norm.work for _, norm in self.folds)]
        stored = any(work.weights or work.biases or work.constants for work in works)
        return (self.entries[-1].key if self.entries else None), stored

    def finish(self, tensors: Sequence[Tensor], marks: tuple[Any, ...]) -> RecordedCall | None:
        """Return the recorded call, if its counts depend on the numbers in these tensors only; else None.

        Parameters
        ----------
        tensors : sequence of Tensor
            A call's inputs and outputs, in an order that every later call can give.
        marks : tuple
            What is known of each output.
        """
        place_of: dict[int, int] = {}
        for place, tensor in enumerate(tensors):  # one given twice has no place: later calls may give two
            place_of[id(tensor)] = -1 if id(tensor) in place_of else place
        entries: list[_ReplayedEntry] = []
        for entry in self.entries:
            needed = [[place_of.get(id(one), -1) for one in measure.tensors] for measure in entry.measures]
            if any(place < 0 for places in needed for place in places):
                return None
            # A measure goes on without its tensors: they belong to the first call.
            measures = tuple(Measure((), measure.count) for measure in entry.measures)
            kept = Entry(entry.key, entry.work, entry.constants, measures)
            entries.append(_ReplayedEntry(kept, tuple(tuple(places) for places in needed)))
        if self.unrepeatable:
            return None
        reader = self.reader
        self.entries.clear()  # with their tensors, which belong to the first call
        return RecordedCall(entries, self, tensors, marks, reader)


class RecordedCall:
    """A call that is replayed: counts its later calls, and holds their tensors until they are measured.

    Parameters
    ----------
    entries : list
    call_recorder : CallRecorder
    tensors : sequence of Tensor
        The first call's inputs and outputs, for their sizes.
    marks : tuple
        What is known of each output.
    reader : (Key or None, bool)
        See `CallRecorder.reader`.
    """

    def __init__(
        self,
        entries: list[_ReplayedEntry],
        call_recorder: CallRecorder,
        tensors: Sequence[Tensor],
        marks: tuple[Any, ...],
        reader: tuple[Key | None, bool],
    ) -> None:
        self.reader, self.sized = reader, call_recorder.sized
        self._entries, self._call, self.marks = entries, call_recorder, marks
        places = sorted({place for replayed in entries for some in replayed.places for place in some})
        self.places = tuple(places)
        elements = sum(tensors[place].numel() for place in places)
        self.flat = False  # a module's, given and returning tensors one by one
        self.limit = max(1, min(CALLS_AT_ONCE, ELEMENTS_AT_ONCE // max(elements, 1)))
        self.looped = any(replayed.entry.work.when == "loop" for replayed in entries)
        self._picked = itemgetter(*places) if len(places) > 1 else lambda given: (given[places[0]],)
        self.unmeasured: list[tuple[Tensor, ...]] = []
        self.order: list[int] = []
        self.calls = 0
        self.states: tuple[tuple[str, Any], ...] = ()  # tensors the module keeps, and what is known of them
        self.noted = 0  # calls held whose storages the recorder has noted

    def add_call(self, tensors: Sequence[Tensor], recorder: Any) -> None:
        """Hold what must be measured of one more call; record all held calls when there are enough."""
        self.unmeasured.append(self._picked(tensors))
        if self.looped:
            self.order.append(next(recorder.order))
        if len(self.unmeasured) >= self.limit:
            self.flush(recorder)

    def flush(self, recorder: Any) -> None:
        """Record all replayed calls. No dispatch mode of ours may be active."""
        calls, self.calls = self.calls, 0
        if not calls:
            return
        for replayed in self._entries:
            recorder.add_constants(replayed.entry, calls)
        self._measure(recorder)
        for producer in self._call.uses:
            recorder.add_uses(producer, calls)
        for producer, norm in self._call.folds:
            recorder.add_folds(producer, norm, calls)
        recorder.requantisations.update(self._call.requantised)

    def _measure(self, recorder: Any) -> None:
        unmeasured, order = self.unmeasured, self.order
        self.unmeasured, self.order, self.noted = [], [], 0
        if not unmeasured:
            return
        together = [one[0].unsqueeze(0) if len(one) == 1 else torch.stack(one) for one in zip(*unmeasured, strict=True)]
        where = {place: tensor for place, tensor in zip(self.places, together, strict=True)}
        for replayed in self._entries:
            looped = replayed.entry.work.when == "loop"
            lead = calls_axis(len(unmeasured), looped=looped)
            for measure, places in zip(replayed.entry.measures, replayed.places, strict=True):
                counts = measure.count([where[place] for place in places], lead)
                recorder.add_measured(replayed.entry, order if looped else [], counts)
