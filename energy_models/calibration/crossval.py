"""How far a calibrated board is off on a network, or a chip, that it was not fitted on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from energy_models.calibration.fit import Overhead, Weights, boards_of, fit_board, fit_weights
from energy_models.calibration.table import BoardRow
from energy_models.quantities import Band
from energy_models.workload import ProductKind

COVERED = 0.9
Library = Literal["measured", "new"]
"""Whether kernels of the same library were measured on another chip."""
Measure = Literal["energy", "cycles", "power", "either"]
"""What is compared; ``either``: energy, or cycles where no energy was measured."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A row predicted without itself: logarithms of predicted over measured, and what the scale was taken from.

    Energies are None where the row, or all that its board was calibrated on, has none.
    """

    row: BoardRow
    calibrated_on: tuple[str, ...]
    library: Library
    predicted_j: float | None
    log_energy: float | None
    log_cycles: float

    @property
    def logs(self) -> Mapping[Measure, float]:
        """Logarithms of predicted over measured, those that are known; energy is cycles times power, over a clock."""
        if self.log_energy is None:
            return {"cycles": self.log_cycles, "either": self.log_cycles}
        return {
            "energy": self.log_energy, "cycles": self.log_cycles, "power": self.log_energy - self.log_cycles,
            "either": self.log_energy,
        }  # fmt: skip

    @property
    def log(self) -> float:
        """Logarithm of the energy; where none was measured that of the cycles, since power is the board's own."""
        return self.log_cycles if self.log_energy is None else self.log_energy

    @property
    def figure(self) -> tuple[str, ...]:
        """Board, software and network: what is predicted from each of several other networks is one figure."""
        return (*self.row.group, self.row.network, self.row.variant)


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """Rows predicted without themselves.

    `median` and `percentile_90` are of the relative error's size, a figure for each board, software and network: the
    median over the networks that it was predicted from.

    Parameters
    ----------
    held_out : tuple of HeldOut
    measure : {'either', 'energy', 'cycles', 'power'}
        What errors are of. ``either`` mixes energies with cycles and is no error of energy: see `of_measure`.
    """

    held_out: tuple[HeldOut, ...]
    measure: Measure = "either"

    @property
    def errors(self) -> Mapping[tuple[str, ...], float]:
        """Size of the relative error of every figure."""
        each: dict[tuple[str, ...], list[float]] = {}
        for one in self.held_out:
            each.setdefault(one.figure, []).append(abs(math.expm1(one.logs[self.measure])))
        return {figure: float(np.median(errors)) for figure, errors in each.items()}

    @property
    def median(self) -> float:
        """Median error of the figures; nan where nothing could be held out."""
        return self._quantile(0.5)

    @property
    def percentile_90(self) -> float:
        """90th percentile of the figures' errors; nan where nothing could be held out."""
        return self._quantile(0.9)

    def _quantile(self, share: float) -> float:
        errors = list(self.errors.values())
        return float(np.quantile(errors, share)) if errors else math.nan

    def of_library(self, library: Library) -> CrossValidation:
        """Return the rows whose library was measured on another chip, or those of which it was not."""
        return CrossValidation(tuple(one for one in self.held_out if one.library == library), self.measure)

    def of_measure(self, measure: Measure) -> CrossValidation:
        """Return the rows of which a measure is known; their errors are of it."""
        return CrossValidation(tuple(one for one in self.held_out if measure in one.logs), measure)

    def spread(self, which: Measure, covered: float = COVERED) -> float:
        """Return the factor either way that holds a share of the rows; nan where none is known.

        Of n rows it is the ``(n + 1) covered``-th in order of size: so many are expected to hold a row that is not
        among them.
        """
        logs = sorted(abs(one.logs[which]) for one in self.held_out if which in one.logs)
        if not logs:
            return math.nan
        return math.exp(logs[min(len(logs), math.ceil((len(logs) + 1) * covered)) - 1])


