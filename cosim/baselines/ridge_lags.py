"""Ridge regression from the last few bins of activity to kinematics, as a streaming decoder.

Lags and penalty are chosen on the validation part (see `cosim.baselines.fitting`), fewer lags and a larger penalty
being the simpler decoder.

Deployed arithmetic: 16-bit weights (one step per output), 16-bit inputs (spike counts as they are), 40-bit
accumulators, 16-bit estimates. The scores come from that arithmetic. A ring buffer holds the last `lags` bins;
each new bin overwrites the oldest, and every output then reads the whole buffer.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cosim.baselines.fitting import Amounts, Counts, best_on_validation, decided, deployed
from cosim.baselines.numerics.fixed_point import WIDTH_BITS, FixedLinear, Grid, fixed_linear, grid_of
from cosim.baselines.numerics.work import linear_row, stage_row
from cosim.baselines.training_pairs import Pair, training_pairs
from cosim.baselines.types import Baseline, BaselineResult, Decoded, Floats, Indices, Options
from cosim.datasets.contiguous_segments import contiguous_segments, in_test_order, joined_inputs
from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold
from energy_models.errors import DataError
from energy_models.workload import LayerWork

NAME = "ridge_lags"
CHUNK_STEPS = 4096
Number = TypeVar("Number", bound=np.generic)


class RidgeLagsOptions(Options):
    """Memory and penalty; several values are chosen from on validation.

    Parameters
    ----------
    lags : int, or text such as ``5,10,15``
        Bins the estimate looks at, the current one included.
    penalty : float, or text such as ``10,100``
        Weight of the squared coefficients; the intercept is not penalised.
    """

    lags: Counts = (1, 2, 4, 7, 10, 15, 20)
    penalty: Amounts = (1.0, 10.0, 100.0, 1000.0, 10000.0, 100000.0)


def lagged(inputs: NDArray[Number], lags: int) -> NDArray[Number]:
    """Return each step beside the steps before it, shape (steps, lags * channels); zeros before the first."""
    steps, channels = inputs.shape
    rows = np.zeros((steps, lags, channels), dtype=inputs.dtype)
    for lag in range(min(lags, steps)):
        rows[lag:, lag] = inputs[: steps - lag]
    return rows.reshape(steps, lags * channels)


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean, shape (features + outputs,), and centred sums of products of features beside targets."""

    features: int
    mean: Floats
    scatter: Floats

    def solved(self, penalty: float) -> tuple[Floats, Floats]:
        """Return coefficients, shape (outputs, features), and intercepts, shape (outputs,), for one penalty."""
        left, right = self.scatter[: self.features, : self.features], self.scatter[: self.features, self.features :]
        weights = np.linalg.solve(left + penalty * np.eye(self.features), right).T
        intercepts = self.mean[self.features :] - weights @ self.mean[: self.features]
        return weights.astype(np.float64), intercepts.astype(np.float64)


def moments(pairs: list[Pair], lags: int) -> Moments:
    """Return the moments over steps whose whole history was recorded.

    Parameters
    ----------
    pairs : list of (inputs, targets)
        One per contiguous segment, shapes (steps, channels) and (steps, outputs).
    lags : int

    Raises
    ------
    DataError
        If no contiguous segment is as long as the memory.
    """
    features, outputs = lags * pairs[0][0].shape[1], pairs[0][1].shape[1]
    size, width = 0, features + outputs
    total, gram = np.zeros(width), np.zeros((width, width))
    for inputs, targets in pairs:
        for start in range(lags - 1, len(inputs), CHUNK_STEPS):
            stop = min(start + CHUNK_STEPS, len(inputs))
            rows = np.hstack([lagged(inputs[start - lags + 1 : stop], lags)[lags - 1 :], targets[start:stop]])
            size, total, gram = size + len(rows), total + rows.sum(axis=0), gram + rows.T @ rows
    if size == 0:
        raise DataError(f"no training segment holds {lags} steps", where=f"baseline {NAME!r}",
                        remedy="Use fewer lags.")  # fmt: skip
    mean = total / size
    return Moments(features, mean, gram - size * np.outer(mean, mean))


def fit(pairs: list[Pair], lags: int, penalty: float) -> tuple[Floats, Floats]:
    """Return coefficients, shape (outputs, lags * channels), and intercepts, shape (outputs,).

    Minimises sum |target - W x - b|^2 + penalty |W|^2 over steps whose whole history was recorded.

    Raises
    ------
    DataError
        If no contiguous segment is as long as the memory.
    """
    return moments(pairs, lags).solved(penalty)


