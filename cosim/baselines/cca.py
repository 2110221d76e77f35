"""Canonical correlation with sine and cosine references: steady-state responses without any training.

The class whose references correlate best with any combination of the channels wins (Lin et al. 2007,
doi 10.1109/TBME.2006.889197). The references of a frequency are made orthonormal beforehand, Q, so the largest
squared correlation is the largest eigenvalue of (L^-1 X Q)' (L^-1 X Q), with L L' = X X' of the centred window X.

Deployed arithmetic: float32 throughout (a 16-bit form of the eigenvalue was not built, so none is claimed). The
eigenvalue comes from a fixed number of Jacobi sweeps; references are a stored table, not made on the fly.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cosim.baselines.fitting import deployed
from cosim.baselines.numerics import small_algebra as algebra
from cosim.baselines.numerics.work import FLOAT_BITS, linear_row, matrix_row, stage_row
from cosim.baselines.types import Baseline, BaselineResult, Decoded, Indices, Options
from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold
from energy_models.errors import DataError
from energy_models.workload import LayerWork

NAME = "cca"
SWEEPS = 6
Floats = NDArray[np.float32]


class CcaOptions(Options):
    """References.

    Parameters
    ----------
    harmonics : int
        Sine and cosine pairs a frequency.
    frequencies_hz : str
        One frequency for each class, in class order and separated by commas; empty: read from the class names.
    loading : float
        Share of the mean channel power added to the covariance's diagonal, so that a window whose channels are
        linearly dependent (after a common average reference) still has a factor.
    """

    harmonics: int = Field(default=3, ge=1)
    frequencies_hz: str = ""
    loading: float = Field(default=1e-4, gt=0, lt=1)


def frequencies(dataset: Dataset, *, harmonics: int, frequencies_hz: str, where: str) -> tuple[float, ...]:
    """Return the stimulation frequency of every class [Hz].

    Parameters
    ----------
    dataset : Dataset
    harmonics : int
    frequencies_hz : str
        One for each class, separated by commas; empty: read from the class names.
    where : str
        Named in errors.

    Raises
    ------
    DataError
        If one is missing, not a number, or has a harmonic at or above half the step rate.
    """
    texts = frequencies_hz.split(",") if frequencies_hz else [
        match[1] if (match := re.search(r"(\d+(?:\.\d+)?)\s*Hz", name)) else name for name in dataset.output_names
    ]  # fmt: skip
    try:
        found = tuple(float(text) for text in texts)
    except ValueError as error:
        raise DataError(f"the classes {', '.join(dataset.output_names)} do not all name a frequency ({error})",
                        where=where, remedy="Leave classes without stimulation (rest) out, or give frequencies_hz, "
                        "such as \"13,17,21\".") from error  # fmt: skip
    if len(found) != len(dataset.output_names):
        raise DataError(f"{len(found)} frequencies were given for {len(dataset.output_names)} classes", where=where,
                        remedy="Give one for each class, in class order.")  # fmt: skip
    highest = max(found) * harmonics
    if min(found) <= 0 or highest >= dataset.step_rate_hz / 2:
        raise DataError(f"harmonics up to {highest:g} Hz do not fit under half of {dataset.step_rate_hz:g} Hz",
                        where=where, remedy="Use fewer harmonics.")  # fmt: skip
    channels, steps = len(dataset.windows.channels), dataset.windows.steps
    if steps <= max(channels, 2 * harmonics):
        raise DataError(f"a window of {steps} steps is too short for {channels} channels and {harmonics} harmonics",
                        where=where, remedy="Use a longer window.")  # fmt: skip
    return found


def references(rates_hz: tuple[float, ...], harmonics: int, steps: int, step_rate_hz: float) -> Floats:
    """Return orthonormal references without mean, shape (frequencies, 2 harmonics, steps)."""
    time_s = np.arange(steps) / step_rate_hz
    tables: list[NDArray[np.float64]] = []
    for rate_hz in rates_hz:
        angles = 2 * np.pi * rate_hz * np.outer(np.arange(1, harmonics + 1), time_s)
        waves = np.concatenate([np.sin(angles), np.cos(angles)])
        tables.append(np.linalg.qr((waves - waves.mean(axis=1, keepdims=True)).T)[0].T)
    return np.stack(tables).astype(np.float32)


def covariances(centred: Floats, loading: float) -> Floats:
    """Return X X' of every window with its diagonal loaded, shape (decodes, channels, channels)."""
    products = centred @ centred.transpose(0, 2, 1)
    channels = products.shape[1]
    share = np.float32(loading / channels)
    added = share * np.trace(products, axis1=1, axis2=2)
    return products + added[:, None, None] * np.eye(channels, dtype=np.float32)


