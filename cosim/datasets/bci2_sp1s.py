"""BCI Competition II, set IV: self-paced left or right key press, 28 channels, 100 Hz, the 500 ms before movement."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from cosim.datasets import files
from cosim.datasets.assemble import CuedRecording, Origin, epoched
from cosim.datasets.card import Card
from cosim.datasets.corpus import Corpus
from cosim.datasets.recordings import Channel, array_recording
from cosim.datasets.types import Dataset
from cosim.preprocessing import eeg_operations
from energy_models.errors import DataError

NAME = "bci2_sp1s"
FOLDER = "bci2_iv_sp1s"
FILE = "sp1s_aa.mat"
RATE_HZ = 100.0
STEPS, CHANNELS = 50, 28
SOURCE_BITS = 12  # the file holds multiples of 0.1 µV within +-205 µV: 12 bits hold them
FETCH = "Fetch sp1s_aa.mat from the homepage on its card (research use, with citation)."

CARD = Card(
    title="BCI Competition II, data set IV (self-paced, 1 s)",
    licence="research use with citation; not to be redistributed",
    citation="Blankertz, Curio, Müller 2002, Classifying single trial EEG: towards brain computer interfacing, "
             "Advances in Neural Information Processing Systems 14",
    homepage="https://www.bbci.de/competition/ii/",
    caveats=(
        "Only the 316 labelled training trials are used: test labels that circulate do not belong to their trials.",
        "Trials were cut before publication: their order in time is unknown, and so is any slow drift between them.",
    ),
)


class Options(BaseModel):
    """How each trial is filtered.

    Parameters
    ----------
    reference : {'average', 'none'}
    high_hz : float or None
        Edge of a causal low-pass [Hz]; None leaves the trials as published.
    order : int
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reference: Literal["average", "none"] = "none"
    high_hz: float | None = Field(default=None, gt=0)
    order: int = Field(default=2, ge=1, le=8)


def load(options: Options, data_dir: Path | None) -> Dataset:
    """Return the labelled trials, shape (316, 28, 50), in microvolts.

    Raises
    ------
    DataError
        If the file is missing, damaged or of another shape, or a channel is flat.
    """
    path = files.root(data_dir, corpus=NAME, expected=f"{FOLDER}/{FILE}") / FOLDER / FILE
    content = files.read_mat(path, ("x_train", "y_train"), corpus=NAME, fetch=FETCH)
    trials = np.asarray(content["x_train"], dtype=np.float64)
    labels = np.asarray(content["y_train"], dtype=np.int64).ravel()
    if trials.ndim != 3 or trials.shape[:2] != (STEPS, CHANNELS) or trials.shape[2] != len(labels):
        raise DataError(f"x_train has shape {trials.shape} and y_train {len(labels)} labels, expected "
                        f"({STEPS}, {CHANNELS}, trials)", where=str(path), remedy=FETCH)
    channels = tuple(Channel(f"ch{index + 1}", "eeg", "µV") for index in range(CHANNELS))
    cue = np.zeros(1, dtype=np.int64)
    recordings = [
        CuedRecording(array_recording(f"trial{n + 1:03d}", trials[:, :, n].T, channels, RATE_HZ,
                                      groups={"subject": "aa"}), cue, labels[n : n + 1])
        for n in range(len(labels))
    ]
    origin = Origin(NAME, CARD, ("left hand", "right hand"), SOURCE_BITS)
    operations = eeg_operations(reference=options.reference, low_hz=None, high_hz=options.high_hz, order=options.order,
                                direction="causal", resample_hz=None)
    return epoched(origin, recordings, operations, start_s=0.0, stop_s=STEPS / RATE_HZ)


DATASET = Corpus(CARD, "classification", Options, load)
