"""Files of trials that were cut before they were stored: epochs of MNE-Python (FIF) and of EEGLAB."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import mne
import numpy as np

from cosim.datasets.files import reading
from cosim.datasets.mne_files.annotations import Annotation
from cosim.datasets.mne_files.continuous import DAMAGED, ELECTRODES, Continuous, channels_of, no_runs, picks_of
from cosim.datasets.mne_files.lengths import check_fif
from cosim.datasets.mne_files.record_times import Stretch
from energy_models.errors import DataError

_mne: Any = mne
BLOCK_START, EPOCHS, RAW_BLOCKS = 104, 373, frozenset({102, 112, 119})  # FIFF: kind of tag, kinds of blocks
TAG_BYTES = 16


def holds_epochs(path: Path) -> bool:
    """Return whether a FIF file holds epochs: which kind of block comes first in it.

    A tag is four big-endian integers, kind, type, bytes and place of the next one (0: it follows), and its data. Where
    a tag leads back, `check_fif` says so.
    """
    if not os.path.isfile(path) or not path.name.lower().endswith((".fif", ".fif.gz")):
        return False
    opened: Any = gzip.open if path.name.lower().endswith(".gz") else open
    with reading(path, remedy=DAMAGED), opened(path, "rb") as file:
        place = 0
        while len(tag := file.read(TAG_BYTES)) == TAG_BYTES:
            kind, _, size, following = np.frombuffer(tag, ">i4").tolist()
            if kind == BLOCK_START and size == 4:
                block = int.from_bytes(file.read(4), "big")
                if block == EPOCHS or block in RAW_BLOCKS:
                    return block == EPOCHS
            if following < 0 or size < 0 or 0 < following <= place:
                return False
            place = following or place + TAG_BYTES + size
            file.seek(place)
    return False


def read_epochs(path: Path, *, kinds: tuple[str, ...] = ELECTRODES, names: tuple[str, ...] = ()) -> Continuous:
    """Return the trials of a file, one stretch each, as stored; every trial is annotated with its event.

    Parameters
    ----------
    path : Path
        FIF, or EEGLAB with more than one trial.
    kinds, names : tuple of str
        As for `read_continuous`.

    Raises
    ------
    DataError
        If the file is truncated, damaged or holds no trial.
    """
    eeglab = path.suffix.lower() == ".set"
    with reading(path, remedy=DAMAGED):
        if eeglab:
            own: Any = _mne.io.read_epochs_eeglab(path, verbose="ERROR")
        else:
            check_fif(path)
            own = _mne.read_epochs(path, proj=False, preload=True, verbose="ERROR")
        count, rate_hz = len(own), float(own.info["sfreq"])
        if count < 1:
            raise DataError("it holds no trial", where=str(path), remedy="Save the epochs again.")
        picks = picks_of(own, path, kinds, names)
        channels, factors = channels_of(own, picks)
        data = np.asarray(own.get_data(picks, verbose="ERROR"), dtype=np.float64) * factors
    texts = {int(code): str(text) for text, code in own.event_id.items()}
    events = np.asarray(own.events, dtype=np.int64)
    steps, before = data.shape[2], round(-float(own.times[0]) * rate_hz)
    in_order = bool((np.diff(events[:, 0]) > 0).all())
    firsts = events[:, 0] - events[0, 0] if in_order else np.arange(count) * (steps + round(rate_hz))
    stretches = [Stretch(n * steps, (n + 1) * steps, int(first)) for n, first in enumerate(firsts)]
    annotations = [Annotation(one.start, one.stop, texts.get(int(code), str(code)))
                   for one, code in zip(stretches, events[:, 2], strict=True)]  # fmt: skip
    samples = data.transpose(1, 0, 2).reshape(len(picks), -1)
    said = [f"{path.name} holds {count} trials that were cut before: each is filtered apart"]
    if not in_order:
        said.append(f"{path.name} does not say when its trials were recorded: they are taken not to overlap")
    return Continuous(lambda start, stop: samples[:, start:stop], samples.shape[1], rate_hz, channels,
                      tuple(annotations), no_runs, 0, tuple(map(str, own.info["bads"])), tuple(stretches), tuple(said),
                      before)  # fmt: skip
