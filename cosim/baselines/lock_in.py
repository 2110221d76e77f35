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
from pydantic import Field

from cosim.baselines.cca import covariances, elements, frequencies, references
from cosim.baselines.fitting import Amounts, best_on_validation, decided, deployed
from cosim.baselines.logistic import Logistic, fit_logistic
from cosim.baselines.numerics import small_algebra as algebra
from cosim.baselines.numerics.work import FLOAT_BITS, linear_row, matrix_row, stage_row
from cosim.baselines.types import Baseline, BaselineResult, Decoded, Indices, Options
from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold
from energy_models.workload import LayerWork

NAME = "lock_in"
WHERE = f"baseline {NAME!r}"
PAIR = 2  # sine and cosine
Floats = NDArray[np.float32]


class LockInOptions(Options):
    """References, and the penalty.

    Parameters
    ----------
    harmonics : int
        Of each frequency; every one is a feature.
    frequencies_hz : str
        One frequency for each class, in class order and separated by commas; empty: read from the class names.
    loading : float
        Share of the mean channel power added to the covariance's diagonal.
    inverse_penalty : float, or text such as ``0.1,1,10``
        C of the logistic regression; several values are chosen from on validation.
    """

    harmonics: int = Field(default=3, ge=1)
    frequencies_hz: str = ""
    loading: float = Field(default=1e-4, gt=0, lt=1)
    inverse_penalty: Amounts = (0.01, 0.1, 1.0, 10.0, 100.0)


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

    def energies(self, windows: Floats) -> tuple[Floats, tuple[LayerWork, ...]]:
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


@dataclass(frozen=True, slots=True)
class LockInLogistic:
    """Energies and the regression on them."""

    front: LockIn
    regression: Logistic

    def decode(self, dataset: Dataset, examples: Indices) -> Decoded:
        """Return the logits of these windows."""
        features, layers = self.front.energies(dataset.windows.inputs(examples))
        return Decoded(
            self.regression.logits(features), (*layers, self.regression.layer(f"{NAME}.regression", features)),
            len(features), self.front.table.size + self.regression.parameters,
        )  # fmt: skip


def run(dataset: Dataset, fold: Fold, options: LockInOptions) -> BaselineResult:
    """Return the regression on the fold's energies, its penalty chosen on validation.

    Raises
    ------
    DataError
        If the classes name no frequencies, the window is too short, or a class is absent in training.
    """
    rates_hz = frequencies(dataset, harmonics=options.harmonics, frequencies_hz=options.frequencies_hz, where=WHERE)
    each = tuple(harmonic * rate_hz for harmonic in range(1, options.harmonics + 1) for rate_hz in rates_hz)
    steps = dataset.windows.steps
    front = LockIn(references(each, 1, steps, dataset.step_rate_hz).reshape(-1, steps), options.loading)
    features = front.energies(dataset.windows.inputs())[0]

    def regression(examples: Indices, inverse_penalty: float) -> Logistic:
        return fit_logistic(features[examples], dataset.targets[examples], len(dataset.output_names),
                            inverse_penalty=inverse_penalty, where=WHERE)  # fmt: skip

    chosen = best_on_validation(
        dataset, fold, sorted(set(options.inverse_penalty)),
        lambda candidate: regression(fold.train, candidate).logits(features[fold.validation]),
    )  # fmt: skip
    return deployed(
        NAME, "lock-in+LR", dataset, fold, lambda examples: LockInLogistic(front, regression(examples, chosen)),
        width_bits=FLOAT_BITS, chosen=decided({"inverse_penalty": (options.inverse_penalty, chosen)}),
    )  # fmt: skip


BASELINE = Baseline("lock-in+LR", ("classification",), LockInOptions, run)
