"""Scaling to zero mean and unit variance, fitted on training examples only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from energy_models.errors import DataError


@dataclass(frozen=True, slots=True)
class Scaler:
    """Mean and standard deviation along one axis; a constant channel cannot be scaled and is an error."""

    axis: int
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    def apply(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (values - mean) / deviation."""
        shape = _along(values.ndim, self.axis)
        return ((values - self.mean.reshape(shape)) / self.deviation.reshape(shape)).astype(np.float32)

    def invert(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return values * deviation + mean."""
        shape = _along(values.ndim, self.axis)
        return (values * self.deviation.reshape(shape) + self.mean.reshape(shape)).astype(np.float32)


def _along(dimensions: int, axis: int) -> tuple[int, ...]:
    """Return the shape that lays a vector along one axis."""
    return tuple(-1 if index == axis % dimensions else 1 for index in range(dimensions))


def fit_scaler(values: NDArray[np.float32], *, axis: int = 1) -> Scaler:
    """Return the scaler of the given examples; give it those of a training part, never the whole dataset.

    Parameters
    ----------
    values : ndarray
        ``inputs`` with shape (examples, channels, steps) and `axis` 1, or regression targets
        with shape (examples, steps, outputs) and `axis` 2.
    axis : int
        Axis that keeps its own mean and deviation.

    Raises
    ------
    DataError
        If a channel is constant over these examples, or there are none.
    """
    if values.size == 0:
        raise DataError("there is no example to fit a scaler on", where="fit_scaler", remedy="Give training examples.")
    others = tuple(index for index in range(values.ndim) if index != axis % values.ndim)
    mean = values.mean(axis=others, dtype=np.float64)
    deviation = values.std(axis=others, dtype=np.float64)
    if (constant := np.flatnonzero(deviation == 0)).size:
        raise DataError(
            f"index {', '.join(map(str, constant))} of axis {axis} is constant over the training examples",
            where="fit_scaler",
            remedy="Leave that channel out, or choose folds whose training part sees it vary.",
        )
    return Scaler(axis, mean, deviation)
