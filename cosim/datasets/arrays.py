"""Arrays of your own (NPZ, NPY, MATLAB), or spikes of an NWB file: examples already cut, or one binned recording.

``classification``: ``inputs`` (examples, channels, steps) and ``targets`` (examples,) of whole numbers from 0.
``regression``: ``inputs`` (bins, channels) and ``targets`` (bins, outputs), consecutive in time; cut here. A bin with a
target that is nan has none: it is masked, and nothing is trained or scored on it.
Optional arrays of one label per example (per bin): ``recording``, ``subject``, ``session``, ``run``, ``part``, and
those that the option `labels` names; and for classification ``starts``, the first step of each example within its
recording. Every label is a group that splits can hold out. Bins between which any label changes are not neighbours;
where no ``recording`` is given, bins of one subject, session and part are of one recording, cut where a label changes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from cosim.datasets import files
from cosim.datasets.array_files.named import in_axes, numbered, read_named
from cosim.datasets.assemble import Origin
from cosim.datasets.card import Card
from cosim.datasets.corpus import Corpus
from cosim.datasets.plausible import MICROVOLTS, check_amplitudes
from cosim.datasets.recordings import Channel, Recording, array_recording
from cosim.datasets.segments import SESSION, BinnedRecording, segmented
from cosim.datasets.types import Dataset
from cosim.datasets.windows import example_windows
from cosim.preprocessing import Step
from energy_models.errors import DataError, errors_placed

NAME = "arrays"
UNITS_APART = ("recording", "subject", "session", "run")  # recordings that may have been made with another scale
AMPLITUDES = "State the unit (option unit), scale them alike, or set amplitudes = \"as given\"."
GROUPS = ("recording", "subject", "session", "run", "part")

CARD = Card(
    title="Arrays of your own (NPZ or NPY)",
    licence="that of the recording",
    citation="whoever recorded the data",
    homepage="",
    caveats=("What was done before the arrays were saved is not in the counted pipeline.",),
)


class Options(BaseModel):
    """Where the arrays are and what they mean.

    Parameters
    ----------
    path : str
        An NPZ or MATLAB file, or a folder with ``inputs.npy``, ``targets.npy`` and so on; or an NWB file, whose units
        are counted in bins (regression); relative to the data folder.
    task : {'classification', 'regression'}
    rate_hz : float
        Steps or bins per second [Hz].
    source_bits : int
        Width of one stored sample or count [bits].
    output_names : str
        Names of classes or outputs, separated by commas.
    segment_steps : int
        Bins per example (regression).
    unit : str
        Of the inputs, such as ``µV``; amplitudes in volts, or parts of them, that no electrode gives are refused.
    amplitudes : {'checked', 'as given'}
        ``checked``: trials of one recording must also vary by a like amount as those of another (one may be in another
        unit); ``as given``: any amplitude is taken.
    labels : str
        Names of further arrays of labels, separated by commas, such as ``day,block``; NWB: columns of its trials.
    inputs, targets : str
        Names of the two in the file. MATLAB: fields by dots, such as ``data.trials``; the arrays of a cell are
        examples. NWB: `targets` is a series, such as ``behavior/hand``.
    axes : str
        Order of the axes of the inputs as stored, such as ``channels,steps,examples`` or ``channels,bins``; the latter
        is that of the targets too. Empty: ``examples,channels,steps``, or ``bins,channels``.
    first_class : int
        Number of the first class; 1 where classes are counted as in MATLAB.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    task: Literal["classification", "regression"]
    rate_hz: float = Field(gt=0)
    source_bits: int = Field(ge=1, le=32)
    output_names: str
    segment_steps: int = Field(default=100, ge=1)
    unit: str = "as stored"
    amplitudes: Literal["checked", "as given"] = "checked"
    labels: str = ""
    inputs: str = "inputs"
    targets: str = "targets"
    axes: str = ""
    first_class: int = 0

    @property
    def further_labels(self) -> tuple[str, ...]:
        """Names of the option `labels`."""
        return tuple(filter(None, (part.strip() for part in self.labels.split(","))))


def load(options: Options, data_dir: Path | None) -> Dataset:
    """Return the arrays as a dataset.

    Raises
    ------
    DataError
        If arrays are missing, do not go together, or hold flat channels or values that are not finite.
    """
    path = Path(options.path)
    if not path.is_absolute():
        path = files.root(data_dir, corpus=NAME, expected=options.path) / path
    if not os.path.exists(path):
        raise files.missing(NAME, path, fetch="Save your arrays there with numpy.savez.")
    with errors_placed(str(path)), np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused
        found, notes = _read(options, path)
        return _dataset(options, found, path, notes)


