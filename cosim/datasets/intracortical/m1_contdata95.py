"""Continuous intracortical recording: spike counts of 95 channels to 2-D kinematics, MATLAB version 5."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from cosim.datasets import files
from cosim.datasets.assemble import Origin
from cosim.datasets.card import Card
from cosim.datasets.corpus import Corpus
from cosim.datasets.segments import binned_counts, segmented
from cosim.datasets.types import Dataset
from cosim.preprocessing import SquareRoot
from energy_models.errors import DataError

NAME = "m1_contdata95"
FILE = "contdata95.mat"
AXES = ("x", "y", "vx", "vy")
SOURCE_BITS = 8  # counts are stored as unsigned bytes; the largest is 21
FETCH = f"Put {FILE} there; no public source with a licence is known."

CARD = Card(
    title="Continuous decoding, 95 channels (contdata95)",
    licence="none stated: local evaluation only, not to be passed on",
    citation="origin unknown; circulates as a teaching data set for continuous neural decoding",
    homepage="",
    caveats=(
        "Its origin is unknown and it may be simulated: a score on it is no evidence about brains.",
        "Unusually easy for nonlinear decoders.",
        "The source says bins of 50 ms; the velocities suggest 100 ms. Energy per second depends on it.",
        "Spikes were detected and binned before the file was written; that work is not in the counted pipeline.",
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
        Bins per example.
    bin_s : float
        Bin width [s]; 0.05 is what the source says, see the card.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    outputs: Literal["velocity", "all"] = "velocity"
    counts: Literal["raw", "square_root"] = "raw"
    segment_steps: int = Field(default=100, ge=1)
    bin_s: float = Field(default=0.05, gt=0)


def load(options: Options, data_dir: Path | None) -> Dataset:
    """Return consecutive segments, shape (segments, 95, segment_steps), in time order.

    Raises
    ------
    DataError
        If the file is missing, damaged or lacks a variable, or a channel is flat.
    """
    folder = files.root(data_dir, corpus=NAME, expected=f"{NAME}/{FILE}") / NAME
    content = files.read_mat(folder / FILE, ("X", "Y"), corpus=NAME, fetch=FETCH)
    counts, kinematics = (np.asarray(content[key], dtype=np.float64) for key in ("Y", "X"))
    if kinematics.ndim != 2 or kinematics.shape[1] != len(AXES):
        raise DataError(f"X has shape {kinematics.shape}, expected (bins, {len(AXES)})", where=str(folder / FILE),
                        remedy="The columns must be x, y, vx, vy.")
    first = AXES.index("vx") if options.outputs == "velocity" else 0
    origin = Origin(NAME, CARD, AXES[first:], SOURCE_BITS)
    operations = (SquareRoot(),) if options.counts == "square_root" else ()
    recording = binned_counts("contdata95", counts, kinematics[:, first:], options.bin_s)
    return segmented(origin, (recording,), operations, bin_s=options.bin_s, segment_steps=options.segment_steps)


DATASET = Corpus(CARD, "regression", Options, load)
