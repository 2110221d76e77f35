"""Kalman filter with its steady-state gain: kinematics as state, the current bin's activity as observation.

x[t] = A x[t-1] + w, y[t] = C x[t] + q (Wu et al. 2006, Neural Comput. 18, doi 10.1162/089976606774841585). With the
gain K of the stationary filter a step is x[t] = (A - K C A) x[t-1] + K y[t] (Malik et al. 2011, IEEE TNSRE 19,
doi 10.1109/TNSRE.2010.2092443): two small matrices and no covariance at run time.

Deployed arithmetic: 16-bit weights, state and inputs, 40-bit accumulators; the scores come from it. The state's
step is chosen per axis so that it reaches twice the largest training value.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.linalg as _linalg  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray

from cosim.baselines.fitting import deployed
from cosim.baselines.numerics.fixed_point import WIDTH_BITS, FixedLinear, Grid, fixed_linear, grid_of
from cosim.baselines.numerics.work import linear_row
from cosim.baselines.training_pairs import training_pairs
from cosim.baselines.types import Baseline, BaselineResult, Decoded, Floats, Indices, Options
from cosim.datasets.contiguous_segments import contiguous_segments, in_test_order, joined_inputs
from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold
from energy_models.errors import DataError
from energy_models.workload import LayerWork

linalg: Any = _linalg  # scipy ships no types
NAME = "kalman"


class KalmanOptions(Options):
    """What the state holds; activity is observed without lag.

    Parameters
    ----------
    position : {'as_given', 'integrated'}
        ``as_given``: the state is the dataset's kinematics. ``integrated``: for a dataset of velocities alone, the
        training stretches' running sums join the state, as position does in the literature's filters; only the
        dataset's own axes are decoded.
    """

    position: Literal["as_given", "integrated"] = "as_given"


@dataclass(frozen=True, slots=True)
class SteadyKalman:
    """Stationary filter about the training means.

    Parameters
    ----------
    transition : ndarray, shape (states, states)
        A - K C A.
    gain : ndarray, shape (states, channels)
        K; a column of zeros for a channel that never varied in training.
    state_mean, input_mean : ndarray
    """

    transition: Floats
    gain: Floats
    state_mean: Floats
    input_mean: Floats

    def decode(self, inputs: Floats) -> Floats:
        """Return the float64 estimates of one stretch, from the mean state, shape (steps, states)."""
        state = np.zeros(len(self.transition))
        estimates = np.empty((len(inputs), len(state)))
        for step, observed in enumerate((inputs - self.input_mean) @ self.gain.T):
            state = self.transition @ state + observed
            estimates[step] = state
        return estimates + self.state_mean


def fit(pairs: list[tuple[Floats, Floats]]) -> SteadyKalman:
    """Return the filter with A, C and both noise covariances by least squares.

    Parameters
    ----------
    pairs : list of (inputs, targets)
        One per stretch, shapes (steps, channels) and (steps, states).

    Raises
    ------
    DataError
        If the noise of the observations is singular, or no stationary filter exists.
    """
    inputs, states = (np.concatenate(arrays) for arrays in zip(*pairs, strict=True))
    input_mean, state_mean = inputs.mean(axis=0), states.mean(axis=0)
    varied = inputs.std(axis=0) > 0
    before = np.concatenate([targets[:-1] for _, targets in pairs]) - state_mean
    after = np.concatenate([targets[1:] for _, targets in pairs]) - state_mean
    centred, observed = states - state_mean, (inputs - input_mean)[:, varied]
    try:
        a, c = _regression(before, after), _regression(centred, observed)
        w, q = after - before @ a.T, observed - centred @ c.T
        noise = (q.T @ q / len(q)).astype(np.float64)
        covariance: Floats = linalg.solve_discrete_are(a.T, c.T, w.T @ w / len(w), noise)
        some = _solved(c @ covariance @ c.T + noise, c @ covariance).T
    except np.linalg.LinAlgError as error:
        raise DataError(f"no stationary filter exists for this training part ({error})", where=f"baseline {NAME!r}",
                        remedy="Give more training steps, and no copies of channels.") from error  # fmt: skip
    gain = np.zeros((len(a), len(varied)))
    gain[:, varied] = some
    return SteadyKalman(a - some @ c @ a, gain, state_mean, input_mean)


def _regression(given: Floats, wanted: Floats) -> Floats:
    """Return the matrix M with wanted = given M' in least squares."""
    fitted: Any = np.linalg.lstsq(given, wanted, rcond=None)
    return np.asarray(fitted[0], dtype=np.float64).T


