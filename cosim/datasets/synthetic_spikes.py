"""Poisson spikes driven by a smooth 2-D velocity through cosine tuning, with a known ceiling.

lambda_i(t) = max(0, base_i + gain_i (v(t + lead) . d_i)) per bin: the rate follows the velocity that comes
`lead_steps` later, as motor cortex leads the hand (Georgopoulos et al. 1982, J. Neurosci. 2, 1527).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from cosim.datasets.assemble import Origin
from cosim.datasets.card import Card
from cosim.datasets.corpus import LARGEST_GENERATED, Corpus
from cosim.datasets.segments import binned_counts, segmented
from cosim.datasets.types import Dataset

NAME = "synthetic_spikes"
SOURCE_BITS = 8
SMOOTHING_S = 0.25  # deviation of the Gaussian that smooths white noise into a velocity
LEAD_STEPS = 1
ORACLE_LAGS = 12
ORACLE_STEPS = 12000
ORACLE_SEED = 2**31 - 1

CARD = Card(
    title="Synthetic motor cortex (generator)",
    licence="none needed: made by this package",
    citation="cosim, synthetic_spikes; tuning after Georgopoulos et al. 1982, J. Neurosci. 2, 1527-1537",
    homepage="",
    caveats=("Generated: it tells a broken decoder from a hard task, and nothing about brains.",
             "Nearly linear by construction: a nonlinear decoder has little to gain."),
)  # fmt: skip


class Options(BaseModel):
    """Size and difficulty.

    Parameters
    ----------
    units : int
    steps : int
        Bins of the whole recording.
    bin_s : float
        Bin width [s].
    base_hz : float
        Mean firing rate [1/s].
    depth : float
        Change of a unit's rate, relative to its base, for a velocity of one deviation along its direction.
    segment_steps : int
        Bins per example.
    seed : int
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    units: int = Field(default=32, ge=2, le=1024)
    steps: int = Field(default=4000, ge=100, le=LARGEST_GENERATED)
    bin_s: float = Field(default=0.05, ge=1e-4, le=10)
    base_hz: float = Field(default=20.0, gt=0, le=1e4)
    depth: float = Field(default=0.5, gt=0, le=2)
    segment_steps: int = Field(default=50, ge=2)
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _sized(self) -> Self:
        if (values := self.units * self.steps) > LARGEST_GENERATED:
            made = f"{self.units} units in {self.steps} bins are {values:,} values"
            raise ValueError(f"{made}, {LARGEST_GENERATED:,} at most")
        return self


def trajectory(options: Options, steps: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a smooth Gaussian velocity of unit variance, shape (steps, 2)."""
    width = SMOOTHING_S / options.bin_s
    reach = int(np.ceil(4 * width))
    kernel: NDArray[np.float64] = np.exp(-((np.arange(-reach, reach + 1) / width) ** 2) / 2)
    kernel /= np.sqrt((kernel**2).sum())
    white = rng.standard_normal((2, steps + 2 * reach))
    rows = [np.convolve(row, kernel, mode="valid").astype(np.float64) for row in white]
    return np.stack(rows, axis=1)


def tuning(options: Options) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return base counts per bin, shape (units,), and gains, shape (units, 2): drawn once per seed."""
    rng = np.random.default_rng([options.seed, 1])
    angle = rng.uniform(0, 2 * np.pi, options.units)
    base = options.base_hz * options.bin_s * rng.uniform(0.5, 1.5, options.units)
    return base, options.depth * base[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def generate(options: Options, steps: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return counts, shape (steps, units), and the velocity they are about, shape (steps, 2)."""
    base, gain = tuning(options)
    velocity = trajectory(options, steps + LEAD_STEPS, rng)
    rate = np.maximum(base + velocity[LEAD_STEPS:] @ gain.T, 0.0)
    return rng.poisson(rate).astype(np.float64), velocity[:steps]


def load(options: Options, data_dir: Path | None) -> Dataset:
    """Return consecutive segments, shape (segments, units, segment_steps); `data_dir` is not used."""
    del data_dir
    counts, velocity = generate(options, options.steps, np.random.default_rng([options.seed, 0]))
    note = (f"achievable R2 {achievable_r2(options):.3f}: mean over axes of the best causal linear filter over "
            f"{ORACLE_LAGS} bins, fitted and tested on {ORACLE_STEPS} fresh bins each")
    origin = Origin(NAME, CARD, ("vx", "vy"), SOURCE_BITS, (note,))
    recording = binned_counts("generated", counts, velocity, options.bin_s)
    return segmented(origin, (recording,), (), bin_s=options.bin_s, segment_steps=options.segment_steps)


def lagged(counts: NDArray[np.float64], lags: int) -> NDArray[np.float64]:
    """Return each bin's counts and those of the `lags` - 1 bins before it, and a one: (steps - lags + 1, features)."""
    steps = len(counts) - lags + 1
    return np.concatenate([*(counts[lag : lag + steps] for lag in range(lags)), np.ones((steps, 1))], axis=1)


def achievable_r2(options: Options) -> float:
    """Return the R2, averaged over both axes, of the best causal linear filter of the counts on unlimited data.

    Rates are linear in the velocity except where they would be negative, and the velocity is Gaussian, so the
    Wiener filter is close to the best of all decoders; a decoder that knows the Poisson noise may gain a little.
    """
    return _oracle(options.model_dump_json())


@lru_cache(maxsize=8)
def _oracle(options_json: str) -> float:
    """Return the oracle's score; keyed by text, so that it is worked out once per process."""
    options = Options.model_validate_json(options_json)
    rng = np.random.default_rng([ORACLE_SEED, options.seed])
    fitted, tested = (generate(options, ORACLE_STEPS, rng) for _ in range(2))
    design, wanted = lagged(fitted[0], ORACLE_LAGS), fitted[1][ORACLE_LAGS - 1 :]
    ridge = np.eye(design.shape[1])  # one count of regularisation: negligible against 10^4 bins, keeps it solvable
    weights = np.linalg.solve(design.T @ design + ridge, design.T @ wanted)
    truth = tested[1][ORACLE_LAGS - 1 :]
    error = ((truth - lagged(tested[0], ORACLE_LAGS) @ weights) ** 2).sum(axis=0)
    spread: NDArray[np.float64] = ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)
    return float((1 - error / spread).mean())


DATASET = Corpus(CARD, "regression", Options, load)
