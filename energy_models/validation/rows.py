"""One measured figure beside its prediction, and the error summary of a set of them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from energy_models.quantities import Band

Role = Literal["fitted", "held out"]
"""``fitted``: a constant of the prediction came from this row, or was chosen after it. ``held out``: none was."""


@dataclass(frozen=True, slots=True)
class ValidationRow:
    """One published figure and what is predicted for it.

    Parameters
    ----------
    id : str
        Unique and stable, such as ``"mlperf/v1.2/STMicroelectronics/NUCLEO_L4R5ZI/ic"``.
    what : str
        The decoder or network.
    machine : str
        The profile, or the machine in words where no profile is loaded.
    quantity : str
        What was measured: ``"energy"``, ``"latency"``, ``"power"``, ``"cycles"``.
    unit : str
        Unit of `predicted` and `measured`, a text of `energy_models.quantities.units`.
    predicted : Band
        Low and high are the central 90 % of the prediction.
    measured : float
        Above zero.
    role : {'fitted', 'held out'}
    source : str
        Key of a bibliographic record.
    note : str
        What was left out of the prediction, or how rows contradict each other.
    """

    id: str
    what: str
    machine: str
    quantity: str
    unit: str
    predicted: Band
    measured: float
    role: Role
    source: str
    note: str = ""

    @property
    def ratio(self) -> float:
        """Predicted over measured."""
        return self.predicted.nominal / self.measured

    @property
    def error(self) -> float:
        """Relative error of the prediction, with its sign."""
        return self.ratio - 1.0

    @property
    def inside(self) -> bool:
        """Whether the measured figure lies between low and high."""
        return self.predicted.low <= self.measured <= self.predicted.high


@dataclass(frozen=True, slots=True)
class ErrorSummary:
    """Errors of a set of rows: how many, median and 90th percentile of ``|predicted / measured - 1|``, share inside.

    Several rows may be of one network on one machine: energy and latency of one run, variants, one network predicted
    from each of several others. `median_each` and `percentile_each` are over figures, where each of the `networks`
    counts once, by its median. `log_width` is the mean of the logarithm of high over low.
    """

    rows: int
    networks: int
    median_each: float
    percentile_each: float
    log_width: float
    median: float
    percentile_90: float
    inside: float


def summarise(rows: Iterable[ValidationRow]) -> ErrorSummary:
    """Return the error summary of a set of rows; nan in all but `rows` where the set is empty."""
    found = list(rows)
    if not found:
        return ErrorSummary(0, 0, *(math.nan,) * 6)
    errors = [abs(row.error) for row in found]
    inside = sum(row.inside for row in found) / len(found)
    each: dict[tuple[str, str], list[float]] = {}
    for row in found:
        each.setdefault((row.what.split(" (")[0], row.machine), []).append(abs(row.error))
    medians = [float(np.median(some)) for some in each.values()]
    middle, most = (float(np.quantile(errors, share)) for share in (0.5, 0.9))
    widths = [math.log(row.predicted.high / row.predicted.low) for row in found if row.predicted.low > 0]
    return ErrorSummary(
        len(found), len(each), float(np.median(medians)), float(np.quantile(medians, 0.9)),
        float(np.mean(widths)) if widths else math.inf, middle, most, inside,
    )
