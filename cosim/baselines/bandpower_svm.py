"""Support vector machine with a Gaussian kernel on log band power.

Deployed arithmetic: float32 throughout; the exponential and the logarithm are table look-ups. With the stored
vectors 2 g s and biases -g |s|^2, a kernel value is exp(2 g s.x - g |s|^2 - g |x|^2), one product per vector and
feature. Several classes vote one against one (LIBSVM: Chang and Lin 2011, doi 10.1145/1961189.1961199).
"""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator
from sklearn.svm import SVC as _SVC  # pyright: ignore[reportMissingTypeStubs]

from cosim.baselines.spectrum import band_bins, band_power_operations, log_band_power, read_bands
from cosim.baselines.types import Baseline, BaselineResult, Options, fitting_examples
from cosim.baselines.work import FLOAT_BITS, linear_row, stage_row
from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold
from energy_models.errors import DataError
from energy_models.workload import LayerWork

SVC: Any = _SVC  # scikit-learn ships no types
NAME = "bandpower_svm"
Floats = NDArray[np.float32]


class BandpowerSvmOptions(Options):
    """Bands, transform length and softness.

    Parameters
    ----------
    bands_hz : str
        Edges, such as ``0.5-4,4-8``.
    segment_steps : int
        Length of a transform; a power of two.
    softness : float
        C of the support vector machine: what a margin violation costs.
    """

    bands_hz: str = "0.5-4,4-8,8-13,13-30,30-45"
    segment_steps: int = Field(default=256, ge=8)
    softness: float = Field(default=10.0, gt=0)

    @field_validator("segment_steps")
    @classmethod
    def _power_of_two(cls, value: int) -> int:
        if value & (value - 1):
            raise ValueError("must be a power of two")
        return value


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
    coefficients: Floats
    intercepts: Floats
    owners: NDArray[np.int64]

    def standardised(self, features: Floats) -> Floats:
        """Return features of zero mean and unit variance over the training part."""
        return (features - self.mean) * self.scale

    def kernels(self, standardised: Floats) -> Floats:
        """Return the kernel values, shape (examples, support vectors)."""
        own = self.gamma * (standardised**2).sum(axis=1, keepdims=True)
        return np.exp(standardised @ self.vectors.T + self.offsets - own)

    def logits(self, kernels: Floats) -> Floats:
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


def fit(features: Floats, labels: NDArray[Any], classes: int, softness: float) -> KernelMachine:
    """Return the machine fitted on log band power, its kernel width 1 / features (unit variance).

    Raises
    ------
    DataError
        If a class is absent, or a feature does not vary.
    """
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    if set(np.unique(labels).tolist()) != set(range(classes)) or not (deviation > 0).all():
        raise DataError("a class has no training example, or a feature does not vary", where=f"baseline {NAME!r}",
                        remedy="Choose folds whose training part holds every class.")  # fmt: skip
    gamma = 1 / features.shape[1]
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


def run(dataset: Dataset, fold: Fold, options: BandpowerSvmOptions) -> BaselineResult:
    """Return the machine fitted on the fold, on windows as the dataset's pipeline gives them.

    Raises
    ------
    DataError
        If a band holds no bin, or a window is flat or too short.
    """
    bins = band_bins(read_bands(options.bands_hz), options.segment_steps, dataset.step_rate_hz)
    chosen = fitting_examples(fold)
    machine = fit(log_band_power(dataset.inputs[chosen], bins, options.segment_steps), dataset.targets[chosen],
                  len(dataset.output_names), options.softness)  # fmt: skip
    standardised = machine.standardised(log_band_power(dataset.inputs[fold.test], bins, options.segment_steps))
    kernels = machine.kernels(standardised)
    _, channels, steps = dataset.inputs.shape
    spectrum = band_power_operations(channels, steps, bins, options.segment_steps)
    stored = (machine.mean, machine.scale, machine.vectors, machine.offsets, machine.coefficients, machine.intercepts)
    return BaselineResult(
        name=NAME, label="band power SVM", outputs_test=machine.logits(kernels).astype(np.float64),
        layers=(
            stage_row(f"{NAME}.spectrum", spectrum, inputs=dataset.inputs[0].size, outputs=standardised.shape[1],
                      decodes=len(kernels), arithmetic="float", weights=2 * options.segment_steps),
            *_layers(machine, standardised, kernels),
        ),
        decodes=len(kernels), mode="window", parameters=sum(array.size for array in stored) + 2 * options.segment_steps,
        weight_bits=FLOAT_BITS, activation_bits=FLOAT_BITS,
    )  # fmt: skip


def _layers(machine: KernelMachine, standardised: Floats, kernels: Floats) -> tuple[LayerWork, ...]:
    """Return the rows of logarithm and scaling, inner products, exponential, and vote."""
    decodes, features = standardised.shape
    vectors, classes = kernels.shape[1], len(machine.coefficients) + 1
    pairs = len(machine.intercepts)
    voting = {"add": pairs}
    if classes > 2:  # a vote and two confidences a pair; a bounded ratio a class
        voting = {"compare": pairs, "add": 4 * pairs + 2 * classes, "multiply": classes, "divide": classes}
    vote = linear_row(f"{NAME}.vote", kernels[:, None, :], machine.coefficients, arithmetic="float", operations=voting)
    # Each vector meets only the pairs its class is in, so there is one sum a pair though the matrix is narrower.
    vote = dataclasses.replace(vote, biases=pairs, bias_bits=FLOAT_BITS, output_shape=(pairs,), outputs=pairs)
    return (
        stage_row(f"{NAME}.scale", {"lookup": features, "add": features, "multiply": features}, inputs=features,
                  outputs=features, decodes=decodes, arithmetic="float", weights=2 * features),
        linear_row(f"{NAME}.inner", standardised[:, None, :], machine.vectors, arithmetic="float", biases=vectors),
        stage_row(f"{NAME}.kernel", {"multiply": features + 1, "add": features - 1 + vectors, "lookup": vectors},
                  inputs=features + vectors, outputs=vectors, decodes=decodes, arithmetic="float", kind="activation"),
        vote,
    )  # fmt: skip


BASELINE = Baseline("band power SVM", ("classification",), BandpowerSvmOptions, run)
