"""A small EEGLAB recording written for tests: a header in MATLAB's format, samples in a file of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.io import savemat

from tests.cosim.recording_files import NAMES, RATE_HZ


def write_eeglab(path: Path, microvolts: np.ndarray, marks: Sequence[tuple[float, str]]) -> Path:
    """Write an EEGLAB header (``.set``) with events at (time [s], text), and its samples (``.fdt``)."""
    fields = [("latency", "f8"), ("type", "O"), ("duration", "f8")]
    events = np.array([(time_s * RATE_HZ + 1, text, 0.0) for time_s, text in marks], dtype=fields)
    places = np.array([(name,) for name in NAMES], dtype=[("labels", "O")])
    steps = microvolts.shape[1]
    eeg = {"data": f"{path.stem}.fdt", "srate": RATE_HZ, "nbchan": len(NAMES), "pnts": steps, "trials": 1, "xmin": 0.0,
           "xmax": (steps - 1) / RATE_HZ, "chanlocs": places, "event": events, "setname": path.stem, "icaweights": [],
           "epoch": []}  # fmt: skip
    savemat(path, {"EEG": eeg}, appendmat=False)
    path.with_suffix(".fdt").write_bytes(microvolts.astype("<f4").T.tobytes())
    return path
