"""From a table of board measurements to one fitted board and what its figures are worth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from energy_models.calibration.crossval import CrossValidation, from_one_network, leave_one_out, weight_spreads
from energy_models.calibration.fit import BoardFit, Weights, boards_of, fit_board, fit_weights
from energy_models.calibration.table import BoardRow
from energy_models.errors import DataError, unknown_name
from energy_models.workload import Kind

FEWEST_HELD_OUT = 3
"""Fewer predicted rows say nothing about an error."""
GAIN_OF_A_PARAMETER = 0.9
"""A parameter is decided by the rows where the median error of held-out rows falls to this share of what it was."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """One board and software, fitted, with its weights and their cross-validated error.

    Parameters
    ----------
    rows : tuple of BoardRow
        Those of the board.
    board : BoardFit
    weights : Weights
        Those of the board's software, held near those of the others.
    layers_decided : bool
        Whether held-out rows are met clearly better with a cost per layer; else that cost is its prior, assumed.
    fitted_on : tuple of BoardRow
        The rows behind the weights, those of the board among them.
    cross_validation : CrossValidation
        Every row of `fitted_on` that could be predicted without itself, from as many networks of its board as the
        board was calibrated on: one, or all others.
    weight_spreads : mapping of Kind to float
        Factor by which a weight moves, at most, when one chip is left out.
    """

    rows: tuple[BoardRow, ...]
    board: BoardFit
    weights: Weights
    layers_decided: bool
    fitted_on: tuple[BoardRow, ...]
    cross_validation: CrossValidation
    weight_spreads: Mapping[Kind, float]


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
        Other boards whose kernels weigh kinds of layers alike, such as `shipped_rows("cortex_m")`.

    Raises
    ------
    DataError
        When the board is not in the table or several are, or too few rows can be held out to state an error.
    """
    chosen = _choose(rows, board, software)
    everything = (*rows, *(row for row in beside if row not in rows))
    weights = fit_weights(everything, software=chosen[0].software)
    found = from_one_network(everything) if len(chosen) == 1 else leave_one_out(everything)
    if len(found.held_out) < FEWEST_HELD_OUT:
        raise DataError(
            f"{len(everything)} rows, of which {len(found.held_out)} can be predicted from others of the same board",
            where=chosen[0].board,
            remedy=f"At least {FEWEST_HELD_OUT} are needed to state an error: measure more networks on the board, "
            "or fit beside a shipped class of boards",
        )
    board_fit, decided = fit_board(chosen, weights), _layers_decided(everything)
    spreads = weight_spreads(everything, chosen[0].software)
    return Calibration(tuple(chosen), board_fit, weights, decided, everything, found, spreads)


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
