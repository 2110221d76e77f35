"""Motor-imagery-like EEG from a generator: 1/f background, lateralised mu and beta power, known ceiling.

Every channel carries pink noise with a spatial covariance that falls with distance. Two sources, left and right
sensorimotor cortex, each carry a mu and a beta rhythm. While the left hand is imagined the right source's rhythms
are attenuated by `depth`, and the other way round (event-related desynchronisation). The amplitude of each source
varies from trial to trial, which is what makes the task hard.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis  # pyright: ignore[reportMissingTypeStubs]

from cosim.datasets.assemble import CuedRecording, Origin, epoched
from cosim.datasets.card import Card
from cosim.datasets.corpus import LARGEST_GENERATED, Corpus
from cosim.datasets.recordings import Channel, array_recording
from cosim.datasets.types import Dataset
from cosim.preprocessing import eeg_operations

NAME = "synthetic_eeg"
SOURCE_BITS = 16
MU_HZ, BETA_HZ = (9.0, 12.0), (18.0, 24.0)
BETA_SHARE = 0.5  # amplitude of the beta rhythm relative to the mu rhythm
BACKGROUND_UV = 10.0
LEAD_S, PAUSE_S = 2.0, 1.0
SPREAD = 0.35  # width of a source's pattern and of the noise covariance, on a head of radius 1
LEFT, RIGHT = (-0.5, 0.0), (0.5, 0.0)
DIFFICULTY: dict[str, tuple[float, float, float]] = {  # attenuation, deviation of log amplitude, source/background
    "easy": (0.6, 0.3, 1.0),
    "medium": (0.5, 0.45, 0.9),
    "hard": (0.4, 0.6, 0.8),
}

CARD = Card(
    title="Synthetic motor imagery (generator)",
    licence="none needed: made by this package",
    citation="cosim, synthetic_eeg; the effect it copies: Pfurtscheller and Lopes da Silva 1999, Clinical "
             "Neurophysiology 110, doi 10.1016/S1388-2457(99)00141-8",
    homepage="",
    caveats=("Generated: it tells a broken decoder from a hard task, and nothing about brains.",),
)


class Options(BaseModel):
    """Size and difficulty.

    Parameters
    ----------
    difficulty : {'easy', 'medium', 'hard'}
    channels : int
    sessions, runs, trials : int
        Sessions, runs a session, and trials a run (half of each class).
    rate_hz : float
        Sampling rate [Hz].
    trial_s : float
        Length of the window that is cut, from the cue on [s].
    seed : int
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    difficulty: Literal["easy", "medium", "hard"] = "easy"
    channels: int = Field(default=8, ge=4, le=256)
    sessions: int = Field(default=2, ge=1, le=10_000)
    runs: int = Field(default=2, ge=1, le=10_000)
    trials: int = Field(default=40, ge=2, le=1_000_000, multiple_of=2)
    rate_hz: float = Field(default=128.0, ge=64.0, le=1e6)
    trial_s: float = Field(default=1.5, gt=0.5, le=1e6)
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _sized(self) -> Self:
        seconds = self.sessions * self.runs * (LEAD_S + self.trials * (self.trial_s + PAUSE_S))
        if (values := round(seconds * self.rate_hz * self.channels)) > LARGEST_GENERATED:
            raise ValueError(
                f"{self.sessions} sessions of {self.runs} runs of {self.trials} trials on {self.channels} channels are "
                f"{values:,} values, {LARGEST_GENERATED:,} at most"
            )
        return self


def positions(channels: int) -> NDArray[np.float64]:
    """Return electrode positions on a disc of radius 1 (a sunflower), shape (channels, 2)."""
    number = np.arange(channels) + 0.5
    radius, angle = np.sqrt(number / channels), np.pi * (1 + np.sqrt(5)) * number
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def patterns(channels: int) -> NDArray[np.float64]:
    """Return how strongly each source reaches each channel, shape (channels, 2): left, right."""
    place = positions(channels)
    distance = np.stack([np.linalg.norm(place - np.asarray(source), axis=1) for source in (LEFT, RIGHT)], axis=1)
    return np.exp(-((distance / SPREAD) ** 2) / 2)


def background_covariance(channels: int) -> NDArray[np.float64]:
    """Return the spatial covariance of the background, unit variance, shape (channels, channels)."""
    place = positions(channels)
    distance = np.linalg.norm(place[:, None] - place[None], axis=2)
    return 0.8 * np.exp(-distance / SPREAD) + 0.2 * np.eye(channels)


def coloured(rng: np.random.Generator, shape: tuple[int, int], rate_hz: float, *,
             band_hz: tuple[float, float] | None = None) -> NDArray[np.float64]:
    """Return Gaussian noise of unit variance: 1/f power above 1 Hz, or flat inside a band; rows independent."""
    frequency = np.fft.rfftfreq(shape[1], 1 / rate_hz)
    if band_hz is None:
        gain = 1 / np.sqrt(np.maximum(frequency, 1.0))
    else:
        gain = ((frequency >= band_hz[0]) & (frequency <= band_hz[1])).astype(np.float64)
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(shape)) * gain, n=shape[1])
    return noise / noise.std(axis=1, keepdims=True)


@dataclass(frozen=True, slots=True)
class Run:
    """One continuous run: samples [µV], shape (channels, samples); sample and class of every cue, shape (trials,)."""

    samples: NDArray[np.float64]
    cues: NDArray[np.int64]
    labels: NDArray[np.int64]


