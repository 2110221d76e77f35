"""Fits few parameters to board measurements, cycles and power apart.

    cycles(network) = scale(board) (sum over kinds (weight(kind) products(kind)) + weight(layer) layers)
    energy(network) = cycles power(board) / clock

A convolution's weight is 1. The other weights are fitted to cycles: within one board and software only the ratios
between networks count, so that its scale drops out, and rows of which only the time was measured say as much as others.
Residuals are logarithms, taken nearly by their absolute value (soft L1 at 5 %), since single rows are off by 50 %.
Kernels belong to the library, not to the chip: a library's weights are fitted to its rows on all chips, held by a
log-normal prior near the weights of the other libraries, and those by one near where kernels of a kind usually are.

Power belongs to the chip, its supply and its regulator: a linear regulator passes on the same current at any supply, a
switched one draws the same power. A board's scale and power are geometric means over its rows.

What a layer costs beside its products stays near its prior where the rows do not decide it: small networks would
otherwise be priced as if kernels started for nothing. `calibrate` says whether held-out rows are met better by it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from scipy import optimize as _optimize  # pyright: ignore[reportMissingTypeStubs]

from energy_models.calibration.table import BoardRow
from energy_models.errors import DataError
from energy_models.pricing import Array
from energy_models.workload import ProductKind

optimize: Any = _optimize  # scipy ships no types
Overhead = Literal["per layer", "none"]
Prior = Mapping[ProductKind | Literal["layer"], tuple[float, float]]
RESIDUAL_SCALE = 0.05
RESIDUAL_OF_FEW = 0.2
"""Where networks tell fewer ratios than there are weights, and no other library does, weights could be bent until all
are met: residuals are then as large as held-out networks of microcontrollers show at the 90th percentile."""
PRIOR: Mapping[ProductKind, tuple[float, float]] = {
    "stem": (2.0, 0.7),
    "temporal": (1.0, 0.5),
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

A convolution of few channels gathers short runs of taps; a depthwise product loads both operands for itself; a
pointwise one saves the copying of windows; a fully connected one loads every weight once. The same widths hold a
library's weights near those of the others.
"""

LAYER_PRIOR = (1000.0, 1.0)
"""The same for what a layer costs beside its products, in products of a convolution: assumed."""
MOST_FITS = 1024
"""Fits that are kept: every chip left out of every shipped class several times over."""
HELD = 1e-3
"""Standard deviation of the logarithm of a weight that is not to move."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What a product of each kind costs, and a layer beside its products, in products of a convolution."""

    kinds: Mapping[ProductKind, float]
    layer: float = 0.0

    def units(self, row: BoardRow) -> float:
        """Return a network's work in products of a convolution."""
        return sum(self.kinds[kind] * count for kind, count in row.macs.items()) + self.layer * row.layers

    def share(self, row: BoardRow, kind: ProductKind) -> float:
        """Return the share of a network's work that products of a kind are."""
        return self.kinds[kind] * row.macs.get(kind, 0) / self.units(row)


@dataclass(frozen=True, slots=True)
class BoardFit:
    """One board and software, fitted: cycles of one product of a convolution, power [W] or None, and clock [Hz]."""

    cycles_per_unit: float
    power_w: float | None
    clock_hz: float

    def cycles(self, row: BoardRow, weights: Weights) -> float:
        """Return the cycles predicted for a network."""
        return self.cycles_per_unit * weights.units(row)

    def energy_j(self, row: BoardRow, weights: Weights) -> float | None:
        """Return the energy predicted for a network [J]; None where no row of the board has its power."""
        return None if self.power_w is None else self.cycles(row, weights) * self.power_w / self.clock_hz


def boards_of(rows: Sequence[BoardRow]) -> dict[tuple[str, str], list[BoardRow]]:
    """Return the rows by board and software."""
    found: dict[tuple[str, str], list[BoardRow]] = {}
    for row in rows:
        found.setdefault(row.group, []).append(row)
    return found


def power_at(row: BoardRow, supply_v: float | None) -> float | None:
    """Return the power of a row at another supply [W]; None where its energy was not measured.

    A linear regulator passes the same current on, so that power goes as the supply; with a switched or unknown
    regulator, or an unknown supply, power is as measured: `supply_doubt` is how far off that may be.
    """
    if row.power_w is None or row.regulator != "linear" or row.supply_v is None or supply_v is None:
        return row.power_w
    return row.power_w * supply_v / row.supply_v


def supply_doubt(rows: Sequence[BoardRow]) -> float:
    """Return the factor by which power may be off where rows of unknown regulators have another supply than the first.

    It is the ratio of their supplies, by which power differs behind a linear regulator and not behind a switched one;
    1 where no row is so. Rows whose supply is unknown have no ratio.
    """
    first = rows[0].supply_v
    ratios = [
        max(row.supply_v / first, first / row.supply_v) for row in rows
        if first is not None and row.supply_v is not None and row.regulator == "" and row.power_w is not None
    ]
    return max(ratios, default=1.0)


def fit_weights(rows: Sequence[BoardRow], overhead: Overhead = "per layer", *, library: str = "") -> Weights:
    """Return the weights that make the rows of every board agree best.

    Boards with one row say nothing about weights. A weight that no row decides is its prior.

    Parameters
    ----------
    rows : sequence of BoardRow
    overhead : {'per layer', 'none'}
        Whether a layer costs something beside its products.
    library : str
        The library whose weights are wanted; the rows of the others are then a prior. Empty: all rows alike.
    """
    return _weights(tuple(rows), overhead, library)


