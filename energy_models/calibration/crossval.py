"""How far a calibrated board is off on a network, or a chip, that it was not fitted on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from energy_models.calibration.fit import Overhead, Weights, boards_of, fit_board, fit_weights
from energy_models.calibration.table import BoardRow
from energy_models.quantities import Band
from energy_models.workload import Kind

COVERED = 0.9


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A row predicted without itself: logarithms of predicted over measured, and what the scale was taken from."""

    row: BoardRow
    calibrated_on: tuple[str, ...]
    predicted_j: float
    log_energy: float
    log_cycles: float

    @property
    def logs(self) -> dict[Literal["energy", "cycles", "power"], float]:
        """Logarithms of predicted over measured; energy is cycles times power, over a known clock."""
        return {"energy": self.log_energy, "cycles": self.log_cycles, "power": self.log_energy - self.log_cycles}

    @property
    def error(self) -> float:
        """Relative error of the energy, with its sign."""
        return math.expm1(self.log_energy)


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """Rows predicted without themselves; `median` and `percentile_90` are of the relative error's size in energy."""

    held_out: tuple[HeldOut, ...]

    @property
    def median(self) -> float:
        """Median of ``|predicted / measured - 1|`` in energy; nan where nothing could be held out."""
        return self._quantile(0.5)

    @property
    def percentile_90(self) -> float:
        """90th percentile of ``|predicted / measured - 1|`` in energy; nan where nothing could be held out."""
        return self._quantile(0.9)

    def _quantile(self, share: float) -> float:
        errors = [abs(one.error) for one in self.held_out]
        return float(np.quantile(errors, share)) if errors else math.nan

    def spread(self, which: Literal["energy", "cycles", "power"]) -> float:
        """Return the factor either way that holds 90 % of the rows."""
        logs = [abs(one.logs[which]) for one in self.held_out]
        return math.exp(np.quantile(logs, COVERED)) if logs else math.nan


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


def _predict(
    rows: Sequence[BoardRow], beside: Sequence[BoardRow], overhead: Overhead,
    calibrating: Callable[[list[BoardRow]], list[list[BoardRow]]],
) -> CrossValidation:
    everything = [*rows, *beside]
    of_chip: dict[tuple[str, str], Weights | None] = {}
    for chip, software in {(row.chip, row.software) for row in rows}:
        others = [row for row in everything if row.chip != chip]
        decides = any(len(group) > 1 for group in boards_of(others).values())
        of_chip[chip, software] = fit_weights(others, overhead, software=software) if decides else None
    found: list[HeldOut] = []
    for group in boards_of(rows).values():
        for row in group:
            known = [other for other in group if other.network != row.network]
            weights = of_chip[row.chip, row.software] or fit_weights(known, overhead)
            found += [_held_out(row, some, weights) for some in calibrating(known)]
    return CrossValidation(tuple(found))


def weight_spreads(rows: Sequence[BoardRow], software: str) -> dict[Kind, float]:
    """Return by what factor, at most, each kind's weight moves when one chip's rows are left out.

    Parameters
    ----------
    rows : sequence of BoardRow
    software : str
        The software whose weights are wanted.
    """
    whole = fit_weights(rows, software=software)
    chips = sorted({row.chip for row in rows})
    without = [fit_weights([row for row in rows if row.chip != chip], software=software) for chip in chips]
    return {
        kind: math.exp(max(abs(math.log(other.kinds[kind] / weight)) for other in without))
        for kind, weight in whole.kinds.items()
    }


def _held_out(row: BoardRow, known: Sequence[BoardRow], weights: Weights) -> HeldOut:
    board = fit_board(known, weights)
    energy, cycles = board.energy_j(row, weights), board.cycles(row, weights)
    return HeldOut(
        row, tuple(other.network for other in known), energy,
        math.log(energy / row.energy_j), math.log(cycles / row.cycles),
    )


def around(value: float, spread: float) -> Band:
    """Return a value with a factor either way."""
    return Band(value / spread, value, value * spread)