def squared_correlations(loaded: Floats, projected: Floats, harmonics: int, sweeps: int = SWEEPS) -> Floats:
    """Return the largest squared canonical correlation with each set of references, shape (decodes, sets).

    Parameters
    ----------
    loaded : ndarray of float32, shape (decodes, channels, channels)
    projected : ndarray of float32, shape (decodes, channels, sets * 2 harmonics)
        Windows times references.
    harmonics : int
        Sine and cosine pairs a set.
    sweeps : int
        Jacobi sweeps of the eigenvalue; one is exact for a single harmonic.
    """
    lower, inverses = algebra.cholesky(elements(loaded))
    solved = algebra.forward_solve(lower, inverses, elements(projected))
    width = 2 * harmonics
    found: list[Any] = []
    for start in range(0, projected.shape[2], width):
        block = [row[start : start + width] for row in solved]
        rows = block if len(block) <= width else [list(column) for column in zip(*block, strict=True)]
        found.append(algebra.largest_eigenvalue(algebra.gram(rows), sweeps))
    return np.stack(found, axis=1)


def elements(matrices: Floats) -> algebra.Matrix:
    """Return rows of elements, each an array over decodes, of matrices of shape (decodes, rows, columns)."""
    return [list(row) for row in matrices.transpose(1, 2, 0)]


def correlation_operations(channels: int, sets: int, harmonics: int, sweeps: int = SWEEPS) -> dict[str, int]:
    """Return the operations after the two large products: loading, factor, solve, Gram matrices, eigenvalues."""
    width = 2 * harmonics
    small, inner = min(channels, width), max(channels, width)
    loading = {"add": 2 * channels - 1, "multiply": 1}
    solve = algebra.forward_solve_operations(channels, sets * width)
    each = algebra.summed(
        algebra.gram_operations(small, inner), algebra.largest_eigenvalue_operations(small, sweeps), times=sets
    )
    return algebra.summed(loading, algebra.cholesky_operations(channels), solve, each)


@dataclass(frozen=True, slots=True)
class Correlations:
    """Squared canonical correlations of a window with sets of references.

    Parameters
    ----------
    name : str
        Of the baseline, for its layers.
    table : ndarray of float32, shape (sets * 2 harmonics, steps)
        Orthonormal references.
    harmonics : int
        Sine and cosine pairs a set.
    loading : float
    sweeps : int
    """

    name: str
    table: Floats
    harmonics: int
    loading: float
    sweeps: int

    @property
    def sets(self) -> int:
        """How many sets of references there are."""
        return len(self.table) // (2 * self.harmonics)

    def of(self, windows: Floats) -> tuple[Floats, tuple[LayerWork, ...]]:
        """Return the squared correlations, shape (decodes, sets), and the work of finding them."""
        centred = (windows - windows.mean(axis=2, keepdims=True)).astype(np.float32)
        loaded = covariances(centred, self.loading)
        found = squared_correlations(loaded, centred @ self.table.T, self.harmonics, self.sweeps)
        return found, self._layers(centred)

    def _layers(self, centred: Floats) -> tuple[LayerWork, ...]:
        """Return the rows of centring, covariance, projection and correlation."""
        decodes, channels, steps = centred.shape
        values = channels * steps
        upper = np.triu(np.ones((channels, channels), dtype=np.bool_))
        small = correlation_operations(channels, self.sets, self.harmonics, self.sweeps)
        return (
            stage_row(f"{self.name}.centre", {"add": 2 * values - channels, "multiply": channels}, inputs=values,
                      outputs=values, decodes=decodes, arithmetic="float"),
            matrix_row(f"{self.name}.covariance", centred, centred.transpose(0, 2, 1), upper, arithmetic="float"),
            linear_row(f"{self.name}.projection", centred, self.table, arithmetic="float"),
            stage_row(f"{self.name}.correlation", small, inputs=int(upper.sum()) + channels * len(self.table),
                      outputs=self.sets, decodes=decodes, arithmetic="float"),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class CcaDecoder:
    """The class whose references correlate best."""

    correlations: Correlations

    def decode(self, dataset: Dataset, examples: Indices) -> Decoded:
        """Return the squared correlations of these windows as logits."""
        found, layers = self.correlations.of(dataset.windows.inputs(examples))
        return Decoded(found.astype(np.float64), layers, len(found), self.correlations.table.size)


def run(dataset: Dataset, fold: Fold, options: CcaOptions) -> BaselineResult:
    """Return the squared correlations of the fold's windows; nothing is fitted.

    Raises
    ------
    DataError
        If the classes name no frequencies, or the window is too short for the covariance to have full rank.
    """
    rates_hz = frequencies(dataset, harmonics=options.harmonics, frequencies_hz=options.frequencies_hz,
                           where=f"baseline {NAME!r}")  # fmt: skip
    steps = dataset.windows.steps
    table = references(rates_hz, options.harmonics, steps, dataset.step_rate_hz).reshape(-1, steps)
    decoder = CcaDecoder(Correlations(NAME, table, options.harmonics, options.loading, SWEEPS))
    return deployed(NAME, "CCA", dataset, fold, lambda _: decoder, width_bits=FLOAT_BITS)


BASELINE = Baseline("CCA", ("classification",), CcaOptions, run)