def generate_run(options: Options, trials: int, rng: np.random.Generator) -> Run:
    """Return one continuous run of `trials` trials."""
    depth, spread, strength = DIFFICULTY[options.difficulty]
    rate_hz = options.rate_hz
    period = round((options.trial_s + PAUSE_S) * rate_hz)
    lead, length = round(LEAD_S * rate_hz), round(options.trial_s * rate_hz)
    samples = lead + trials * period
    labels = rng.permutation(np.arange(trials) % 2).astype(np.int64)
    cues = lead + period * np.arange(trials, dtype=np.int64)
    envelope = np.ones((2, samples))
    for cue, label in zip(cues.tolist(), labels.tolist(), strict=True):
        gain = np.exp(rng.normal(0.0, spread, size=2))
        gain[1 - label] *= 1 - depth  # imagining left (class 0) attenuates the right source (index 1)
        envelope[:, cue : cue + length] = gain[:, None]
    mu = coloured(rng, (2, samples), rate_hz, band_hz=MU_HZ)
    beta = coloured(rng, (2, samples), rate_hz, band_hz=BETA_HZ)
    sources = envelope * (mu + BETA_SHARE * beta) * strength
    independent = coloured(rng, (options.channels, samples), rate_hz)
    noise = np.linalg.cholesky(background_covariance(options.channels)) @ independent
    signal = BACKGROUND_UV * (noise + patterns(options.channels) @ sources)
    return Run(signal, cues, labels)


def load(options: Options, data_dir: Path | None) -> Dataset:
    """Return the generated windows, shape (trials, channels, steps); `data_dir` is not used."""
    del data_dir
    channels = tuple(Channel(f"ch{index + 1}", "eeg", "µV") for index in range(options.channels))
    recordings: list[CuedRecording] = []
    seeds = iter(np.random.SeedSequence(options.seed).spawn(options.sessions * options.runs))
    for session in range(1, options.sessions + 1):
        for run in range(1, options.runs + 1):
            groups = {"subject": "generated", "session": f"session{session}", "run": f"session{session}-run{run}"}
            made = generate_run(options, options.trials, np.random.default_rng(next(seeds)))
            one = array_recording(groups["run"], made.samples, channels, options.rate_hz, groups=groups)
            recordings.append(CuedRecording(one, made.cues, made.labels))
    oracle = achievable_accuracy(options)
    note = (f"achievable accuracy {oracle:.3f}: discriminant on log band power of the two sources, unmixed by the "
            f"generator's true patterns and noise covariance, fitted and tested on {ORACLE_TRIALS} fresh trials each")
    origin = Origin(NAME, CARD, ("left hand", "right hand"), SOURCE_BITS, (note,))
    operations = eeg_operations(reference="average", low_hz=4.0, high_hz=30.0, order=2, direction="causal",
                                resample_hz=None)
    return epoched(origin, recordings, operations, start_s=0.0, stop_s=options.trial_s)


ORACLE_TRIALS = 1000
ORACLE_SEED = 2**31 - 1  # apart from any seed a user picks for the data


def band_power(signal: NDArray[np.float64], rate_hz: float, band_hz: tuple[float, float]) -> NDArray[np.float64]:
    """Return log power in a band, over the last axis."""
    frequency = np.fft.rfftfreq(signal.shape[-1], 1 / rate_hz)
    inside = (frequency >= band_hz[0]) & (frequency <= band_hz[1])
    return np.log((np.abs(np.fft.rfft(signal, axis=-1)[..., inside]) ** 2).sum(axis=-1))


def achievable_accuracy(options: Options) -> float:
    """Return the accuracy of an oracle that knows the generator: practically the best any decoder can do.

    The oracle unmixes both sources by the maximum-likelihood spatial filter of the true model,
    (A' S^-1 A)^-1 A' S^-1 with patterns A and background covariance S, takes their log power in the two rhythm
    bands, and applies a linear discriminant fitted on fresh trials. Log power is the sufficient statistic of a
    Gaussian rhythm of unknown amplitude, and the amplitudes are log-normal with one spread for both classes, so the
    discriminant is close to the Bayes rule; the finite window and background leave it slightly below.
    """
    return _oracle(options.model_dump_json())


@lru_cache(maxsize=8)
def _oracle(options_json: str) -> float:
    """Return the oracle's score; keyed by text, so that it is worked out once per process."""
    options = Options.model_validate_json(options_json)
    rng = np.random.default_rng([ORACLE_SEED, options.seed])
    run = generate_run(options, 2 * ORACLE_TRIALS, rng)
    mixing = patterns(options.channels)
    whitened = np.linalg.solve(background_covariance(options.channels), mixing)
    sources = np.linalg.solve(mixing.T @ whitened, whitened.T) @ run.samples
    length = round(options.trial_s * options.rate_hz)
    cut = np.stack([sources[:, cue : cue + length] for cue in run.cues.tolist()])
    features = np.concatenate([band_power(cut, options.rate_hz, band) for band in (MU_HZ, BETA_HZ)], axis=1)
    discriminant: Any = LinearDiscriminantAnalysis()
    discriminant.fit(features[:ORACLE_TRIALS], run.labels[:ORACLE_TRIALS])
    return float(discriminant.score(features[ORACLE_TRIALS:], run.labels[ORACLE_TRIALS:]))


DATASET = Corpus(CARD, "classification", Options, load)