def leave_one_out(
    rows: Sequence[BoardRow], *, beside: Sequence[BoardRow] = (), overhead: Overhead = "per layer"
) -> CrossValidation:
    """Predict each row from the other networks of its board and software, weights from other chips alone.

    Where no other chip has two rows to compare, the weights come from the board's other rows and the prior.

    Parameters
    ----------
    rows : sequence of BoardRow
        Those that are predicted. A board with one row is not: nothing would give its scale.
    beside : sequence of BoardRow
        Rows of the same class that help with the weights.
    overhead : {'per layer', 'none'}
    """
    return _predict(rows, beside, overhead, lambda known: [known] if known else [])


def from_one_network(
    rows: Sequence[BoardRow], *, beside: Sequence[BoardRow] = (), overhead: Overhead = "per layer"
) -> CrossValidation:
    """Predict each row from each single other network of its board and software, weights from other chips alone."""
    return _predict(rows, beside, overhead, lambda known: [[other] for other in known])


def of_an_unknown_library(rows: Sequence[BoardRow]) -> CrossValidation:
    """Predict each row from each single other network of its board, weights without its chip and its library."""
    found: list[HeldOut] = []
    for library in sorted({row.kernels for row in rows}):
        own = [row for row in rows if row.kernels == library]
        apart = [replace(row, library=f"{library} on {row.chip}") for row in own]
        others = [row for row in rows if row.kernels != library]
        for chip in sorted({row.chip for row in own}):
            mine = [row for row in apart if row.chip == chip]
            found += from_one_network(mine, beside=others).held_out
    return CrossValidation(tuple(found))


def _predict(
    rows: Sequence[BoardRow], beside: Sequence[BoardRow], overhead: Overhead,
    calibrating: Callable[[list[BoardRow]], list[list[BoardRow]]],
) -> CrossValidation:
    everything = [*rows, *beside]
    of_chip: dict[tuple[str, str], tuple[Weights | None, Library]] = {}
    for chip, library, core in sorted({(row.chip, row.kernels, row.core) for row in rows}):
        others = [row for row in everything if row.chip != chip]
        decides = any(len(group) > 1 for group in boards_of(others).values())
        weights = fit_weights(others, overhead, library=library) if decides else None
        of_chip[chip, library] = weights, library_of(library, others, core)
    found: list[HeldOut] = []
    for group in boards_of(rows).values():
        for row in group:
            known = [other for other in group if other.network != row.network]
            weights, library = of_chip[row.chip, row.kernels]
            weights = weights or fit_weights(known, overhead)
            found += [_held_out(row, some, weights, library) for some in calibrating(known)]
    return CrossValidation(tuple(found))


def library_of(library: str, others: Sequence[BoardRow], core: str = "") -> Library:
    """Return whether two networks or more were measured with a library on one of the other boards.

    On a core that none of them has its kernels are new: a Cortex-M0+ has no packed products. An unnamed core is any.
    """
    if core and all(core != row.core for row in others):
        return "new"
    groups = boards_of([row for row in others if row.kernels == library])
    return "measured" if any(len(group) > 1 for group in groups.values()) else "new"


def weight_spreads(rows: Sequence[BoardRow], library: str) -> dict[ProductKind, float]:
    """Return by what factor, at most, each kind's weight moves when one chip's rows are left out.

    Parameters
    ----------
    rows : sequence of BoardRow
    library : str
        The library whose weights are wanted; without rows of it, chips of every library are left out.
    """
    whole = fit_weights(rows, library=library)
    of_library = {row.chip for row in rows if row.kernels == library}
    chips = sorted(of_library or {row.chip for row in rows})
    without = [fit_weights([row for row in rows if row.chip != chip], library=library) for chip in chips]
    return {
        kind: math.exp(max(abs(math.log(other.kinds[kind] / weight)) for other in without))
        for kind, weight in whole.kinds.items()
    }


def _held_out(row: BoardRow, known: Sequence[BoardRow], weights: Weights, library: Library) -> HeldOut:
    board = fit_board(known, weights)
    energy, cycles = board.energy_j(row, weights), board.cycles(row, weights)
    off = None if energy is None or row.energy_j is None else math.log(energy / row.energy_j)
    networks = tuple(other.network for other in known)
    return HeldOut(row, networks, library, energy, off, math.log(cycles / row.cycles))


def around(value: float, spread: float) -> Band:
    """Return a value with a factor either way."""
    return Band(value / spread, value, value * spread)
