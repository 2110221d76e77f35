"""From a table of board measurements to one fitted board and what its figures are worth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from energy_models.calibration.crossval import (
    CrossValidation,
    Library,
    from_one_network,
    leave_one_out,
    library_of,
    weight_spreads,
)
from energy_models.calibration.fit import BoardFit, Weights, boards_of, fit_board, fit_weights, with_new_kinds
from energy_models.calibration.table import BoardRow, shipped_boards
from energy_models.errors import DataError, unknown_name
from energy_models.workload import ProductKind

FEWEST_HELD_OUT = 3
"""Fewer predicted rows say nothing about an error."""
GAIN_OF_A_PARAMETER = 0.9
"""A parameter is decided by the rows where the median error of held-out rows falls to this share of what it was."""
FEW, LEAST_OF_FEW = 20, 1.25
"""Of fewer held-out rows than the first, the 90 % spread of cycles is taken as at least the second. Both are assumed:
no data set them. A profile whose bounds are so widened says so."""
BEYOND_THE_CLASS = 1.5
"""A board so many times outside of what every board of a class shows is none of that class: assumed."""

POWER_OF_A_CLASS = (0.1, 3.0)
"""Power per clock may lie so far below and above what a class shows. Assumed: cores near the threshold of their
transistors draw about a tenth of it, boards that are measured whole about three times as much."""
POWER_OF_ANY = (1 / 30, 30.0)
"""The same of a core of no class with energies, against every shipped board; assumed. A wrong prefix is beyond it."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """One board and software, fitted, with its weights and their cross-validated error.

    Parameters
    ----------
    rows : tuple of BoardRow
        Those of the board.
    board : BoardFit
    weights : Weights
        Those of the board's library, held near those of the others. Rows of a table that stands beside a shipped class
        set none but those of kinds that the class does not hold.
    library : {'measured', 'new'}
        Whether the rows behind the weights hold the board's library.
    layers_decided : bool
        Whether held-out rows are met clearly better with a cost per layer; else that cost is its prior, assumed.
    fitted_on : tuple of BoardRow
        The rows behind the weights.
    cross_validation : CrossValidation
        Every row of the table and the class that could be predicted without itself, from as many networks of its board
        as the board was calibrated on: one, or all others.
    weight_spreads : mapping of ProductKind to float
        Factor by which a weight moves, at most, when one chip is left out.
    """

    rows: tuple[BoardRow, ...]
    board: BoardFit
    weights: Weights
    library: Library
    layers_decided: bool
    fitted_on: tuple[BoardRow, ...]
    cross_validation: CrossValidation
    weight_spreads: Mapping[ProductKind, float]

    @property
    def measured_kinds(self) -> frozenset[ProductKind]:
        """Kinds of products in the rows behind the weights, or in the board's own."""
        return frozenset(kind for row in (*self.fitted_on, *self.rows) for kind in row.macs)

    @property
    def cycles_spread(self) -> float:
        """Factor either way that holds 90 % of the held-out cycles, not too narrow where these are few."""
        found = self.check.spread("cycles")
        return LEAST_OF_FEW if self.widened else found

    @property
    def widened(self) -> bool:
        """Whether few held-out rows show less spread than is assumed of few, which then stands in its place."""
        return len(self.check.held_out) < FEW and self.check.spread("cycles") < LEAST_OF_FEW

    @property
    def power_w(self) -> float:
        """Power of the board [W].

        Raises
        ------
        DataError
            When no row has an energy.
        """
        if self.board.power_w is None:
            raise _no_energy(self.rows[0].board)
        return self.board.power_w

    @property
    def check(self) -> CrossValidation:
        """Held-out rows whose library stood to the others as the board's does; all, where too few do."""
        same = self.cross_validation.of_library(self.library)
        return same if len(same.held_out) >= FEWEST_HELD_OUT else self.cross_validation


def calibrate(
    rows: Sequence[BoardRow], *, board: str = "", software: str = "", beside: Sequence[BoardRow] = ()
) -> Calibration:
    """Fit one board of a table.

    Parameters
    ----------
    rows : sequence of BoardRow
        The table.
    board, software : str
        Which of its boards; may be left out where there is only one.
    beside : sequence of BoardRow
        A class of boards whose kernels weigh kinds of layers alike, such as `shipped_rows("cortex_m")`. Weights are
        then theirs, and the table sets the board's scale and power only: a few rows of one board say little else.

    Raises
    ------
    DataError
        When the board is not in the table or several are, none of its rows has an energy, it is none of the class, its
        power per clock is that of no such core, or too few rows can be held out to state an error.
    """
    chosen = _choose(rows, board, software)
    if all(row.energy_j is None for row in chosen):
        raise _no_energy(chosen[0].board)
    fitted_on = tuple(beside) or tuple(rows)
    library = chosen[0].kernels
    weights = fit_weights(fitted_on, library=library)
    if beside:
        weights = with_new_kinds(weights, chosen, frozenset(kind for row in beside for kind in row.macs))
        _check_class(chosen, weights, beside)
    _check_power(chosen if beside else rows, beside)
    found = _checked(rows, beside, chosen)
    if len(found.held_out) < FEWEST_HELD_OUT:
        raise DataError(
            f"{len(rows) + len(beside)} rows, of which {len(found.held_out)} can be predicted from others of the same "
            "board",
            where=chosen[0].board,
            remedy=f"At least {FEWEST_HELD_OUT} are needed to state an error: measure more networks on the board, "
            "or fit beside a shipped class of boards",
        )
    return Calibration(
        tuple(chosen), fit_board(chosen, weights), weights, library_of(library, fitted_on), _layers_decided(fitted_on),
        fitted_on, found, weight_spreads(fitted_on, library),
    )


