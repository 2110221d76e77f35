"""The figures in the findings of ``docs/spiking.md``, from the rows of its tables."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cosim.evaluation.intervals import Interval
from energy_models.analysis import BreakEven
from spiking_parts.rows import MACHINES, PartTable, Row
from spiking_parts.text import FINDINGS

BreakEvens = Mapping[tuple[str, str], BreakEven | None]
"""Of one decoder, by machine of the spiking form and of the one without spikes."""
CORE, ARRAY, CONTROLLER = MACHINES
PARTS = {
    "units": "velocity_42_units", "channels": "velocity_95_channels", "ssvep": "ssvep", "seizures": "seizure",
    "few": "ssvep_few_labels", "pruned": "velocity_42_units_pruned", "lock": "ssvep_lock_in",
}  # fmt: skip
"""What the findings call the parts."""
NONE = "–"
SURE = 0.99
WIDTH = 120


class Unknown:
    """A figure of a decoder that was not run."""

    def __getattr__(self, name: str) -> Unknown:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __format__(self, spec: str) -> str:
        return NONE


@dataclass(frozen=True, slots=True)
class Figures:
    """What the findings say of one decoder.

    Parameters
    ----------
    row : Row
    dense : Row or None
        The network without spikes in the same form that is first in the table.
    evens : mapping
        Empty where it breaks even with nothing.
    """

    row: Row
    dense: Row | None
    evens: BreakEvens

    @property
    def score(self) -> float:
        """Mean score."""
        return self.row.score[0]

    @property
    def lost(self) -> float:
        """Mean score below the first decoder in float."""
        return -self.row.difference[0]

    @property
    def products(self) -> float:
        """Products of one decode."""
        return self.row.work.products

    @property
    def product_share(self) -> float | Unknown:
        """Products over those of the network without spikes."""
        return Unknown() if self.dense is None else self.row.work.products / self.dense.work.products

    @property
    def event_share(self) -> float:
        """Share of the products that see events."""
        return self.row.work.on_events / self.row.work.products

    @property
    def a_step(self) -> float | Unknown:
        """Events per neuron and step."""
        return Unknown() if self.row.work.rate is None else self.row.work.rate

    @property
    def a_bin(self) -> float | Unknown:
        """Events per neuron and bin."""
        return Unknown() if self.row.work.bin_rate is None else self.row.work.bin_rate

    @property
    def even(self) -> float | Unknown:
        """Rate at which it takes what the network without spikes does on the event-driven core."""
        found = self.evens.get((CORE, CORE))
        return Unknown() if found is None or found.rate is None else found.rate.nominal

    @property
    def less(self) -> str:
        """Probability that it takes less than the network without spikes on the event-driven core."""
        found = self.evens.get((CORE, CORE))
        if found is None:
            return NONE
        return f"above {SURE:.0%}" if found.probability_less > SURE else f"of {found.probability_less:.0%}"

    @property
    def core(self) -> float | Unknown:
        """Power saved on the event-driven core, relative to the network without spikes."""
        return self._saved(CORE)

    @property
    def array(self) -> float | Unknown:
        """Power saved on the near-memory array."""
        return self._saved(ARRAY)

    @property
    def controller(self) -> float | Unknown:
        """Power saved on the microcontroller."""
        return self._saved(CONTROLLER)

    @property
    def array_times(self) -> float | Unknown:
        """Power on the near-memory array over that of the network without spikes."""
        return self._times(ARRAY)

    @property
    def controller_times(self) -> float | Unknown:
        """Power on the microcontroller over that of the network without spikes."""
        return self._times(CONTROLLER)

    @property
    def controller_uw(self) -> float | Unknown:
        """Power on the microcontroller [µW]."""
        found = self.row.work.power_w[CONTROLLER]
        return Unknown() if found is None else found * 1e6

    def _times(self, machine: str) -> float | Unknown:
        saved = self._saved(machine)
        return saved if isinstance(saved, Unknown) else 1 - saved

    def _saved(self, machine: str) -> float | Unknown:
        mine = self.row.work.power_w[machine]
        other = None if self.dense is None else self.dense.work.power_w[machine]
        return Unknown() if mine is None or other is None else 1 - mine / other


class _Part(dict[str, Figures]):
    def __missing__(self, label: str) -> Unknown:
        return Unknown()


def findings(
    parts: Sequence[PartTable], evens: Mapping[str, Mapping[str, BreakEvens]], lock_in_apart: Interval | None = None
) -> str:
    """Return the findings with their figures; one of a decoder that was not run is a dash.

    `lock_in_apart` is the lock-in network's score less EEGNet's, which another run trained.
    """
    of_name = {part.name: _figures(part, evens[part.name]) for part in parts}
    found: dict[str, Any] = {word: of_name.get(name, _Part()) for word, name in PARTS.items()}
    found["apart"] = lock_in_apart or Unknown()
    said = [re.sub(r"(?<=\d)%", " %", " ".join(one.split()).format_map(found)) for one in FINDINGS]
    said = [re.sub(r"(?<=[ \[])-(?=\d)", "−", one) for one in said]
    lines = [textwrap.fill(one, WIDTH, initial_indent="- ", subsequent_indent="  ", break_long_words=False,
                           break_on_hyphens=False) for one in said]  # fmt: skip
    return "\n## What it says\n\n" + "".join(f"{one}\n" for one in lines)


def _figures(part: PartTable, evens: Mapping[str, BreakEvens]) -> _Part:
    found = _Part()
    for one in part.rows:
        dense = next((other for other in part.rows if other.form == one.form and not other.is_spiking), None)
        found[one.label] = Figures(one, dense, evens.get(one.label, {}))
    return found
