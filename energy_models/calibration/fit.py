"""Fits few parameters to board measurements.

    cycles(network) = scale(board) (sum over kinds (weight(kind) products(kind)) + weight(layer) layers)
    energy(network) = cycles power(board) / clock

A convolution's weight is 1. The other weights are fitted to energies: within one board and software only the ratios
between networks count, so that its scale drops out. Residuals are logarithms, taken nearly by their absolute value
(soft L1 at 5 %), since single rows are off by 50 %. Kernels belong to the software, not to the chip: a software's
weights are fitted to its rows on all chips, held by a log-normal prior near the weights of the other software, and
those by one near where kernels of a kind usually are. A board's scale and power are geometric means over its rows.

What a layer costs beside its products stays near its prior where the rows do not decide it: small networks would
otherwise be priced as if kernels started for nothing. `calibrate` says whether held-out rows are met better by it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import optimize as _optimize  # pyright: ignore[reportMissingTypeStubs]

from energy_models.calibration.table import BoardRow
from energy_models.errors import DataError
from energy_models.pricing import Array
from energy_models.workload import Kind

optimize: Any = _optimize  # scipy ships no types
Overhead = Literal["per layer", "none"]
_Prior = Mapping[Kind | Literal["layer"], tuple[float, float]]
RESIDUAL_SCALE = 0.05
PRIOR: Mapping[Kind, tuple[float, float]] = {
    "depthwise": (3.5, 1.0),
    "pointwise": (0.9, 0.3),
    "linear": (1.5, 0.5),
    "recurrent": (1.5, 0.5),
    "attention": (1.5, 0.5),
    "matmul": (1.5, 0.5),
    "filter": (3.5, 1.0),
    "feature": (3.5, 1.0),
}
"""Weight of a product of a kind over that of a convolution, and the standard deviation of its logarithm: assumed.

A depthwise product loads both operands for itself; a pointwise one saves the copying of windows; a fully connected one
loads every weight once. The same widths hold a software's weights near those of the others.
"""

LAYER_PRIOR = (1000.0, 1.0)
"""The same for what a layer costs beside its products, in products of a convolution: assumed."""

@dataclass(frozen=True, slots=True)
class Weights:
    """What a product of each kind costs, and a layer beside its products, in products of a convolution."""

    kinds: Mapping[Kind, float]
    layer: float = 0.0

    def units(self, row: BoardRow) -> float:
        """Return a network's work in products of a convolution."""
        return sum(self.kinds[kind] * count for kind, count in row.macs.items()) + self.layer * row.layers


@dataclass(frozen=True, slots=True)
class BoardFit:
    """One board and software, fitted: cycles of one product of a convolution, power [W] and clock [Hz]."""

    cycles_per_unit: float
    power_w: float
    clock_hz: float

    def cycles(self, row: BoardRow, weights: Weights) -> float:
        """Return the cycles predicted for a network."""
        return self.cycles_per_unit * weights.units(row)

    def energy_j(self, row: BoardRow, weights: Weights) -> float:
        """Return the energy predicted for a network [J]."""
        return self.cycles(row, weights) * self.power_w / self.clock_hz


def boards_of(rows: Sequence[BoardRow]) -> dict[tuple[str, str], list[BoardRow]]:
    """Return the rows by board and software."""
    found: dict[tuple[str, str], list[BoardRow]] = {}
    for row in rows:
        found.setdefault(row.group, []).append(row)
    return found


def fit_weights(rows: Sequence[BoardRow], overhead: Overhead = "per layer", *, software: str = "") -> Weights:
    """Return the weights that make the rows of every board agree best.

    Boards with one row say nothing about weights. A weight that no row decides is its prior.

    Parameters
    ----------
    rows : sequence of BoardRow
    overhead : {'per layer', 'none'}
        Whether a layer costs something beside its products.
    software : str
        The software whose weights are wanted; the rows of the others are then a prior. Empty: all rows alike.
    """
    own = [row for row in rows if row.software == software] if software else []
    shared = _fit(rows if not own else [row for row in rows if row.software != software], overhead, _class_prior())
    if not own:
        return shared
    if len(own) == len(rows):
        return _fit(own, overhead, _class_prior())
    near: _Prior = {kind: (shared.kinds[kind], width) for kind, (_, width) in PRIOR.items()}
    return _fit(own, overhead, {**near, "layer": (shared.layer or LAYER_PRIOR[0], LAYER_PRIOR[1])})


def _class_prior() -> _Prior:
    return {**PRIOR, "layer": LAYER_PRIOR}


def _fit(rows: Sequence[BoardRow], overhead: Overhead, prior: _Prior) -> Weights:
    groups = [group for group in boards_of(rows).values() if len(group) > 1]
    kinds: list[Kind] = [kind for kind in PRIOR if any(kind in row.macs for group in groups for row in group)]
    priors = [prior[kind] for kind in kinds] + [prior["layer"]] * (overhead == "per layer")
    fixed: dict[Kind, float] = {"conv": 1.0, **{kind: prior[kind][0] for kind in PRIOR}}
    if not priors or not groups:
        return Weights(fixed, prior["layer"][0] if overhead == "per layer" else 0.0)
    centres, widths = np.log([centre for centre, _ in priors]), np.array([width for _, width in priors])
    counts = [np.array([_counts(row, kinds, overhead) for row in group]) for group in groups]
    energies = [np.log([row.energy_j for row in group]) for group in groups]

    def residuals(logs: Array) -> Array:
        weights = np.concatenate([[1.0], np.exp(logs)])
        parts: list[Array] = [(logs - centres) / widths]
        for count, energy in zip(counts, energies, strict=True):
            off = energy - np.log(count @ weights)
            parts.append((off - off.mean()) / RESIDUAL_SCALE)
        return np.concatenate(parts)

    found = [float(one) for one in np.exp(optimize.least_squares(residuals, centres, loss="soft_l1").x)]
    return Weights({**fixed, **dict(zip(kinds, found, strict=False))}, found[-1] if overhead == "per layer" else 0.0)


def _counts(row: BoardRow, kinds: Sequence[Kind], overhead: Overhead) -> list[int]:
    counts = [row.macs.get("conv", 0), *(row.macs.get(kind, 0) for kind in kinds)]
    return [*counts, row.layers] if overhead == "per layer" else counts


def fit_board(rows: Sequence[BoardRow], weights: Weights) -> BoardFit:
    """Return scale and power of one board as geometric means over its rows.

    Raises
    ------
    DataError
        When there is no row.
    """
    if not rows:
        raise DataError("a board without a row", remedy="Calibrate on at least one measured network")
    scale = [math.log(row.cycles / weights.units(row)) for row in rows]
    power = [math.log(row.power_w) for row in rows]
    return BoardFit(math.exp(sum(scale) / len(rows)), math.exp(sum(power) / len(rows)), rows[0].clock_hz)
