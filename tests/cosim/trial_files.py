"""Small files of trials that were cut before they were stored, written for tests: FIF and EEGLAB."""

from __future__ import annotations

from pathlib import Path

import mne
import numpy as np
from scipy.io import savemat

from tests.cosim.recording_files import NAMES, RATE_HZ, noise, raw_of

CUES = {200: "L", 400: "R", 600: "L", 800: "R", 1000: "L", 1200: "R"}
SAMPLES = noise(20.0, CUES)
CODES = {"L": 1, "R": 2}


def write_trials(
    path: Path, tmin: float = -0.5, tmax: float = 1.5, cues: dict[int, str] = CUES, samples: np.ndarray = SAMPLES
) -> Path:
    """Write a FIF file of trials from `tmin` to `tmax` [s] around each cue."""
    events = np.array([(sample, 0, CODES[text]) for sample, text in cues.items()])
    epochs = mne.Epochs(raw_of(samples), events, CODES, tmin, tmax, baseline=None, preload=True, verbose="ERROR")
    epochs.save(path, overwrite=True, verbose="ERROR")
    return path


def write_set_trials(
    path: Path, steps: int = 200, before: int = 50, cues: dict[int, str] = CUES, samples: np.ndarray = SAMPLES
) -> Path:
    """Write an EEGLAB file of trials, with its samples inside."""
    data = np.stack([samples[:, sample - before : sample - before + steps] for sample in cues], axis=2)
    fields = [("latency", "f8"), ("type", "O"), ("duration", "f8"), ("epoch", "f8")]
    events = np.array([(n * steps + before + 1.0, text, 0.0, n + 1.0) for n, text in enumerate(cues.values())],
                      dtype=fields)  # fmt: skip
    trials = np.array([(n + 1.0, text, 0.0) for n, text in enumerate(cues.values())],
                      dtype=[("event", "f8"), ("eventtype", "O"), ("eventlatency", "f8")])  # fmt: skip
    places = np.array([(name,) for name in NAMES], dtype=[("labels", "O")])
    eeg = {"data": data, "srate": RATE_HZ, "nbchan": 3, "pnts": steps, "trials": len(cues), "xmin": -before / RATE_HZ,
           "xmax": (steps - before - 1) / RATE_HZ, "chanlocs": places, "event": events, "epoch": trials,
           "setname": "one", "icaweights": [], "times": np.arange(steps)}  # fmt: skip
    savemat(path, {"EEG": eeg}, appendmat=False)
    return path
