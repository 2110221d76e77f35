"""Support vector machine with a Gaussian kernel, in float32 and in 16-bit arithmetic.

With the stored vectors 2 g s and biases -g |s|^2, a kernel value is exp(2 g s.x - g |s|^2 - g |x|^2), one product per
vector and feature. Several classes vote one against one (LIBSVM: Chang and Lin 2011, doi 10.1145/1961189.1961199).
"""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.svm import SVC as _SVC  # pyright: ignore[reportMissingTypeStubs]

from cosim.baselines.numerics.work import FLOAT_BITS, linear_row, stage_row
from energy_models.errors import DataError
from energy_models.workload import LayerWork

SVC: Any = _SVC  # scikit-learn ships no types
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class KernelMachine:
    """A fitted machine in float32.

    Parameters
    ----------
    mean, scale : ndarray, shape (features,)
        Standardisation: (x - mean) * scale.
    vectors : ndarray, shape (support vectors, features)
        2 g s.
    offsets : ndarray, shape (support vectors,)
        -g |s|^2.
    gamma : float
    coefficients : ndarray, shape (classes - 1, support vectors)
        Of each vector against every other class, in LIBSVM's layout.
    intercepts : ndarray
        One for each pair of classes.
    owners : ndarray of int, shape (support vectors,)
        Class of each vector.
    """

    mean: Floats
    scale: Floats
    vectors: Floats
    offsets: Floats
    gamma: np.float32
    coefficients: NDArray[Any]
    intercepts: NDArray[Any]
    owners: NDArray[np.int64]

    @property
    def parameters(self) -> int:
        """Stored numbers."""
        stored = (self.mean, self.scale, self.vectors, self.offsets, self.coefficients, self.intercepts)
        return sum(array.size for array in stored)

    def standardised(self, features: Floats) -> Floats:
        """Return features of zero mean and unit variance over the training part."""
        return (features - self.mean) * self.scale

    def kernels(self, standardised: Floats) -> Floats:
        """Return the kernel values, shape (examples, support vectors)."""
        own = self.gamma * (standardised**2).sum(axis=1, keepdims=True)
        return np.exp(standardised @ self.vectors.T + self.offsets - own)

    def logits(self, kernels: NDArray[Any]) -> NDArray[Any]:
        """Return the signed margin (-d, d) of two classes, or votes plus a bounded confidence for more."""
        if len(self.coefficients) == 1:
            margin = kernels @ self.coefficients.T + self.intercepts
            return np.hstack([-margin, margin])
        classes = len(self.coefficients) + 1
        votes = np.zeros((len(kernels), classes), dtype=np.float32)
        confidence = np.zeros_like(votes)
        for pair, (i, j) in enumerate(itertools.combinations(range(classes), 2)):
            first, second = self.owners == i, self.owners == j
            margin = (kernels[:, first] @ self.coefficients[j - 1, first]
                      + kernels[:, second] @ self.coefficients[i, second] + self.intercepts[pair])  # fmt: skip
            confidence[:, i] += margin
            confidence[:, j] -= margin
            votes[:, i] += margin > 0
            votes[:, j] += margin <= 0
        return votes + (confidence / (3 * (np.abs(confidence) + 1))).astype(np.float32)

    def layers(self, name: str, standardised: Floats, kernels: Floats) -> tuple[LayerWork, ...]:
        """Return the rows of logarithm and scaling, inner products, exponential, and vote."""
        decodes, features = standardised.shape
        vectors = kernels.shape[1]
        return (
            stage_row(f"{name}.scale", {"lookup": features, "add": features, "multiply": features}, inputs=features,
                      outputs=features, decodes=decodes, arithmetic="float", weights=2 * features),
            linear_row(f"{name}.inner", standardised[:, None, :], self.vectors, arithmetic="float", biases=vectors),
            stage_row(f"{name}.kernel", {"multiply": features + 1, "add": features - 1 + vectors, "lookup": vectors},
                      inputs=features + vectors, outputs=vectors, decodes=decodes, arithmetic="float",
                      kind="activation"),
            vote_row(name, kernels, self.coefficients, bias_bits=FLOAT_BITS, pairs=len(self.intercepts)),
        )  # fmt: skip


def vote_row(
    name: str, kernels: NDArray[Any], coefficients: NDArray[Any], *, bias_bits: int, pairs: int
) -> LayerWork:
    """Return the row of the margins and the vote over all pairs of classes."""
    classes = len(coefficients) + 1
    voting = {"add": pairs}
    if classes > 2:  # a vote and two confidences a pair; a bounded ratio a class
        voting = {"compare": pairs, "add": 4 * pairs + 2 * classes, "multiply": classes, "divide": classes}
    arithmetic = "float" if bias_bits == FLOAT_BITS else "integer"
    row = linear_row(f"{name}.vote", kernels[:, None, :], coefficients, arithmetic=arithmetic, operations=voting)
    # Each vector meets only the pairs its class is in, so there is one sum a pair though the matrix is narrower.
    return dataclasses.replace(row, biases=pairs, bias_bits=bias_bits, output_shape=(pairs,), outputs=pairs)


def fit(
    features: Floats, labels: NDArray[Any], classes: int, *, softness: float, width: float, where: str
) -> KernelMachine:
    """Return the machine fitted on features that are standardised first.

    Parameters
    ----------
    features : ndarray, shape (examples, features)
    labels : ndarray of int, shape (examples,)
    classes : int
    softness : float
        C: what a margin violation costs.
    width : float
        g times the number of features: 1 for a kernel as wide as the unit-variance features spread.
    where : str
        Named in errors.

    Raises
    ------
    DataError
        If a class is absent, or a feature does not vary.
    """
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    if set(np.unique(labels).tolist()) != set(range(classes)) or not (deviation > 0).all():
        raise DataError("a class has no training example, or a feature does not vary", where=where,
                        remedy="Choose folds whose training part holds every class.")  # fmt: skip
    gamma = width / features.shape[1]
    fitted: Any = SVC(C=softness, gamma=gamma)
    fitted.fit((features - mean) / deviation, labels)
    support = np.asarray(fitted.support_vectors_, dtype=np.float64)
    return KernelMachine(
        mean=mean, scale=(1 / deviation).astype(np.float32), vectors=(2 * gamma * support).astype(np.float32),
        offsets=(-gamma * (support**2).sum(axis=1)).astype(np.float32), gamma=np.float32(gamma),
        coefficients=np.asarray(fitted.dual_coef_, dtype=np.float32),
        intercepts=np.asarray(fitted.intercept_, dtype=np.float32),
        owners=np.repeat(np.arange(classes), fitted.n_support_),
    )  # fmt: skip