@lru_cache(maxsize=MOST_FITS)
def _weights(rows: tuple[BoardRow, ...], overhead: Overhead, library: str) -> Weights:
    own = [row for row in rows if row.kernels == library] if library else []
    others = [row for row in rows if row.kernels != library] if own else list(rows)
    if all(len(group) < 2 for group in boards_of(others).values()):
        return _fit(own or others, overhead, _class_prior(), few=RESIDUAL_OF_FEW)
    shared = _fit(others, overhead, _class_prior(), few=RESIDUAL_OF_FEW)
    if not own:
        return shared
    near: Prior = {kind: (shared.kinds[kind], width) for kind, (_, width) in PRIOR.items()}
    return _fit(own, overhead, {**near, "layer": (shared.layer or LAYER_PRIOR[0], LAYER_PRIOR[1])})


def with_new_kinds(weights: Weights, rows: Sequence[BoardRow], known: frozenset[ProductKind]) -> Weights:
    """Return weights in which kinds that are not `known` are fitted to the rows, and all others stay."""
    held: Prior = {kind: (weights.kinds[kind], HELD if kind in known else PRIOR[kind][1]) for kind in PRIOR}
    if all(kind in known or kind == "conv" for row in rows for kind in row.macs):
        return weights
    found = _fit(rows, "per layer" if weights.layer else "none", {**held, "layer": (weights.layer or 1.0, HELD)})
    kinds = dict(weights.kinds)
    kinds.update({kind: found.kinds[kind] for kind in found.kinds if kind not in known and kind != "conv"})
    return Weights(kinds, weights.layer)


def _class_prior() -> Prior:
    return {**PRIOR, "layer": LAYER_PRIOR}


def _fit(
    rows: Sequence[BoardRow], overhead: Overhead, prior: Prior, *, few: float = RESIDUAL_SCALE
) -> Weights:
    """Return the weights that meet the rows best; `few` is the residual's size where weights outnumber ratios."""
    groups = [group for group in boards_of(rows).values() if len(group) > 1]
    kinds: list[ProductKind] = [kind for kind in PRIOR if any(kind in row.macs for group in groups for row in group)]
    priors = [prior[kind] for kind in kinds] + [prior["layer"]] * (overhead == "per layer")
    fixed: dict[ProductKind, float] = {"conv": 1.0, **{kind: prior[kind][0] for kind in PRIOR}}
    if not priors or not groups:
        return Weights(fixed, prior["layer"][0] if overhead == "per layer" else 0.0)
    centres, widths = np.log([centre for centre, _ in priors]), np.array([width for _, width in priors])
    board = np.concatenate([np.full(len(group), place) for place, group in enumerate(groups)])
    counts = np.array([_counts(row, kinds, overhead) for group in groups for row in group], dtype=np.float64)
    cycles = np.log([row.cycles for group in groups for row in group])
    shares, ratios = _shares(groups)
    scale = RESIDUAL_SCALE if ratios >= len(priors) else few

    def residuals(logs: Array) -> Array:
        off = cycles - np.log(counts @ np.concatenate([[1.0], np.exp(logs)]))
        mean = np.bincount(board, weights=off * shares) / np.bincount(board, weights=shares)
        return np.concatenate([(logs - centres) / widths, (off - mean[board]) * np.sqrt(shares) / scale])

    found = [float(one) for one in np.exp(optimize.least_squares(residuals, centres, loss="soft_l1").x)]
    fixed.update(zip(kinds, found, strict=False))
    return Weights(fixed, found[-1] if overhead == "per layer" else 0.0)


def _shares(groups: Sequence[Sequence[BoardRow]]) -> tuple[Array, int]:
    """Return each row's share of its network on its board, shape (rows,), and how many ratios of networks there are.

    Variants of one network are one measurement of its layers, however many they are.
    """
    times = [Counter(row.network for row in group) for group in groups]
    shares = [1.0 / count[row.network] for group, count in zip(groups, times, strict=True) for row in group]
    return np.array(shares), sum(len(count) - 1 for count in times)


def _counts(row: BoardRow, kinds: Sequence[ProductKind], overhead: Overhead) -> list[int]:
    counts = [row.macs.get("conv", 0), *(row.macs.get(kind, 0) for kind in kinds)]
    return [*counts, row.layers] if overhead == "per layer" else counts


def fit_board(rows: Sequence[BoardRow], weights: Weights) -> BoardFit:
    """Return scale and power of one board as geometric means over its rows, power at the supply of the first.

    Raises
    ------
    DataError
        When there is no row.
    """
    if not rows:
        raise DataError("a board without a row", remedy="Calibrate on at least one measured network")
    scale = [math.log(row.cycles / weights.units(row)) for row in rows]
    powers = [power_at(row, rows[0].supply_v) for row in rows]
    known = [math.log(power) for power in powers if power is not None]
    power_w = math.exp(sum(known) / len(known)) if known else None
    return BoardFit(math.exp(sum(scale) / len(rows)), power_w, rows[0].clock_hz)
