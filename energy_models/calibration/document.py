"""A calibration as plain data, for tables and JSON."""

from __future__ import annotations

import math
from typing import Any

from energy_models.calibration.board import Calibration
from energy_models.calibration.crossval import CrossValidation, HeldOut, Measure
from energy_models.calibration.table import PRODUCT_KINDS

MEASURES: tuple[Measure, ...] = ("energy", "cycles")


def calibration_document(found: Calibration) -> dict[str, Any]:
    """Return the fit: what it was made on, its parameters, and the held-out rows of the board."""
    board, check = found.board, found.check
    weights = {kind: weight for kind, weight in found.weights.kinds.items() if kind in found.measured_kinds}
    return {
        "board": found.rows[0].board,
        "software": found.rows[0].software,
        "library": found.rows[0].kernels,
        "library_measured_on_other_boards": found.library == "measured",
        "kinds_of_the_template": sorted(kind for kind in PRODUCT_KINDS if kind not in found.measured_kinds),
        "networks": [row.network for row in found.rows],
        "rows_behind_the_weights": len(found.fitted_on),
        "clock_hz": board.clock_hz,
        "active_power_w": found.power_w,
        "cycles_per_layer": board.cycles_per_unit * found.weights.layer,
        "cycles_per_product": [
            {
                "kind": kind,
                "cycles_per_mac": board.cycles_per_unit * weight,
                "times_convolution": weight,
                "energy_per_mac_j": board.cycles_per_unit * weight * found.power_w / board.clock_hz,
            }
            for kind, weight in weights.items()
        ],
        "cross_validation": {which: _errors(check.of_measure(which), which) for which in MEASURES},
        "held_out": [
            {
                "board": one.row.board,
                "software": one.row.software,
                "network": one.row.network,
                "calibrated_on": list(one.calibrated_on),
                "predicted_j": one.predicted_j,
                "measured_j": one.row.energy_j,
                **{f"{which}_error": _error(one, which) for which in MEASURES},
            }
            for one in found.cross_validation.held_out
            if one.row.group == found.rows[0].group
        ],
    }


def _errors(check: CrossValidation, which: Measure) -> dict[str, Any]:
    """Return how far off one measure is on held-out rows; figures are None where it is known of none."""
    figures = {
        "median_error": check.median, "percentile_90_error": check.percentile_90,
        "factor_either_way": check.spread(which),
    }  # fmt: skip
    known = {name: None if math.isnan(value) else value for name, value in figures.items()}
    return {"rows": len(check.held_out), "figures": len(check.errors), **known}


def _error(one: HeldOut, which: Measure) -> float | None:
    """Return a row's relative error with its sign; None where the measure is not known."""
    return math.expm1(one.logs[which]) if which in one.logs else None
