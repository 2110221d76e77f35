"""Lock-in energies of every frequency and harmonic in a whitened window, weighed by a logistic regression.

A window X is multiplied by sine and cosine of each frequency and harmonic (a lock-in amplifier with the window as its
low-pass), and the products are whitened by the window's own covariance over channels, ``L L' = X X'``: what all
channels share, noise or alpha rhythm, counts less. A feature is the energy of one pair, ``|L^-1 X q|^2`` summed over
sine, cosine and channels: nine of three frequencies and three harmonics. Unlike the largest canonical correlation
(`cca_logistic`) it needs no eigenvalue.

Deployed arithmetic: float32 throughout; the table of references is stored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.baselines.cca import covariances, elements
from cosim.baselines.frequency_logistic import FrequencyOptions, run_frequency_logistic
from cosim.baselines.numerics import small_algebra as algebra
from cosim.baselines.numerics.work import linear_row, matrix_row, stage_row
from cosim.baselines.types import Baseline, BaselineResult
from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold
from energy_models.workload import LayerWork

NAME, LABEL = "lock_in", "lock-in+LR"
PAIR = 2  # sine and cosine
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LockIn:
    """The energies of whitened windows.

    Parameters
    ----------
    table : ndarray of float32, shape (2 features, steps)
        Sine and cosine of each frequency and harmonic, orthonormal and without mean.
    loading : float
    """

    table: Floats
    loading: float

    def of(self, windows: Floats) -> tuple[Floats, tuple[LayerWork, ...]]:
        """Return the energies, shape (decodes, features), and the work of finding them."""
        centred = (windows - windows.mean(axis=2, keepdims=True)).astype(np.float32)
        lower, inverses = algebra.cholesky(elements(covariances(centred, self.loading)))
        solved = algebra.forward_solve(lower, inverses, elements(centred @ self.table.T))
        squares = sum(np.stack(row, axis=1) ** 2 for row in solved)
        energies = np.asarray(squares, dtype=np.float32).reshape(len(windows), -1, PAIR).sum(axis=2)
        return energies, self._layers(centred)

    def _layers(self, centred: Floats) -> tuple[LayerWork, ...]:
        """Return the rows of centring, covariance, lock-in, and whitening with its energies."""
        decodes, channels, steps = centred.shape
        values, products = channels * steps, channels * len(self.table)
        upper = np.triu(np.ones((channels, channels), dtype=np.bool_))
        small = algebra.summed(
            {"add": 2 * channels - 1, "multiply": 1}, algebra.cholesky_operations(channels),
            algebra.forward_solve_operations(channels, len(self.table)),
            {"multiply": products, "add": products - len(self.table) // PAIR},
        )  # fmt: skip
        return (
            stage_row(f"{NAME}.centre", {"add": 2 * values - channels, "multiply": channels}, inputs=values,
                      outputs=values, decodes=decodes, arithmetic="float"),
            matrix_row(f"{NAME}.covariance", centred, centred.transpose(0, 2, 1), upper, arithmetic="float"),
            linear_row(f"{NAME}.references", centred, self.table, arithmetic="float"),
            stage_row(f"{NAME}.energies", small, inputs=int(upper.sum()) + products,
                      outputs=len(self.table) // PAIR, decodes=decodes, arithmetic="float"),
        )  # fmt: skip


def run(dataset: Dataset, fold: Fold, options: FrequencyOptions) -> BaselineResult:
    """Return the regression on the fold's energies, its penalty chosen on validation.

    Raises
    ------
    DataError
        As `run_frequency_logistic`.
    """
    return run_frequency_logistic(
        dataset, fold, options, lambda table: LockIn(table, options.loading), name=NAME, label=LABEL
    )


BASELINE = Baseline(LABEL, ("classification",), FrequencyOptions, run)
