"""A dataset: one of two channels is loud."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from cosim.datasets.assemble import CuedRecording, Origin, epoched
from cosim.datasets.card import Card
from cosim.datasets.corpus import Corpus
from cosim.datasets.recordings import Channel, array_recording
from cosim.datasets.types import Dataset

CARD = Card("Tones", "none needed: generated", "cosim-example", "", ("Generated.",))
CHANNELS = (Channel("left", "eeg", "uV"), Channel("right", "eeg", "uV"))
RATE_HZ, TRIAL_S = 64.0, 2.0


class Options(BaseModel):
    """Sessions, trials in each, and the seed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sessions: int = Field(default=3, ge=3, le=20)
    trials: int = Field(default=12, ge=4, le=200)
    seed: int = 0


def load(options: Options, data_dir: Path | None) -> Dataset:
    """Return one-second windows half a second after each cue."""
    rng = np.random.default_rng(options.seed)
    recordings: list[CuedRecording] = []
    step = int(TRIAL_S * RATE_HZ)
    for session in range(options.sessions):
        labels = rng.permutation(np.arange(options.trials) % 2)
        samples = rng.normal(size=(2, options.trials * step))
        for trial, label in enumerate(labels):
            samples[label, trial * step : (trial + 1) * step] *= 3
        name = f"session{session}"
        one = array_recording(name, samples, CHANNELS, RATE_HZ, groups={"session": name})
        recordings.append(CuedRecording(one, np.arange(options.trials) * step, labels.astype(np.int64)))
    return epoched(Origin("example_tones", CARD, ("left", "right"), 12), recordings, (), start_s=0.5, stop_s=1.5)


DATASET = Corpus(CARD, "classification", Options, load)