def _no_energy(board: str) -> DataError:
    return DataError("no row has an energy", where=board, remedy="Measure the energy of one network at least")


def _checked(rows: Sequence[BoardRow], beside: Sequence[BoardRow], chosen: Sequence[BoardRow]) -> CrossValidation:
    """Return the held-out rows of the table and of the class, which the table's rows have no part in."""
    predict = from_one_network if len(chosen) == 1 else leave_one_out
    if not beside:
        return predict(rows)
    apart = [row for row in rows if row not in beside]
    return CrossValidation((*predict(apart, beside=beside).held_out, *predict(beside).held_out))


def _check_class(chosen: Sequence[BoardRow], weights: Weights, beside: Sequence[BoardRow]) -> None:
    """Refuse a board whose cycles lie outside what the boards of a class show, or whose networks differ by more."""
    scales = [row.cycles / fit_weights(beside, library=row.kernels).units(row) for row in beside]
    mine = [row.cycles / weights.units(row) for row in chosen]
    low, high = min(scales) / BEYOND_THE_CLASS, max(scales) * BEYOND_THE_CLASS
    off = max((abs(one.log_cycles) for one in from_one_network(beside).held_out), default=math.inf)
    spread, most = max(mine) / min(mine), BEYOND_THE_CLASS * math.exp(off)
    if low <= min(mine) and max(mine) <= high and spread <= most:
        return
    raise DataError(
        f"a convolution's product takes {min(mine):.3g} to {max(mine):.3g} cycles by its rows; {min(scales):.3g} to "
        f"{max(scales):.3g} by all of the class, where one board's networks differ by a factor {math.exp(off):.3g}; "
        f"{BEYOND_THE_CLASS:g} times beyond is let pass, an assumption",
        where=chosen[0].board,
        remedy="It is no board of this class: name its own with --class, or none and measure more networks; "
        "or a unit is wrong: check clock_mhz, the latency and the products",
    )


def _check_power(rows: Sequence[BoardRow], beside: Sequence[BoardRow]) -> None:
    """Refuse rows whose power per clock lies far outside what the boards of a class, or else all that ship, show."""
    known = _powers_per_mhz(beside)
    which = "the class shows" if known else "all shipped boards show"
    below, above = POWER_OF_A_CLASS if known else POWER_OF_ANY
    known = known or _powers_per_mhz(shipped_boards())
    low, high = min(known), max(known)
    for row in rows:
        for power in _powers_per_mhz([row]):
            if not low * below <= power <= high * above:
                raise DataError(
                    f"{row.network}: energy_uj {(row.energy_j or 0.0) * 1e6:.4g} over {row.latency_s * 1e3:.4g} ms at "
                    f"clock_mhz {row.clock_hz / 1e6:g} is {power:.3g} mW per MHz; {which} {low:.3g} to {high:.3g}",
                    where=row.board,
                    remedy="Check the unit of energy_uj, of clock_mhz and of the latency; or name its own --class, "
                    "or none and measure more networks",
                )


def _powers_per_mhz(rows: Sequence[BoardRow]) -> list[float]:
    """Return the power per clock of the rows that have an energy [mW/MHz]."""
    return [row.power_w / row.clock_hz * 1e9 for row in rows if row.power_w is not None]


def _choose(rows: Sequence[BoardRow], board: str, software: str) -> list[BoardRow]:
    groups = boards_of(rows)
    wanted = {
        f"{name} with {stack}": group for (name, stack), group in groups.items()
        if board in ("", name) and software in ("", stack)
    }
    if len(wanted) == 1:
        return next(iter(wanted.values()))
    names = [f"{name} with {stack}" for name, stack in groups]
    if wanted:
        remedy = f"Choose one by board and software: {', '.join(wanted)}"
        raise DataError(f"{len(wanted)} boards in the table", remedy=remedy)
    parts = (board and f"board {board!r}", software and f"software {software!r}")
    asked = " with ".join(part for part in parts if part)
    raise DataError(f"no {asked} in the table", remedy=unknown_name("boards", board, names))


def _layers_decided(rows: Sequence[BoardRow]) -> bool:
    without, with_layers = (leave_one_out(rows, overhead=choice).median for choice in ("none", "per layer"))
    return math.isfinite(without) and with_layers < GAIN_OF_A_PARAMETER * without