def _solved(left: Floats, right: Floats) -> Floats:
    """Return X with left X = right."""
    found: Any = np.linalg.solve(left, right)
    return np.asarray(found, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class FixedKalman:
    """The filter in 16-bit arithmetic, its state counted in units of `state_step`."""

    transition: FixedLinear
    innovation: FixedLinear
    inputs: Grid
    state_step: Floats
    state_mean: Floats

    def decode(self, inputs: Floats) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
        """Return the estimates, and the integer states and inputs that entered each step, for counting."""
        unit = Grid(np.asarray(1.0))
        counts = self.inputs.integers(inputs)
        driven = unit.integers(self.innovation.values(counts))
        states = np.zeros((len(inputs) + 1, len(self.state_step)), dtype=np.int64)
        for step in range(len(inputs)):
            kept = unit.integers(self.transition.values(states[step]))
            states[step + 1] = unit.integers((kept + driven[step]).astype(np.float64))
        return states[1:] * self.state_step + self.state_mean, states[:-1], counts


def fixed(kalman: SteadyKalman, pairs: list[tuple[Floats, Floats]]) -> FixedKalman:
    """Return the filter rounded to 16 bits, its grids taken from the training part."""
    largest = np.abs(np.concatenate([targets for _, targets in pairs]) - kalman.state_mean).max(axis=0)
    step = 2 * Grid(grid_of(largest[None, :], axis=0).step[0]).step
    grid = grid_of(np.concatenate([inputs for inputs, _ in pairs]))
    gain = kalman.gain / step[:, None]
    transition = kalman.transition * step[None, :] / step[:, None]
    return FixedKalman(
        transition=fixed_linear(transition, np.zeros(len(step)), 1.0),
        innovation=fixed_linear(gain, -gain @ kalman.input_mean, float(grid.step)),
        inputs=grid, state_step=step, state_mean=np.rint(kalman.state_mean / step) * step,
    )  # fmt: skip


def states(targets: Floats, options: KalmanOptions) -> Floats:
    """Return the training states of one stretch: its kinematics first, then their centred running sums if asked for."""
    if options.position == "as_given":
        return targets
    sums = np.cumsum(targets, axis=0)
    return np.hstack([targets, sums - sums.mean(axis=0)])


@dataclass(frozen=True, slots=True)
class KalmanDecoder:
    """The filter in 16-bit arithmetic, of whose states only the dataset's own axes are decoded."""

    filter: FixedKalman
    outputs: int

    def decode(self, dataset: Dataset, examples: Indices) -> Decoded:
        """Return the estimates of each contiguous segment, from the mean state."""
        runs = contiguous_segments(dataset, examples)
        results = [self.filter.decode(joined_inputs(dataset, part)) for part in runs]
        entered = np.concatenate([states for _, states, _ in results])[:, None, :]
        inputs = np.concatenate([counts for _, _, counts in results])[:, None, :]
        size = entered.shape[2]
        return Decoded(
            outputs=in_test_order(dataset, examples, runs, [found[:, : self.outputs] for found, _, _ in results]),
            layers=_layers(self.filter, entered, inputs, self.outputs), decodes=len(entered),
            parameters=size * size + self.filter.innovation.weights.size + size + self.outputs,
        )  # fmt: skip


def _layers(
    deployed_filter: FixedKalman, entered: NDArray[np.int64], inputs: NDArray[np.int64], outputs: int
) -> tuple[LayerWork, ...]:
    """Return the rows of the transition, whose state is kept, and of the innovation."""
    size = entered.shape[2]
    # The state is written once a step; reading it is reading the inputs of the transition.
    transition = dataclasses.replace(
        linear_row(f"{NAME}.transition", entered, deployed_filter.transition.weights, arithmetic="integer",
                   operations={"requantise": size}),
        state_elements=size, state_bits=WIDTH_BITS, state_writes=size,
    )  # fmt: skip
    # Further additions: to the transition's result, and of the mean to the estimate.
    innovation = linear_row(f"{NAME}.innovation", inputs, deployed_filter.innovation.weights, arithmetic="integer",
                            biases=size, operations={"requantise": size, "add": size + outputs})  # fmt: skip
    return transition, innovation


def run(dataset: Dataset, fold: Fold, options: KalmanOptions) -> BaselineResult:
    """Return the filter fitted on the fold's contiguous segments, decoding each test segment from the mean state.

    Raises
    ------
    DataError
        If no stationary filter exists.
    """

    def fitted(examples: Indices) -> KalmanDecoder:
        pairs = [(inputs, states(targets, options)) for inputs, targets in training_pairs(dataset, examples)]
        return KalmanDecoder(fixed(fit(pairs), pairs), dataset.target_values.shape[2])

    return deployed(NAME, "Kalman", dataset, fold, fitted, width_bits=WIDTH_BITS)


BASELINE = Baseline("Kalman", ("regression",), KalmanOptions, run)
