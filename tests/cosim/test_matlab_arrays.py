"""MATLAB files of version 5 and 7.3: the same arrays, cells, structures and texts come out of both."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matlab_files import Cell, Structures, write
from scipy.io import savemat
from scipy.sparse import csc_matrix

from cosim.datasets.registry import load
from cosim.datasets.types import Dataset
from energy_models.errors import DataError

h5py = pytest.importorskip("h5py")
RNG = np.random.default_rng(0)
TRIALS = RNG.normal(0, 10, (6, 3, 40))  # examples, channels, steps
TRIALS[np.arange(6), 1, np.arange(6)] = 500.0
CLASSES = np.array([1.0, 2.0, 1.0, 2.0, 1.0, 2.0])


def read(folder: Path, **options: object) -> Dataset:
    plain = {"path": "one.mat", "task": "classification", "rate_hz": 100.0, "source_bits": 16, "output_names": "L,R",
             "unit": "µV", "first_class": 1}  # fmt: skip
    return load("arrays", data_dir=folder, options={**plain, **options})  # type: ignore[arg-type]


def check(dataset: Dataset) -> None:
    np.testing.assert_allclose(dataset.windows.inputs(), TRIALS, rtol=1e-6)
    assert dataset.target_values.tolist() == [0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize("version", ["5", "7.3"])
@pytest.mark.parametrize(
    ("content", "options"),
    [
        ({"inputs": TRIALS, "targets": CLASSES}, {}),
        ({"x": TRIALS.transpose(1, 2, 0), "y": CLASSES[:, None]},
         {"inputs": "x", "targets": "y", "axes": "channels,steps,examples"}),
        ({"data": {"x": {"trials": TRIALS}, "y": CLASSES}}, {"inputs": "data.x.trials", "targets": "data.y"}),
        ({"x": Cell(TRIALS), "y": Cell("LRLRLR")}, {"inputs": "x", "targets": "y", "first_class": 0}),
        ({"t": Structures([{"x": one, "y": label} for one, label in zip(TRIALS, CLASSES, strict=True)])},
         {"inputs": "t.x", "targets": "t.y"}),
        ({"t": Structures([{"x": one, "y": side} for one, side in zip(TRIALS, "LRLRLR", strict=True)])},
         {"inputs": "t.x", "targets": "t.y", "first_class": 0}),
    ],
)  # fmt: skip
def test_trials_come_out_of_both_versions(
    version: str, content: dict[str, Any], options: dict[str, object], tmp_path: Path
) -> None:
    write(tmp_path / "one.mat", version, content)
    check(read(tmp_path, **options))


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_logical_targets_are_the_classes_0_and_1(version: str, tmp_path: Path) -> None:
    write(tmp_path / "one.mat", version, {"inputs": TRIALS, "targets": CLASSES > 1})
    check(read(tmp_path, first_class=0))


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_rows_of_characters_lose_the_blanks_that_pad_them(version: str, tmp_path: Path) -> None:
    """MATLAB's char({'left','right'}) is of 5 columns: 'left ' and 'right'."""
    rows = np.array([list("left "), list("right")] * 3)
    path = write(tmp_path / "one.mat", version, {"inputs": TRIALS, "targets": CLASSES})
    if version == "5":
        savemat(path, {"inputs": TRIALS, "targets": np.array(["left ", "right"] * 3)})
    else:
        with h5py.File(path, "r+") as file:
            del file["targets"]
            file["targets"] = np.vectorize(ord)(rows).T.astype(np.uint16)
            file["targets"].attrs["MATLAB_class"] = np.bytes_("char")
    check(read(tmp_path, output_names="left,right", first_class=0))


