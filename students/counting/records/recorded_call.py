"""What one call wrote to the books, kept so that later calls of the same signature need not be followed again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from energy_models.workload.layers import Kind
from students.counting.records.measure import Measure, calls_axis
from students.counting.records.work import Work

Key = tuple[str, Kind, tuple[int, ...], tuple[int, ...], str, int]
"""Name, kind, shapes of one call, where its weights are stored, and in a stream the steps from one call to the next."""

CALLS_AT_ONCE = 64
"""Calls whose tensors wait to be measured together, at most."""
ELEMENTS_AT_ONCE = 2**18
"""Elements that wait to be measured, at most: larger signals are measured call by call."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One layer's line: constants of a call by name, and what must be measured of its tensors."""

    key: Key
    work: Work  # its counts are `constants` and `measures`
    constants: Mapping[str, int]
    measures: tuple[Measure, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """An entry with its measures' tensors as places among a call's inputs and outputs."""

    entry: Entry
    places: tuple[tuple[int, ...], ...]


@dataclass(slots=True, eq=False)
class Recorder:
    """Collects what a call writes."""

    entries: list[Entry] = field(default_factory=list[Entry])
    uses: list[tuple[Key, int]] = field(default_factory=list[tuple[Key, int]])
    folds: list[tuple[tuple[Key, int], Entry]] = field(default_factory=list[tuple[tuple[Key, int], Entry]])
    requantised: dict[Key, int] = field(default_factory=dict[Key, int])
    spoiled: bool = False

    def wrote(self, entry: Entry, *, spoils: bool) -> None:
        """Note an entry; one with counts already computed cannot be replayed."""
        self.entries.append(entry)
        self.spoiled = self.spoiled or spoils

    @property
    def reader(self) -> tuple[Key | None, bool]:
        """The layer last written, None for no layer, and whether anything of what was written is stored."""
        works = [*(entry.work for entry in self.entries), *(norm.work for _, norm in self.folds)]
        stored = any(work.weights or work.biases or work.constants for work in works)
        return (self.entries[-1].key if self.entries else None), stored

    def tape(self, tensors: Sequence[Tensor], marks: tuple[Any, ...]) -> Tape | None:
        """Return what was recorded, if it depends on the numbers in these tensors only; else None.

        Parameters
        ----------
        tensors : sequence of Tensor
            A call's inputs and outputs, in an order that every later call can give.
        marks : tuple
            What is known of each output.
        """
        place_of: dict[int, int] = {}
        for place, tensor in enumerate(tensors):  # one given twice is no place: later calls may give two
            place_of[id(tensor)] = -1 if id(tensor) in place_of else place
        lines: list[_Line] = []
        for entry in self.entries:
            needed = [[place_of.get(id(one), -1) for one in measure.tensors] for measure in entry.measures]
            if any(place < 0 for places in needed for place in places):
                return None
            # A measure goes on without its tensors: they belong to the first call.
            measures = tuple(Measure((), measure.count) for measure in entry.measures)
            kept = Entry(entry.key, entry.work, entry.constants, measures)
            lines.append(_Line(kept, tuple(tuple(places) for places in needed)))
        if self.spoiled:
            return None
        reader = self.reader
        self.entries.clear()  # with their tensors, which belong to the first call
        return Tape(lines, self, tensors, marks, reader)


class Tape:
    """Replays a recorded call: counts its calls, and keeps their tensors until they are measured.

    Parameters
    ----------
    lines : list
    recorder : Recorder
    tensors : sequence of Tensor
        The first call's inputs and outputs, for their sizes.
    marks : tuple
        What is known of each output.
    reader : (Key or None, bool)
        See `Recorder.reader`.
    """

    def __init__(
        self,
        lines: list[_Line],
        recorder: Recorder,
        tensors: Sequence[Tensor],
        marks: tuple[Any, ...],
        reader: tuple[Key | None, bool],
    ) -> None:
        self.reader = reader
        self._lines, self._recorder, self.marks = lines, recorder, marks
        places = sorted({place for line in lines for some in line.places for place in some})
        self.places = tuple(places)
        elements = sum(tensors[place].numel() for place in places)
        self.flat = False  # a module's, given and returning tensors one by one
        self.limit = max(1, min(CALLS_AT_ONCE, ELEMENTS_AT_ONCE // max(elements, 1)))
        self.looped = any(line.entry.work.when == "loop" for line in lines)
        self.pending: list[list[Tensor]] = []
        self.order: list[int] = []
        self.calls = 0
        self.states: tuple[tuple[str, Any], ...] = ()  # tensors the module keeps, and what is known of them
        self.noted = 0  # pending calls whose storages the ledger has noted

    def keep(self, tensors: Sequence[Tensor], ledger: Any) -> None:
        """Keep what must be measured of one more call; measure when enough have come together."""
        self.pending.append([tensors[place] for place in self.places])
        if self.looped:
            self.order.append(next(ledger.order))
        if len(self.pending) >= self.limit:
            self.settle(ledger)

    def settle(self, ledger: Any) -> None:
        """Write all replayed calls to the books. No dispatch mode of ours may be active."""
        calls, self.calls = self.calls, 0
        if not calls:
            return
        for line in self._lines:
            ledger.write(line.entry, calls)
        self._measure(ledger)
        for producer in self._recorder.uses:
            ledger.used(producer, calls)
        for producer, norm in self._recorder.folds:
            ledger.folds(producer, norm, calls)
        ledger.requantisations.update(self._recorder.requantised)

    def _measure(self, ledger: Any) -> None:
        pending, order = self.pending, self.order
        self.pending, self.order, self.noted = [], [], 0
        if not pending:
            return
        together = [one[0].unsqueeze(0) if len(one) == 1 else torch.stack(one) for one in zip(*pending, strict=True)]
        where = {place: tensor for place, tensor in zip(self.places, together, strict=True)}
        for line in self._lines:
            looped = line.entry.work.when == "loop"
            lead = calls_axis(len(pending), looped=looped)
            for measure, places in zip(line.entry.measures, line.places, strict=True):
                counts = measure.count([where[place] for place in places], lead)
                ledger.measured(line.entry, order if looped else [], counts)
