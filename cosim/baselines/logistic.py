"""Logistic regression, fitted by scikit-learn and deployed as one float32 matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression as _LogisticRegression  # pyright: ignore[reportMissingTypeStubs]

from cosim.baselines.discriminant import two_sided
from cosim.baselines.numerics.work import linear_row
from cosim.baselines.types import Floats
from energy_models.errors import DataError
from energy_models.workload import LayerWork

LogisticRegression: Any = _LogisticRegression  # scikit-learn ships no types
ITERATIONS = 5000


@dataclass(frozen=True, slots=True)
class Logistic:
    """Weights and biases in float32: one row for two classes, else one each.

    Parameters
    ----------
    weights : ndarray of float32, shape (rows, features)
    biases : ndarray of float32, shape (rows,)
    """

    weights: NDArray[np.float32]
    biases: NDArray[np.float32]

    @property
    def parameters(self) -> int:
        """Stored numbers."""
        return self.weights.size + self.biases.size

    def logits(self, features: NDArray[np.float32]) -> Floats:
        """Return logits, shape (examples, classes), of features of shape (examples, features)."""
        return two_sided((features @ self.weights.T + self.biases).astype(np.float64))

    def layer(self, name: str, features: NDArray[np.float32]) -> LayerWork:
        """Return the row of the matrix applied to these features."""
        return linear_row(name, features[:, None, :], self.weights, arithmetic="float", biases=len(self.biases))


def fit_logistic(
    features: NDArray[Any], labels: NDArray[Any], classes: int, *, inverse_penalty: float, where: str
) -> Logistic:
    """Return the regression of standardised features, the standardisation folded into its weights.

    Parameters
    ----------
    features : ndarray, shape (examples, features)
    labels : ndarray of int, shape (examples,)
    classes : int
    inverse_penalty : float
        C: weight of the likelihood against half the squared coefficients of unit-variance features.
    where : str
        Named in errors.

    Raises
    ------
    DataError
        If a class is absent, or a feature does not vary.
    """
    values = features.astype(np.float64)
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    if set(np.unique(labels).tolist()) != set(range(classes)) or not (deviation > 0).all():
        raise DataError("a class has no training example, or a feature does not vary", where=where,
                        remedy="Choose folds whose training part holds every class.")  # fmt: skip
    fitted: Any = LogisticRegression(C=inverse_penalty, max_iter=ITERATIONS)
    fitted.fit((values - mean) / deviation, labels)
    weights = np.asarray(fitted.coef_, dtype=np.float64) / deviation
    biases = np.asarray(fitted.intercept_, dtype=np.float64) - weights @ mean
    return Logistic(weights.astype(np.float32), biases.astype(np.float32))
