"""Which reader a recording file is for: by its first bytes where they tell, else by its name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosim.datasets.mne_files import Continuous, holds_epochs, read_continuous, read_epochs
from cosim.datasets.mne_files.options import Options
from cosim.datasets.plausible import MICROVOLTS
from cosim.datasets.recording_files.bids import with_bids
from cosim.datasets.recording_files.nwb import read_nwb
from cosim.datasets.recording_files.saturation import with_saturation
from cosim.datasets.recording_files.text_file import read_text
from cosim.datasets.recording_files.xdf import read_xdf
from energy_models.errors import DataError

TRIALS = "number of trials"  # MNE's words for a file of EEGLAB that holds epochs
Reader = Callable[[Path, Options], Continuous]


def read_recording(path: Path, options: Options) -> Continuous:
    """Return a recording of any format that is read, in microvolts where it is in volts.

    Raises
    ------
    DataError
        If the file is missing, damaged, of another format than its ending says, or of none that is read.
    """
    reader = READERS.get(path.suffix.lower(), _through_mne)
    if reader is not _through_mne and not path.is_file():
        raise DataError("the file does not exist", where=str(path), remedy="Check the folder and the name.")
    return with_saturation(path, with_bids(path, reader(path, options), options))


def _through_mne(path: Path, options: Options) -> Continuous:
    """Return a recording or trials that MNE-Python reads."""
    if holds_epochs(path):
        found = read_epochs(path, kinds=options.kinds, names=options.channels)
    else:
        try:
            found = read_continuous(path, kinds=options.kinds, names=options.channels)
        except DataError as error:
            if path.suffix.lower() != ".set" or TRIALS not in str(error):
                raise
            found = read_epochs(path, kinds=options.kinds, names=options.channels)
    return in_unit(found, options.unit)


READERS: Mapping[str, Reader] = {
    ".csv": read_text, ".txt": read_text, ".tsv": read_text, ".xdf": read_xdf, ".xdfz": read_xdf,
    ".nwb": read_nwb,
}  # fmt: skip


def in_unit(read: Continuous, unit: str) -> Continuous:
    """Return a recording whose numbers MNE took for volts, in microvolts if they are in `unit`; 'file': as it was."""
    if unit == "file":
        return read
    factor = MICROVOLTS.get(unit, 1.0) / MICROVOLTS["V"]
    in_volts = [one.unit == "µV" for one in read.channels]
    factors = np.where(in_volts, factor, 1.0)[:, None]
    named = "µV" if unit in MICROVOLTS else unit
    channels = tuple(dataclasses.replace(one, unit=named) if scaled else one
                     for one, scaled in zip(read.channels, in_volts, strict=True))  # fmt: skip

    def scaled(start: int, stop: int) -> NDArray[np.float64]:
        return read.read(start, stop) * factors

    return dataclasses.replace(read, channels=channels, read=scaled)
