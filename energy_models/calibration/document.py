"""A calibration as plain data, for tables and JSON."""

from __future__ import annotations

from typing import Any

from energy_models.calibration.board import Calibration
from energy_models.calibration.table import PRODUCT_KINDS


def calibration_document(found: Calibration) -> dict[str, Any]:
    """Return the fit: what it was made on, its parameters, and the held-out rows of the board."""
    board, check = found.board, found.check
    power_w = board.power_w or 0.0  # a calibrated board has one
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
        "active_power_w": power_w,
        "cycles_per_layer": board.cycles_per_unit * found.weights.layer,
        "cycles_per_product": [
            {
                "kind": kind,
                "cycles_per_mac": board.cycles_per_unit * weight,
                "times_convolution": weight,
                "energy_per_mac_j": board.cycles_per_unit * weight * power_w / board.clock_hz,
            }
            for kind, weight in weights.items()
        ],
        "cross_validation": {
            "rows": len(check.held_out),
            "figures": len(check.errors),
            "median_error": check.median,
            "percentile_90_error": check.percentile_90,
            "factor_either_way_energy": check.spread("energy"),
            "factor_either_way_cycles": check.spread("cycles"),
        },
        "held_out": [
            {
                "board": one.row.board,
                "software": one.row.software,
                "network": one.row.network,
                "calibrated_on": list(one.calibrated_on),
                "predicted_j": one.predicted_j,
                "measured_j": one.row.energy_j,
                "error": one.error,
            }
            for one in found.cross_validation.held_out
            if one.row.group == found.rows[0].group
        ],
    }