@dataclass(frozen=True, slots=True)
class FixedRidge:
    """The regression in 16-bit arithmetic."""

    lags: int
    inputs: Grid
    matrix: FixedLinear
    outputs: Grid

    def decode(self, dataset: Dataset, examples: Indices) -> Decoded:
        """Return the estimates of each contiguous segment, from an empty buffer."""
        runs = contiguous_segments(dataset, examples)
        activations = [lagged(self.inputs.integers(joined_inputs(dataset, part)), self.lags) for part in runs]
        decoded = [self.outputs.rounded(self.matrix.values(rows)) for rows in activations]
        layers = _layers(np.concatenate(activations)[:, None, :], self.matrix, len(dataset.windows.channels))
        return Decoded(in_test_order(dataset, examples, runs, decoded), layers, sum(map(len, activations)),
                       self.matrix.weights.size + self.matrix.biases.size)  # fmt: skip


def fixed(pairs: list[Pair], lags: int, penalty: float) -> FixedRidge:
    """Return the regression fitted and rounded to 16 bits, its grids taken from the training part."""
    weights, intercepts = fit(pairs, lags, penalty)
    grid = grid_of(np.concatenate([inputs for inputs, _ in pairs]))
    # Estimates may overshoot what was seen in training: their grid reaches twice as far.
    largest = np.abs(np.concatenate([targets for _, targets in pairs])).max(axis=0)
    out = Grid(2 * grid_of(largest[None, :], axis=0).step[0])
    return FixedRidge(lags, grid, fixed_linear(weights, intercepts, float(grid.step)), out)


def chosen(dataset: Dataset, fold: Fold, options: RidgeLagsOptions) -> tuple[int, float]:
    """Return the lags and the penalty with the best R squared on validation, in float64.

    Lags longer than every training segment are left out where there are others.
    """
    pairs = training_pairs(dataset, fold.train)
    longest = max(len(inputs) for inputs, _ in pairs)
    lags = sorted(lag for lag in set(options.lags) if lag <= longest) or [min(options.lags)]
    candidates = [(lag, penalty) for lag in lags for penalty in sorted(set(options.penalty), reverse=True)]
    runs = contiguous_segments(dataset, fold.validation)
    known: dict[int, Moments] = {}  # of the lags in hand; those of many lags are large

    def outputs(candidate: tuple[int, float]) -> Floats:
        lag, penalty = candidate
        if lag not in known:
            known.clear()
            known[lag] = moments(pairs, lag)
        weights, intercepts = known[lag].solved(penalty)
        decoded = [lagged(joined_inputs(dataset, run), lag) @ weights.T + intercepts for run in runs]
        return in_test_order(dataset, fold.validation, runs, decoded)

    return best_on_validation(dataset, fold, candidates, outputs)


def run(dataset: Dataset, fold: Fold, options: RidgeLagsOptions) -> BaselineResult:
    """Return the regression with the lags and the penalty chosen on validation.

    Raises
    ------
    DataError
        If no training segment is long enough.
    """
    lags, penalty = chosen(dataset, fold, options)
    return deployed(
        NAME, "ridge", dataset, fold, lambda examples: fixed(training_pairs(dataset, examples), lags, penalty),
        width_bits=WIDTH_BITS,
        chosen=decided({"lags": (options.lags, lags), "penalty": (options.penalty, penalty)}),
    )  # fmt: skip


def _layers(activations: NDArray[np.int64], matrix: FixedLinear, channels: int) -> tuple[LayerWork, ...]:
    """Return the ring buffer, whose only output is the bin it keeps, and the matrix that reads all of it."""
    decodes, _, features = activations.shape
    buffer = dataclasses.replace(
        stage_row(f"{NAME}.buffer", {}, inputs=channels, outputs=0, decodes=decodes, arithmetic="integer"),
        state_elements=features, state_bits=WIDTH_BITS, state_writes=channels,
    )  # fmt: skip
    outputs = len(matrix.weights)
    readout = linear_row(f"{NAME}.readout", activations, matrix.weights, arithmetic="integer", biases=outputs,
                         operations={"requantise": outputs})  # fmt: skip
    return buffer, readout


BASELINE = Baseline("ridge", ("regression",), RidgeLagsOptions, run)
