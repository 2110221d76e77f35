"""Covariance of a window in the tangent space at the Riemannian mean, and a logistic regression.

The features are the upper triangle of log(M^-1/2 C M^-1/2), with C the shrunk covariance of the window and M the
Riemannian mean of the training windows (Barachant et al. 2012, doi 10.1109/TBME.2011.2172210). The factor sqrt(2) of
elements off the diagonal is taken up by the regression's standardisation.

Deployed arithmetic: float32 throughout; the logarithm of an eigenvalue is a table look-up. The eigenvalues come from
a fixed number of Jacobi sweeps (`cosim.baselines.numerics.jacobi`). Whitening and logarithm span more than 16 bits
can hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cosim.baselines.fitting import Amounts, best_on_validation, decided, deployed
from cosim.baselines.logistic import Logistic, fit_logistic
from cosim.baselines.numerics.jacobi import eigen, eigen_operations
from cosim.baselines.numerics.riemann import of_eigenvalues, riemannian_mean, shrunk_covariances
from cosim.baselines.numerics.small_algebra import gram_operations, summed
from cosim.baselines.numerics.work import FLOAT_BITS, linear_row, matrix_row, stage_row
from cosim.baselines.types import Baseline, BaselineResult, Decoded, Indices, Options
from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold
from energy_models.errors import DataError
from energy_models.workload import LayerWork

NAME = "tangent_space"
WHERE = f"baseline {NAME!r}"
Floats = NDArray[np.float32]


class TangentSpaceOptions(Options):
    """Sweeps and penalty.

    Parameters
    ----------
    sweeps : int
        Jacobi sweeps of the deployed eigenvalues; six settle 64 channels to float32's precision.
    inverse_penalty : float, or text such as ``0.1,1,10``
        C of the logistic regression; several values are chosen from on validation.
    """

    sweeps: int = Field(default=6, ge=1)
    inverse_penalty: Amounts = (0.001, 0.01, 0.1, 1.0, 10.0)


def centred(windows: Floats) -> Floats:
    """Return windows without the mean of each channel."""
    return (windows - windows.mean(axis=2, keepdims=True)).astype(np.float32)


def upper_triangle(matrices: NDArray[Any]) -> NDArray[Any]:
    """Return the elements on and above the diagonal, shape (decodes, channels (channels + 1) / 2)."""
    rows, columns = np.triu_indices(matrices.shape[1])
    return matrices[:, rows, columns]


@dataclass(frozen=True, slots=True)
class Reference:
    """The point whose tangent space is used.

    Parameters
    ----------
    whitening : ndarray of float32, shape (channels, channels)
        M^-1/2.
    sweeps : int
    """

    whitening: Floats
    sweeps: int

    def features(self, whitened: Floats) -> Floats:
        """Return the upper triangles of the logarithms of whitened covariances, in deployed arithmetic."""
        values, vectors = eigen(whitened, self.sweeps)
        if not (values > 0).all():
            raise DataError("the covariance of some window is singular", where=WHERE,
                            remedy="Check the recording for flat windows.")  # fmt: skip
        logarithms = np.log(values)[:, :, None] * vectors
        return upper_triangle(vectors.transpose(0, 2, 1) @ logarithms)


def reference(windows: Floats, sweeps: int) -> Reference:
    """Return the tangent space at the Riemannian mean of these windows."""
    mean = riemannian_mean(shrunk_covariances(centred(windows).astype(np.float64)), where=WHERE)
    return Reference(of_eigenvalues(mean, lambda values: 1 / np.sqrt(values)).astype(np.float32), sweeps)


@dataclass(frozen=True, slots=True)
class TangentSpace:
    """Reference point and regression."""

    reference: Reference
    regression: Logistic

    def decode(self, dataset: Dataset, examples: Indices) -> Decoded:
        """Return the logits of these windows."""
        samples = centred(dataset.windows.inputs(examples))
        covariances = shrunk_covariances(samples)
        half = covariances @ self.reference.whitening
        features = self.reference.features(self.reference.whitening @ half)
        layers = (*_layers(self.reference, samples, covariances, half),
                  self.regression.layer(f"{NAME}.regression", features))  # fmt: skip
        return Decoded(self.regression.logits(features), layers, len(samples),
                       self.reference.whitening.size + self.regression.parameters)  # fmt: skip


def logarithm_operations(channels: int, sweeps: int) -> dict[str, int]:
    """Return the operations of the matrix logarithm: eigenvalues, their logarithms, scaled vectors, upper triangle."""
    scaled = {"lookup": channels, "multiply": channels * channels}
    return summed(eigen_operations(channels, sweeps), scaled, gram_operations(channels, channels))


def shrinkage_operations(channels: int) -> dict[str, int]:
    """Return the operations from sums of products to shrunk covariances, of the upper triangle only.

    Scaling by 1 / steps; trace; squares of the triangle, those off the diagonal doubled by one addition; the share
    (3 multiplications, 3 additions, a division, a comparison); every element times (1 - share), the diagonal raised.
    """
    triangle = channels * (channels + 1) // 2
    return {
        "multiply": triangle + 1 + triangle + 1 + 3 + triangle + 1,
        "add": (channels - 1) + triangle + 3 + channels, "divide": 1, "compare": 1,
    }  # fmt: skip


def _layers(kept: Reference, samples: Floats, covariances: Floats, half: Floats) -> tuple[LayerWork, ...]:
    """Return the rows of centring, covariance, shrinkage, both whitenings and logarithm."""
    decodes, channels, steps = samples.shape
    values = channels * steps
    upper = np.triu(np.ones((channels, channels), dtype=np.bool_))
    triangle = int(upper.sum())
    stored = np.broadcast_to(kept.whitening, half.shape)
    return (
        stage_row(f"{NAME}.centre", {"add": 2 * values - channels, "multiply": channels}, inputs=values,
                  outputs=values, decodes=decodes, arithmetic="float"),
        matrix_row(f"{NAME}.covariance", samples, samples.transpose(0, 2, 1), upper, arithmetic="float"),
        stage_row(f"{NAME}.shrinkage", shrinkage_operations(channels), inputs=triangle, outputs=triangle,
                  decodes=decodes, arithmetic="float"),
        linear_row(f"{NAME}.whitening", covariances, kept.whitening, arithmetic="float"),
        matrix_row(f"{NAME}.whitened", stored, half, upper, arithmetic="float"),
        stage_row(f"{NAME}.logarithm", logarithm_operations(channels, kept.sweeps), inputs=triangle, outputs=triangle,
                  decodes=decodes, arithmetic="float"),
    )  # fmt: skip


def run(dataset: Dataset, fold: Fold, options: TangentSpaceOptions) -> BaselineResult:
    """Return the regression in the tangent space, its penalty chosen on validation.

    Raises
    ------
    DataError
        If a window is flat, or a class is absent in training.
    """

    def features(kept: Reference, examples: Indices) -> Floats:
        covariances = shrunk_covariances(centred(dataset.windows.inputs(examples)))
        return kept.features(kept.whitening @ (covariances @ kept.whitening))

    def regression(found: Floats, examples: Indices, inverse_penalty: float) -> Logistic:
        return fit_logistic(found, dataset.targets[examples], len(dataset.output_names),
                            inverse_penalty=inverse_penalty, where=WHERE)  # fmt: skip

    kept = reference(dataset.windows.inputs(fold.train), options.sweeps)
    train, held = (features(kept, examples) for examples in (fold.train, fold.validation))
    chosen = best_on_validation(
        dataset, fold, sorted(set(options.inverse_penalty)),
        lambda candidate: regression(train, fold.train, candidate).logits(held),
    )  # fmt: skip

    def fitted(examples: Indices) -> TangentSpace:
        point = reference(dataset.windows.inputs(examples), options.sweeps)
        return TangentSpace(point, regression(features(point, examples), examples, chosen))

    return deployed(NAME, "tangent space+LR", dataset, fold, fitted, width_bits=FLOAT_BITS,
                    chosen=decided({"inverse_penalty": (options.inverse_penalty, chosen)}))  # fmt: skip


BASELINE = Baseline("tangent space+LR", ("classification",), TangentSpaceOptions, run)