def _read(options: Options, path: Path) -> tuple[dict[str, NDArray[Any]], tuple[str, ...]]:
    """Return the arrays of a file, their axes and classes in the order of this package, and notes."""
    labels = options.further_labels
    if path.suffix.lower() == ".nwb":
        if options.task != "regression":
            raise DataError("units of an NWB file are read for regression", where=str(path),
                            remedy="Set task = 'regression', or read its voltages with the dataset 'mne_file'.")
        from cosim.datasets.recording_files.nwb_spikes import read_spikes  # MNE-Python is read with it

        return read_spikes(path, options.targets, rate_hz=options.rate_hz, labels=labels)
    names = {"inputs": options.inputs, "targets": options.targets, "starts": "starts",
             **{name: name for name in (*GROUPS, *labels)}}  # fmt: skip
    found = in_axes(read_named(path, names, ("inputs", "targets", *labels)), options.axes, options.task, path)
    if options.task == "classification":
        found["targets"] = numbered(found["targets"], options.output_names.split(","), options.first_class)
    return found, ()


def _dataset(options: Options, found: dict[str, NDArray[Any]], path: Path, notes: tuple[str, ...]) -> Dataset:
    """Return arrays as a dataset after checking that they go together."""
    if empty := [name for name, array in found.items() if array.size == 0 or array.ndim == 0]:
        raise DataError(f"array {', '.join(empty)} holds no example", where=str(path), remedy="Save it again.")
    count = len(found["inputs"])
    for name, array in found.items():
        if len(array) != count:
            raise DataError(f"array {name!r} has {len(array)} entries, inputs have {count}", where=str(path),
                            remedy="Every array needs one entry per example (or per bin).")
    named = (*GROUPS, *options.further_labels)
    for name in ("inputs", "targets"):
        if found[name].dtype.kind not in "iufb":
            raise DataError(f"array {name!r} of {found[name].dtype} holds no real numbers", where=str(path),
                            remedy="Save it as numbers of one type.")
    labels = {name: _labels(name, found[name], path) for name in named if name in found}
    outputs = tuple(part.strip() for part in options.output_names.split(","))
    origin = Origin(NAME, CARD, outputs, options.source_bits, notes)
    if options.task == "regression":
        return _regression(options, origin, found, labels, path)
    return _classification(options, origin, found, labels, path)


def _labels(name: str, array: NDArray[Any], path: Path) -> NDArray[np.str_]:
    """Return labels as text: whole numbers, text and truth values are labels, other numbers are not."""
    if array.ndim != 1 or array.dtype.kind not in "iubUS":
        raise DataError(f"array {name!r} of {array.dtype} and shape {array.shape} holds no labels", where=str(path),
                        remedy="Give one whole number or text per example (or per bin).")
    return np.char.decode(array, "utf-8", "replace") if array.dtype.kind == "S" else array.astype(np.str_)


def _regression(
    options: Options, origin: Origin, found: dict[str, NDArray[Any]], labels: dict[str, NDArray[np.str_]], path: Path
) -> Dataset:
    """Return segments of every run of bins with the same labels."""
    inputs, targets = np.asarray(found["inputs"], np.float64), np.asarray(found["targets"], np.float64)
    if inputs.ndim != 2 or targets.ndim != 2 or targets.shape[1] != len(origin.output_names):
        raise DataError(f"inputs {inputs.shape} and targets {targets.shape} are not (bins, channels) and "
                        f"(bins, {len(origin.output_names)})", where=str(path), remedy="See the option output_names.")
    per_bin = list(zip(*(labels[name].tolist() for name in labels), strict=True)) if labels else [()] * len(inputs)
    channels = tuple(Channel(f"unit {index}", unit=options.unit) for index in range(inputs.shape[1]))
    known: NDArray[np.bool_] = np.asarray(~np.isnan(targets).any(axis=1))
    recordings: list[BinnedRecording] = []
    for number, (key, members) in enumerate(groupby(range(len(inputs)), key=lambda index: per_bin[index])):
        indices = list(members)
        groups = {name: str(label) for name, label in zip(labels, key, strict=True)}
        groups.setdefault("recording", ", ".join(groups[name] for name in SESSION if name in groups) or "whole")
        part = slice(indices[0], indices[-1] + 1)
        name = f"segment{number + 1}" + (f" ({', '.join(key)})" if key else "")
        one = array_recording(name, inputs[part].T, channels, options.rate_hz, groups=groups)
        recordings.append(BinnedRecording(one, targets[part], known[part]))
    if options.amplitudes == "checked" and options.unit in MICROVOLTS:
        check_amplitudes([one.recording for one in recordings], remedy=AMPLITUDES)
    return segmented(origin, recordings, (), bin_s=1 / options.rate_hz, segment_steps=options.segment_steps)


