"""A calibration as plain data, for tables and JSON."""

from __future__ import annotations

from typing import Any

from energy_models.calibration.board import Calibration


def calibration_document(found: Calibration) -> dict[str, Any]:
    """Return the fit: what it was made on, its parameters, and the held-out rows of the board."""
    board, check = found.board, found.cross_validation
    in_rows = {kind for row in found.fitted_on for kind in row.macs}
    weights = {kind: weight for kind, weight in found.weights.kinds.items() if kind in in_rows}
    return {
        "board": found.rows[0].board,
        "software": found.rows[0].software,
        "networks": [row.network for row in found.rows],
        "rows_behind_the_weights": len(found.fitted_on),
        "clock_mhz": board.clock_hz * 1e-6,
        "power_mw": board.power_w * 1e3,
        "cycles_per_layer": board.cycles_per_unit * found.weights.layer,
        "cycles_per_product": [
            {
                "kind": kind,
                "cycles_per_mac": board.cycles_per_unit * weight,
                "times_convolution": weight,
                "nj_per_mac": board.cycles_per_unit * weight * board.power_w / board.clock_hz * 1e9,
            }
            for kind, weight in weights.items()
        ],
        "cross_validation": {
            "rows": len(check.held_out),
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
                "predicted_uj": one.predicted_j * 1e6,
                "measured_uj": one.row.energy_j * 1e6,
                "error": one.error,
            }
            for one in check.held_out
            if one.row.group == found.rows[0].group
        ],
    }
