"""Ridge regression from the last few bins of activity to kinematics, as a streaming decoder.

Deployed arithmetic: 16-bit weights (one step per output), 16-bit inputs (spike counts as they are), 40-bit
accumulators, 16-bit estimates. The scores come from that arithmetic. A ring buffer holds the last `lags` bins;
each new bin overwrites the oldest, and every output then reads the whole buffer.
"""

from __future__ import annotations

import dataclasses
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cosim.baselines.fixed_point import WIDTH_BITS, FixedLinear, Grid, fixed_linear, grid_of
from cosim.baselines.types import Baseline, BaselineResult, Options, fitting_examples
from cosim.baselines.work import linear_row, stage_row
from cosim.datasets.contiguous_segments import contiguous_segments, in_test_order, joined_inputs, joined_targets
from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold
from energy_models.errors import DataError
from energy_models.workload import LayerWork

NAME = "ridge_lags"
CHUNK_STEPS = 4096
Floats = NDArray[np.float64]
Number = TypeVar("Number", bound=np.generic)


class RidgeLagsOptions(Options):
    """Memory and penalty.

    Parameters
    ----------
    lags : int
        Bins the estimate looks at, the current one included.
    penalty : float
        Weight of the squared coefficients; the intercept is not penalised.
    """

    lags: int = Field(default=10, ge=1)
    penalty: float = Field(default=100.0, gt=0)


def lagged(inputs: NDArray[Number], lags: int) -> NDArray[Number]:
    """Return each step beside the steps before it, shape (steps, lags * channels); zeros before the first."""
    steps, channels = inputs.shape
    rows = np.zeros((steps, lags, channels), dtype=inputs.dtype)
    for lag in range(min(lags, steps)):
        rows[lag:, lag] = inputs[: steps - lag]
    return rows.reshape(steps, lags * channels)


def fit(pairs: list[tuple[Floats, Floats]], lags: int, penalty: float) -> tuple[Floats, Floats]:
    """Return coefficients, shape (outputs, lags * channels), and intercepts, shape (outputs,).

    Minimises sum |target - W x - b|^2 + penalty |W|^2 over steps whose whole history was recorded.

    Parameters
    ----------
    pairs : list of (inputs, targets)
        One per stretch, shapes (steps, channels) and (steps, outputs).
    lags : int
    penalty : float

    Raises
    ------
    DataError
        If no stretch is as long as the memory.
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
        raise DataError(f"no training stretch holds {lags} steps", where=f"baseline {NAME!r}",
                        remedy="Use fewer lags.")  # fmt: skip
    mean = total / size
    scatter = gram - size * np.outer(mean, mean)
    left, right = scatter[:features, :features], scatter[:features, features:]
    weights = np.linalg.solve(left + penalty * np.eye(features), right).T
    return weights.astype(np.float64), (mean[features:] - weights @ mean[:features]).astype(np.float64)


def run(dataset: Dataset, fold: Fold, options: RidgeLagsOptions) -> BaselineResult:
    """Return the regression fitted on the fold's stretches, decoding each test stretch from an empty buffer.

    Raises
    ------
    DataError
        If no training stretch is long enough.
    """
    parts = contiguous_segments(dataset, fitting_examples(fold))
    pairs = [(joined_inputs(dataset, part), joined_targets(dataset, part)) for part in parts]
    weights, intercepts = fit(pairs, options.lags, options.penalty)
    grid = grid_of(np.concatenate([inputs for inputs, _ in pairs]))
    matrix = fixed_linear(weights, intercepts, float(grid.step))
    # Estimates may overshoot what was seen in training: their grid reaches twice as far.
    largest = np.abs(np.concatenate([targets for _, targets in pairs])).max(axis=0)
    out = Grid(2 * grid_of(largest[None, :], axis=0).step[0])
    runs = contiguous_segments(dataset, fold.test)
    activations = [lagged(grid.integers(joined_inputs(dataset, part)), options.lags) for part in runs]
    decoded = [out.rounded(matrix.values(rows)) for rows in activations]
    layers = _layers(np.concatenate(activations)[:, None, :], matrix, dataset.inputs.shape[1])
    return BaselineResult(
        name=NAME, label="ridge", outputs_test=in_test_order(dataset, fold.test, runs, decoded), layers=layers,
        decodes=sum(map(len, activations)), mode="stream", parameters=weights.size + intercepts.size,
        weight_bits=WIDTH_BITS, activation_bits=WIDTH_BITS,
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
