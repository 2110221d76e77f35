"""Intracortical recording with given training and test parts: 42 units to 2-D hand kinematics, 70 ms bins."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from cosim.datasets import files
from cosim.datasets.assemble import Origin
from cosim.datasets.card import Card
from cosim.datasets.corpus import Corpus
from cosim.datasets.segments import BinnedRecording, binned_counts, segmented
from cosim.datasets.types import Dataset
from cosim.preprocessing import SquareRoot
from energy_models.errors import DataError

NAME = "m1_brown42"
PARTS = {"train": "midterm_train.mat", "test": "midterm_test.mat"}
AXES = ("x", "y", "vx", "vy")
BIN_S = 0.07  # stated by the source
SOURCE_BITS = 8  # counts are stored as unsigned bytes; the largest is 23
FETCH = f"Put {' and '.join(PARTS.values())} there; no public source with a licence is known."

CARD = Card(
    title="Motor cortex, 42 units, pursuit tracking (course data, Brown University)",
    licence="none stated: local evaluation only, not to be passed on",
    citation="course data; the task is that of Wu et al. 2003, Neural decoding of cursor motion using a Kalman "
             "filter, Advances in Neural Information Processing Systems 15",
    homepage="",
    caveats=(
        "3100 training bins of 70 ms: small, and easy to overfit.",
        "Units were sorted before the file was written; that work is not in the counted pipeline.",
        "Training and test part are given; the test part is 910 bins.",
    ),
)


class Options(BaseModel):
    """How the recording is cut.

    Parameters
    ----------
    outputs : {'velocity', 'all'}
        Two velocities, or positions too.
    counts : {'raw', 'square_root'}
    segment_steps : int
        Bins per example; 70 leaves no test bin out (910 = 13 x 70).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    outputs: Literal["velocity", "all"] = "velocity"
    counts: Literal["raw", "square_root"] = "raw"
    segment_steps: int = Field(default=70, ge=1)


def load(options: Options, data_dir: Path | None) -> Dataset:
    """Return consecutive segments of both parts, shape (segments, 42, segment_steps); group ``part`` tells them apart.

    Raises
    ------
    DataError
        If a file is missing, damaged or lacks a variable, or a unit is silent throughout a part.
    """
    folder = files.root(data_dir, corpus=NAME, expected=f"{NAME}/{PARTS['train']}") / NAME
    first = AXES.index("vx") if options.outputs == "velocity" else 0
    recordings: list[BinnedRecording] = []
    for part, file in PARTS.items():
        content = files.read_mat(folder / file, ("rate", "kin"), corpus=NAME, fetch=FETCH)
        rate, kinematics = (np.asarray(content[key], dtype=np.float64) for key in ("rate", "kin"))
        if kinematics.ndim != 2 or kinematics.shape[1] != len(AXES):
            raise DataError(f"kin has shape {kinematics.shape}, expected (bins, {len(AXES)})", where=str(folder / file),
                            remedy="The columns must be x, y, vx, vy.")
        recordings.append(binned_counts(f"midterm_{part}", rate, kinematics[:, first:], BIN_S, groups={"part": part}))
    origin = Origin(NAME, CARD, AXES[first:], SOURCE_BITS)
    operations = (SquareRoot(),) if options.counts == "square_root" else ()
    return segmented(origin, recordings, operations, bin_s=BIN_S, segment_steps=options.segment_steps)


DATASET = Corpus(CARD, "regression", Options, load)