@pytest.mark.parametrize("version", ["5", "7.3"])
@pytest.mark.parametrize(
    ("name", "said"),
    [("inputs", r"'inputs' is an array of complex numbers\. Save a real array"),
     ("targets", r"'targets' is a sparse array\. Save a full array: full\(x\)")],
)  # fmt: skip
def test_complex_and_sparse_arrays_are_refused_with_what_makes_them_plain(
    version: str, name: str, said: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "one.mat", version, {"inputs": TRIALS, "targets": CLASSES})
    if version == "5":
        other = {"inputs": TRIALS + 1j, "targets": csc_matrix(CLASSES[:, None])}[name]
        savemat(path, {"inputs": TRIALS, "targets": CLASSES, name: other})
    else:
        with h5py.File(path, "r+") as file:
            del file[name]
            if name == "inputs":
                pairs = np.zeros(TRIALS.T.shape, [("real", "f8"), ("imag", "f8")])
                file.create_dataset(name, data=pairs).attrs["MATLAB_class"] = np.bytes_("double")
            else:
                own = file.create_group(name)
                own.attrs.update({"MATLAB_class": np.bytes_("double"), "MATLAB_sparse": np.uint64(6)})
                own["data"], own["ir"], own["jc"] = CLASSES, np.arange(6), np.array([0, 6])
    with pytest.raises(DataError, match=said):
        read(tmp_path)


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_labels_of_trials_are_groups(version: str, tmp_path: Path) -> None:
    days = np.array([1.0, 1, 2, 2, 3, 3])
    write(tmp_path / "one.mat", version, {"inputs": TRIALS, "targets": CLASSES, "day": days, "subject": Cell("aabbcc")})
    dataset = read(tmp_path, labels="day")
    assert dataset.groups["day"].tolist() == ["1", "1", "2", "2", "3", "3"]
    assert dataset.groups["subject"].tolist() == ["a", "a", "b", "b", "c", "c"]


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_bins_kept_trial_by_trial_are_cut_there(version: str, tmp_path: Path) -> None:
    lengths = (50, 70, 60)
    counts = [RNG.poisson(3.0, (length, 4)).astype(float) for length in lengths]
    hands = [RNG.normal(size=(length, 2)) for length in lengths]
    write(tmp_path / "one.mat", version, {"rate": Cell(counts), "hand": Cell(hands)})
    options = {"task": "regression", "inputs": "rate", "targets": "hand", "output_names": "x,y", "segment_steps": 25,
               "unit": "as stored"}  # fmt: skip
    dataset = read(tmp_path, **options)
    assert dataset.groups["run"].tolist() == ["0", "0", "1", "1", "2", "2"]
    np.testing.assert_allclose(dataset.windows.inputs()[2], counts[1][:25].T)
    whole = {"rate": np.concatenate(counts).T, "hand": np.concatenate(hands).T}
    write(tmp_path / "one.mat", version, whole)
    turned = read(tmp_path, **options, axes="channels,bins")
    np.testing.assert_allclose(turned.windows.inputs()[0], counts[0][:25].T)
    np.testing.assert_allclose(turned.target_values[0], hands[0][:25], rtol=1e-6)


@pytest.mark.parametrize("version", ["5", "7.3"])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"inputs": "trails"}, r"no variable 'trails'.*Did you mean.*trials"),
        ({"inputs": "data.y"}, r"'data' has no field 'y'.*x"),
        ({"inputs": "data"}, r"variable 'data' is a structure.*Name one of its fields"),
        ({"inputs": "mixed"}, r"a cell of unlike things"),
        ({"inputs": "trials", "axes": "channels,steps"}, r"axes = 'channels,steps' are not those of inputs"),
    ],
)
def test_what_is_not_there_or_no_array_is_refused(
    version: str, options: dict[str, object], said: str, tmp_path: Path
) -> None:
    content = {"trials": TRIALS, "targets": CLASSES, "data": {"x": TRIALS}, "mixed": Cell([TRIALS[0], "L"])}
    write(tmp_path / "one.mat", version, content)
    with pytest.raises(DataError, match=rf"one.mat.*{said}"):
        read(tmp_path, **options)


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_a_file_cut_short_is_refused(version: str, tmp_path: Path) -> None:
    whole = write(tmp_path / "one.mat", version, {"inputs": TRIALS, "targets": CLASSES}).read_bytes()
    for length in (0, 60, 600, len(whole) // 2, len(whole) - 20):
        (tmp_path / "one.mat").write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"one.mat"):
            read(tmp_path)


def test_the_extra_is_named_where_its_package_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "one.mat", "7.3", {"inputs": TRIALS, "targets": CLASSES})
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(DataError, match=r"needs the package h5py.*pip install 'cosim\[recordings\]'"):
        read(tmp_path)
