"""One closed-loop session of a brain-computer interface: 87 units to the direction of the target, 45 ms steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from cosim.datasets import files
from cosim.datasets.array_files.matlab import read_variable
from cosim.datasets.assemble import Origin
from cosim.datasets.card import Card
from cosim.datasets.corpus import Corpus
from cosim.datasets.segments import BinnedRecording, binned_counts, segmented
from cosim.datasets.types import Dataset
from cosim.preprocessing import SquareRoot
from energy_models.errors import DataError

NAME = "bci_hennig"
FOLDER, FILE = "bci_hennig_20131218", "20131218.mat"
BLOCKS = 2
FIELDS = ("spikes", "thetas", "isFreezePeriod")
AXES = ("cos", "sin")
STEP_S = 0.045
SOURCE_BITS = 8  # counts are stored as unsigned bytes; the largest is 16
FETCH = f"Fetch data/sessions/{FILE} from github.com/mobeets/neural-redundancy-elife2018 and put it there."

CARD = Card(
    title="Cursor control through 87 units of motor cortex, session 20131218 (Constraints on neural redundancy)",
    licence="MIT",
    citation="Hennig, Golub, Lund, Sadtler, Oby, Quick, Ryu, Tyler-Kabara, Batista, Yu, Chase 2018, Constraints on "
             "neural redundancy, eLife 7, e36774",
    homepage="https://github.com/mobeets/neural-redundancy-elife2018",
    caveats=(
        "Activity drove the cursor through a linear decoder: targets are where the animal should have steered, not "
        "what its arm did, and what it meant is not known.",
        "The second block has another decoder than the first; both are one session of one animal.",
        "Steps in which the cursor was frozen have no target.",
        "Units were sorted or thresholded before the file was written; that work is not in the counted pipeline.",
    ),
)


class Options(BaseModel):
    """How the session is cut.

    Parameters
    ----------
    blocks : {'both', 'first', 'second'}
    counts : {'raw', 'square_root'}
    segment_steps : int
        Steps per example.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    blocks: Literal["both", "first", "second"] = "both"
    counts: Literal["raw", "square_root"] = "raw"
    segment_steps: int = Field(default=100, ge=1)


def load(options: Options, data_dir: Path | None) -> Dataset:
    """Return consecutive segments, shape (segments, 87, segment_steps); group ``block`` tells the blocks apart.

    Targets are cosine and sine of the direction from the cursor to its target.

    Raises
    ------
    DataError
        If the file is missing, damaged or lacks a field, or a unit is silent throughout a block.
    """
    path = files.root(data_dir, corpus=NAME, expected=f"{FOLDER}/{FILE}") / FOLDER / FILE
    if not path.is_file():
        raise files.missing(NAME, path, fetch=FETCH)
    wanted = {"both": (0, 1), "first": (0,), "second": (1,)}[options.blocks]
    blocks = _blocks(path)
    recordings = [_recording(path, number, blocks[number]) for number in wanted]
    origin = Origin(NAME, CARD, AXES, SOURCE_BITS)
    operations = (SquareRoot(),) if options.counts == "square_root" else ()
    return segmented(origin, recordings, operations, bin_s=STEP_S, segment_steps=options.segment_steps)


def _blocks(path: Path) -> list[dict[str, Any]]:
    """Return the fields of every block of the session."""
    with files.reading(path, "the file cannot be read as MATLAB version 5"):
        columns = {name: read_variable(path, f"D.blocks.{name}", None) for name in FIELDS}
    for name, found in columns.items():
        if not isinstance(found, list) or len(cast(list[Any], found)) != BLOCKS:
            raise DataError(f"D.blocks.{name} is not one array for each of {BLOCKS} blocks", where=str(path),
                            remedy=FETCH)
    return [{name: columns[name][number] for name in FIELDS} for number in range(BLOCKS)]


def _recording(path: Path, number: int, block: dict[str, Any]) -> BinnedRecording:
    """Return one block; its frozen steps have no targets."""
    counts, angles, frozen = (np.asarray(block[name], dtype=np.float64) for name in FIELDS)
    name = f"block {number + 1}"
    if counts.ndim != 2 or angles.size != len(counts) or frozen.size != len(counts):
        raise DataError(f"{name}: spikes of shape {counts.shape} do not go with {angles.size} thetas and {frozen.size} "
                        "flags", where=str(path), remedy=FETCH)
    radians: NDArray[np.float64] = np.radians(angles.ravel())
    targets = np.stack([np.cos(radians), np.sin(radians)], axis=1)
    found = binned_counts(name, counts, targets, STEP_S, groups={"block": name})
    return BinnedRecording(found.recording, targets, frozen.ravel() == 0)


DATASET = Corpus(CARD, "regression", Options, load)
