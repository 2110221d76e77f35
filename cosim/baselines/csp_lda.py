"""Common spatial patterns, log power, linear discriminant: the standard decoder of two imagined movements.

Filters maximise the power of one class over both: C1 w = l (C1 + C2) w, with trial covariances of unit trace
(Ramoser et al. 2000, doi 10.1109/86.895946), shrunk to a multiple of the identity because a common average
reference leaves the covariance singular (Lotte and Guan 2011, doi 10.1109/TBME.2010.2082539).

Deployed arithmetic: 16-bit inputs, weights, components and features, 40-bit accumulators, the logarithm from a
table with a step of 2^-10; the scores come from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg as _linalg  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray
from pydantic import Field

from cosim.baselines.discriminant import fit_discriminant, two_sided
from cosim.baselines.fitting import deployed
from cosim.baselines.numerics.fixed_point import (
    ACCUMULATOR_BITS,
    WIDTH_BITS,
    FixedLinear,
    Grid,
    fixed_linear,
    grid_of,
)
from cosim.baselines.numerics.log_power import LOG_STEP, log_power
from cosim.baselines.numerics.work import linear_row, matrix_row, stage_row
from cosim.baselines.types import Baseline, BaselineResult, Decoded, Floats, Indices, Options
from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold
from energy_models.errors import DataError
from energy_models.workload import LayerWork

linalg: Any = _linalg  # scipy ships no types
NAME = "csp_lda"


class CspLdaOptions(Options):
    """Number of components, and shrinkage.

    Parameters
    ----------
    components : int
        Spatial filters, half for each class; even.
    shrinkage : float
        Share of the identity in each class covariance.
    """

    components: int = Field(default=4, ge=2, multiple_of=2)
    shrinkage: float = Field(default=0.01, gt=0, lt=1)


def spatial_filters(inputs: Floats, labels: NDArray[Any], components: int, shrinkage: float) -> Floats:
    """Return the filters, shape (components, channels): the extreme generalised eigenvectors of two classes.

    Parameters
    ----------
    inputs : ndarray, shape (examples, channels, steps)
    labels : ndarray of int, shape (examples,)
    components : int
    shrinkage : float
    """
    channels = inputs.shape[1]
    covariances = inputs @ inputs.transpose(0, 2, 1)
    covariances /= np.trace(covariances, axis1=1, axis2=2)[:, None, None]
    first, second = (
        (1 - shrinkage) * covariances[labels == label].mean(axis=0) + shrinkage / channels * np.eye(channels)
        for label in (0, 1)
    )
    vectors: Floats = linalg.eigh(first, first + second)[1]
    half = components // 2
    return vectors[:, [*range(half), *range(channels - half, channels)]].T


@dataclass(frozen=True, slots=True)
class FixedCsp:
    """Filters, log power and discriminant in 16-bit arithmetic."""

    inputs: Grid
    filters: FixedLinear
    components: Grid
    discriminant: FixedLinear

    def filtered(self, samples: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the components, shape (examples, steps, components), of samples of shape (.., steps, channels)."""
        return self.components.integers(self.filters.values(samples))

    def decode(self, dataset: Dataset, examples: Indices) -> Decoded:
        """Return the logits of these windows."""
        samples = self.inputs.integers(dataset.windows.inputs(examples)).transpose(0, 2, 1)
        filtered = self.filtered(samples)
        features = log_power(filtered)
        return Decoded(two_sided(self.discriminant.values(features)), _layers(self, samples, filtered, features),
                       len(samples), self.filters.weights.size + self.discriminant.weights.size + 1)  # fmt: skip


def fit(inputs: Floats, labels: NDArray[Any], options: CspLdaOptions) -> FixedCsp:
    """Return the decoder fitted on examples of shape (examples, channels, steps)."""
    filters = spatial_filters(inputs, labels, options.components, options.shrinkage)
    grid = grid_of(inputs)
    fixed = fixed_linear(filters, np.zeros(len(filters)), float(grid.step))
    samples = grid.integers(inputs).transpose(0, 2, 1)
    components = Grid(grid_of(fixed.values(samples), axis=(0, 1)).step.reshape(-1))
    unfinished = FixedCsp(grid, fixed, components, fixed)
    features = (log_power(unfinished.filtered(samples)) * LOG_STEP).astype(np.float64)
    weights, biases = fit_discriminant(features, labels, 2, shrinkage="none", where=f"baseline {NAME!r}")
    return FixedCsp(grid, fixed, components, fixed_linear(weights, biases, LOG_STEP))


def run(dataset: Dataset, fold: Fold, options: CspLdaOptions) -> BaselineResult:
    """Return the decoder fitted on the fold, on windows as the dataset's pipeline gives them.

    Raises
    ------
    DataError
        If there are not exactly two classes, or fewer channels than components.
    """
    if len(dataset.output_names) != 2 or len(dataset.windows.channels) < options.components:
        raise DataError(
            f"it needs two classes and at least {options.components} channels, and {dataset.name!r} has "
            f"{len(dataset.output_names)} and {len(dataset.windows.channels)}", where=f"baseline {NAME!r}",
            remedy="Choose another baseline, or fewer components.")  # fmt: skip

    def fitted(examples: Indices) -> FixedCsp:
        return fit(dataset.windows.inputs(examples).astype(np.float64), dataset.targets[examples], options)

    return deployed(NAME, "CSP+LDA", dataset, fold, fitted, width_bits=WIDTH_BITS)


def _layers(
    decoder: FixedCsp, samples: NDArray[np.int64], filtered: NDArray[np.int64], features: NDArray[np.int64]
) -> tuple[LayerWork, ...]:
    """Return the rows of filter, power (each component times itself), logarithm and discriminant."""
    decodes, steps, components = filtered.shape
    turned = filtered.transpose(0, 2, 1)
    return (
        linear_row(f"{NAME}.filters", samples, decoder.filters.weights, arithmetic="integer",
                   operations={"requantise": components * steps}),
        matrix_row(f"{NAME}.power", turned, filtered, np.eye(components, dtype=np.bool_), arithmetic="integer"),
        stage_row(f"{NAME}.logarithm", {"lookup": components}, inputs=components, outputs=components, decodes=decodes,
                  arithmetic="integer"),
        linear_row(f"{NAME}.discriminant", features[:, None, :], decoder.discriminant.weights, arithmetic="integer",
                   biases=1, output_bits=ACCUMULATOR_BITS),
    )  # fmt: skip


BASELINE = Baseline("CSP+LDA", ("classification",), CspLdaOptions, run)
