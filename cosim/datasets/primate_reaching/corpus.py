"""Self-paced reaching of two monkeys: spike times of M1 (and S1) and the cursor at 250 Hz, MATLAB version 7.3.

The sessions of the NeuroBench primate reaching track (Yik et al. 2025, Nat. Commun. 16:1545). Its script is followed
but for three things: a bin holds the spikes up to its own end, where the script's are one bin late; segments have one
length, where the script's are reaches; and 200 ms between the parts are left out, on which windowed decoders look back.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from cosim.datasets import files
from cosim.datasets.assemble import Origin
from cosim.datasets.card import Card
from cosim.datasets.corpus import Corpus
from cosim.datasets.primate_reaching.session_file import Session, read_session, sampling_interval
from cosim.datasets.recordings import Channel, array_recording
from cosim.datasets.segments import BinnedRecording, segmented
from cosim.datasets.types import Dataset
from energy_models.errors import DataError

NAME = "primate_reaching"
SESSIONS = ("indy_20160622_01", "indy_20160630_01", "indy_20170131_02", "loco_20170210_03", "loco_20170215_02",
            "loco_20170301_05")  # fmt: skip
"""The six sessions of the track."""
AXES = ("vx", "vy")
SOURCE_BITS = 8
TRAINED = 0.5  # share of reaches, as published; half of the others is for validation
GAP_S = 0.2
FEWEST_REACHES = 4
ROUNDING = 1e-6  # of a sample
FETCH = f"Put the sessions there, such as {SESSIONS[0]}.mat, from https://zenodo.org/records/583331."

CARD = Card(
    title="Motor cortex, self-paced reaching of two monkeys (Indy, Loco)",
    licence="see its homepage",
    citation="O'Doherty, Cardoso, Makin, Sabes 2017, Nonhuman Primate Reaching with Multichannel Sensorimotor Cortex "
             "Electrophysiology, doi:10.5281/zenodo.583331",
    homepage="https://zenodo.org/records/583331",
    caveats=(
        "Spikes were detected (and sorted) before the file was written; that work is not in the counted pipeline.",
        "A score here is of one session, or of one monkey's array at a time: sessions differ in channels.",
        "This reader was tested on made files of the format, not on the originals.",
    ),
)


class Options(BaseModel):
    """Which session, and how it is binned and cut.

    Parameters
    ----------
    session : str
        Name of its file, without ``.mat``.
    units : {'any', 'sum'}
        What a bin of a channel holds: 1 where any of its units fired, as published, or how many spikes they fired.
    bin_samples : int
        Samples of the cursor in a bin; 1 is the published bin of 4 ms.
    segment_steps : int
        Bins per example.
    longest_reach_s : float
        Bins of longer reaches of the training part have no target, as published: the monkey rested [s].
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    session: str = Field(default=SESSIONS[0], pattern=r"^[A-Za-z0-9_-]+$")
    units: Literal["any", "sum"] = "any"
    bin_samples: int = Field(default=1, ge=1)
    segment_steps: int = Field(default=500, ge=1)
    longest_reach_s: float = Field(default=8.0, gt=0)


@dataclass(frozen=True, slots=True)
class _Bins:
    """A session in bins: what they hold (bins, channels), velocities (bins, 2), the number of each bin's reach."""

    bin_s: float
    counts: NDArray[np.uint8]
    velocity: NDArray[np.float64]
    reach: NDArray[np.int64]


def load(options: Options, data_dir: Path | None) -> Dataset:
    """Return consecutive segments of one session; group ``part``: the first three quarters of its reaches, the others.

    Raises
    ------
    DataError
        If the file is missing, damaged or lacks a variable, its times are uneven, or no segment fits.
    """
    folder = files.root(data_dir, corpus=NAME, expected=f"{NAME}/{options.session}.mat") / NAME
    path = folder / f"{options.session}.mat"
    if not path.is_file():
        raise files.missing(NAME, path, fetch=FETCH)
    session = read_session(path)
    interval_s = sampling_interval(session.times_s, path)
    bin_s = interval_s * options.bin_samples
    counts = _binned(session, interval_s, options)
    ends = np.arange(options.bin_samples - 1, len(session.times_s), options.bin_samples)
    velocity = np.gradient(session.cursor, axis=0)[ends] / interval_s
    reach = np.cumsum(np.any(np.diff(session.target, axis=0, prepend=session.target[:1]) != 0, axis=1))[ends]
    origin = Origin(NAME, CARD, AXES, SOURCE_BITS)
    bins = _Bins(bin_s, counts, velocity, reach)
    if len(reach) < options.segment_steps or len(np.unique(reach)) < FEWEST_REACHES:
        raise DataError(f"{len(reach)} bins of {len(np.unique(reach))} reaches are too few to part", where=str(path),
                        remedy=f"Choose another session (of {FEWEST_REACHES} reaches or more) or smaller segments.")
    parts = [_part(options, session, bins, part) for part in ("train", "test")]
    return segmented(origin, parts, (), bin_s=bin_s, segment_steps=options.segment_steps, silent="kept")


def _binned(session: Session, interval_s: float, options: Options) -> NDArray[np.uint8]:
    """Return what each bin of each channel holds, shape (bins, channels): spikes from its start to its last sample."""
    bins, width = len(session.times_s) // options.bin_samples, options.bin_samples
    found = np.zeros((bins, len(session.units)), dtype=np.int64)
    for place, units in enumerate(session.units):
        for times in units:
            sample = np.ceil((times - session.times_s[0]) / interval_s - ROUNDING)
            inside = (sample >= 0) & (sample < bins * width)
            found[:, place] += np.bincount(sample[inside].astype(np.int64) // width, minlength=bins)
    return (found > 0 if options.units == "any" else found.clip(max=2**SOURCE_BITS - 1)).astype(np.uint8)


def _part(options: Options, session: Session, bins: _Bins, part: Literal["train", "test"]) -> BinnedRecording:
    """Return the first three quarters of the reaches, or after a gap the others."""
    reaches = int(bins.reach[-1]) + 1
    trained = int(TRAINED * reaches)
    boundary = int(np.searchsorted(bins.reach, trained + (reaches - trained) // 2))
    after = min(boundary + round(GAP_S / bins.bin_s), len(bins.reach) - 1)
    start, stop = (0, boundary) if part == "train" else (after, len(bins.reach))
    lengths_s = np.bincount(bins.reach, minlength=reaches) * bins.bin_s
    known = lengths_s[bins.reach[start:stop]] < options.longest_reach_s if part == "train" else None
    recording = array_recording(
        f"{options.session} {part}", bins.counts[start:stop].T,
        [Channel(name, "spike count", "spikes per bin") for name in _distinct(session.channels)], 1.0 / bins.bin_s,
        first_step=start, cut_from=options.session,
        groups={"subject": options.session.split("_")[0], "session": options.session, "part": part},
    )  # fmt: skip
    return BinnedRecording(recording, bins.velocity[start:stop], known)


def _distinct(names: list[str]) -> list[str]:
    """Return names, those that occur twice with their number behind them."""
    return [f"{name} ({place})" if names.count(name) > 1 else name for place, name in enumerate(names)]


DATASET = Corpus(CARD, "regression", Options, load)