def _classification(
    options: Options, origin: Origin, found: dict[str, NDArray[Any]], labels: dict[str, NDArray[np.str_]], path: Path
) -> Dataset:
    """Return the examples as they are; without starts none of them overlap."""
    inputs = np.asarray(found["inputs"], np.float32)
    targets = np.asarray(found["targets"])
    if inputs.ndim != 3 or targets.ndim != 1:
        raise DataError(f"inputs {inputs.shape} and targets {targets.shape} are not (examples, channels, steps) and "
                        "(examples,)", where=str(path), remedy="For a binned recording set task = 'regression'.")
    if targets.dtype.kind not in "iu" or targets.min() < 0 or targets.max() >= len(origin.output_names):
        raise DataError(f"targets are not whole numbers from 0 to {len(origin.output_names) - 1}", where=str(path),
                        remedy="Number the classes in the order of output_names.")
    channels = tuple(Channel(f"channel {index}", unit=options.unit) for index in range(inputs.shape[1]))
    names = tuple(channel.name for channel in channels)
    for number in np.flatnonzero(~np.isfinite(inputs).all(axis=(1, 2)))[:1].tolist():
        files.check_finite(inputs[number].astype(np.float64), names, where=f"{path}: example {number + 1}",
                           rate_hz=options.rate_hz)
    flat_view = inputs.transpose(1, 0, 2).reshape(inputs.shape[1], -1).astype(np.float64)
    files.check_channels(flat_view, names, where=str(path))
    if options.amplitudes == "checked":
        check_amplitudes(_joined(inputs, labels, channels, options.rate_hz), remedy=AMPLITUDES)
    alone = np.asarray([f"example{index}" for index in range(len(inputs))], dtype=np.str_)
    groups = {"recording": alone, **labels}
    starts, notes = np.zeros(len(inputs), dtype=np.int64), ()
    if "starts" in found:
        starts = _starts(found["starts"], targets, labels, path)
    elif "recording" in found:
        notes = ("no array 'starts' was given: examples of one recording are taken not to overlap",)
    cut_from = _own_recordings(labels, starts) if "starts" in found else alone.tolist()
    windows = example_windows(inputs, cut_from, starts, channels, options.rate_hz)
    return Dataset(
        name=NAME, card=CARD, task="classification", windows=windows, target_values=targets.astype(np.int64),
        output_names=origin.output_names, groups=groups, notes=notes,
        source_rate_hz=options.rate_hz, source_bits=options.source_bits,
        pipeline=(Step("as_stored", {"channels": inputs.shape[1], "steps": inputs.shape[2]}, causal=True),),
    )  # fmt: skip


def _joined(
    inputs: NDArray[np.float32], labels: dict[str, NDArray[np.str_]], channels: tuple[Channel, ...], rate_hz: float
) -> list[Recording]:
    """Return the trials of each recording, as far as labels tell, behind each other."""
    apart = {name: labels[name] for name in UNITS_APART if name in labels}
    keys = np.stack([*apart.values(), np.full(len(inputs), "inputs")])
    found: list[Recording] = []
    for key in np.unique(keys, axis=1).T:
        samples = inputs[(key == keys.T).all(axis=1)].transpose(1, 0, 2).reshape(len(channels), -1)
        named = ", ".join(f"{name} {label}" for name, label in zip(apart, key.tolist(), strict=False)) or "inputs"
        found.append(array_recording(named, samples, channels, rate_hz))
    return found


def _starts(
    starts: NDArray[Any], targets: NDArray[Any], labels: dict[str, NDArray[np.str_]], path: Path
) -> NDArray[np.int64]:
    """Return the first step of each example, after checking that no window stands there under two labels."""
    if "recording" not in labels:
        raise DataError("starts and recording are needed together, or neither", where=str(path),
                        remedy="They say which examples overlap in time; leave both out for separate trials.")
    if starts.ndim != 1 or starts.dtype.kind not in "iu" or starts.min() < 0:
        raise DataError("starts are not whole numbers from 0", where=str(path),
                        remedy="Give the first step of each example within its recording.")
    first: dict[tuple[str, int], int] = {}
    for index, place in enumerate(zip(_own_recordings(labels, starts), starts.tolist(), strict=True)):
        other = first.setdefault(place, index)
        if targets[other] != targets[index]:
            raise DataError(f"examples {other} and {index} are one window, step {place[1]} of recording "
                            f"{labels['recording'][index]}, under two labels", where=str(path),
                            remedy="Leave one of them out, or both.")
    return starts.astype(np.int64)


def _own_recordings(labels: Mapping[str, NDArray[np.str_]], starts: NDArray[Any]) -> list[str]:
    """Return a name of the recording each example was cut from: one number in two subjects is two recordings.

    So it is in two sessions of a subject where their steps overlap: each session then counts from 0 again. Sessions
    that follow each other in the steps of one recording stay in it, so that windows which touch are seen.
    """
    none = np.full(len(starts), "")
    own = np.stack([labels.get("subject", none), labels["recording"]], axis=1)
    number = np.unique(own, axis=0, return_inverse=True)[1].reshape(-1)
    session = labels.get("session", none)
    names = [f"{recording} of subject {subject}" if subject else recording for subject, recording in own.tolist()]
    for one in range(int(number.max()) + 1):
        rows = np.flatnonzero(number == one)
        spans = sorted((int(starts[mine].min()), int(starts[mine].max()))
                       for name in np.unique(session[rows]) for mine in (rows[session[rows] == name],))  # fmt: skip
        if any(later[0] <= former[1] for former, later in pairwise(spans)):
            for row in rows.tolist():
                names[row] += f", session {session[row]}"
    return names


DATASET = Corpus(CARD, "either", Options, load)
