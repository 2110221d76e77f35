"""The primate reaching sessions: bins, velocities and parts of a made file, by hand and against a loop."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from cosim.datasets.registry import load
from cosim.datasets.types import Dataset
from cosim.splits.schemes import GivenParts
from cosim.testing import check_dataset
from energy_models.errors import DataError
from tests.cosim.reaching_session import INTERVAL_S, made_session, write_session

NAME = "primate_reaching"
OPTIONS = {"session": "indy_made", "segment_steps": 40}


def loaded(data: Path, options: dict) -> Dataset:
    return load(NAME, data_dir=data, options=options)


def folder_of(tmp_path: Path, content: dict, version: str = "7.3") -> Path:
    (tmp_path / NAME).mkdir(exist_ok=True)
    write_session(tmp_path / NAME / "indy_made.mat", content, version)
    return tmp_path


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_a_made_session_keeps_the_contract_in_either_version(tmp_path: Path, version: str) -> None:
    dataset = check_dataset(NAME, folder_of(tmp_path, made_session(1500), version), OPTIONS)
    assert dataset.output_names == ("vx", "vy")
    assert dataset.step_rate_hz == pytest.approx(1 / INTERVAL_S)
    assert len(dataset.windows.channels) == 6, "a silent channel is kept, as in the published networks"
    assert set(dataset.windows.inputs().ravel()) == {0.0, 1.0}


def test_bins_hold_the_spikes_since_the_sample_before(tmp_path: Path) -> None:
    """Samples at 1000, 1000.004 ...: a spike at 1000.004 is in bin 1, one at 1000.0041 in bin 2, one before in none."""
    content = made_session(600)
    content["spikes"][1] = np.array([999.9, 1000.004, 1000.0041, 1000.0079, 5000.0])
    content["spikes"][1 + 6] = np.array([1000.0075])
    data = folder_of(tmp_path, content)
    of_any = loaded(data, OPTIONS).windows.inputs()[0, 1]
    assert of_any[:4].tolist() == [0, 1, 1, 0]
    summed = loaded(data, {**OPTIONS, "units": "sum"}).windows.inputs()[0, 1]
    assert summed[:4].tolist() == [0, 1, 3, 0]
    wider = loaded(data, {**OPTIONS, "units": "sum", "bin_samples": 2}).windows.inputs()[0, 1]
    assert wider[:3].tolist() == [1, 3, 0]


def test_velocities_are_the_gradient_of_the_cursor(tmp_path: Path) -> None:
    content = made_session(600)
    dataset = loaded(folder_of(tmp_path, content), OPTIONS)
    wanted = (content["cursor_pos"][9] - content["cursor_pos"][7]) / (2 * INTERVAL_S)
    np.testing.assert_allclose(dataset.target_values[0, 8], wanted, rtol=1e-5)


def test_parts_are_reaches_in_time_with_a_gap(tmp_path: Path) -> None:
    """3,000 samples hold 20 reaches of 150: 10 to train, 5 to validate, 5 to test, which begins at 2,250 + 50 bins."""
    dataset = loaded(folder_of(tmp_path, made_session(3000)), OPTIONS)
    part, starts = dataset.groups["part"], dataset.windows.starts
    assert starts[part == "test"].min() == 2250 + 50
    assert starts[part == "train"].max() + 40 <= 2250
    (fold,) = GivenParts(validation_fraction=1 / 3, gap_steps=50).folds(dataset, seed=0)
    assert starts[fold.validation].min() == pytest.approx(1500, abs=60)
    assert set(part[fold.test]) == {"test"}


def test_long_reaches_are_not_trained_on(tmp_path: Path) -> None:
    """A reach of 300 samples lasts 1.2 s; above a limit of one second it has no target in the training part."""
    content = made_session(3000)
    content["target_pos"][300:600] = content["target_pos"][300]
    dataset = loaded(folder_of(tmp_path, content), {**OPTIONS, "segment_steps": 150, "longest_reach_s": 1.0})
    assert not set(dataset.windows.starts) & {300, 450}
    assert {0, 150, 600} <= set(dataset.windows.starts)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda one: one["t"].__setitem__(5, 1000.022), "off from"),
        (lambda one: one.update(cursor_pos=one["cursor_pos"][:-1]), "cursor_pos has shape"),
        (lambda one: one.update(chan_names=one["chan_names"][:5]), "12 cells of spikes do not go with 5 channels"),
        (lambda one: one.update(target_pos=one["target_pos"] * 0), "of 1 reaches are too few"),
        (lambda one: one.pop("t"), "no variable 't'"),
        (lambda one: one["spikes"].__setitem__(2, np.array([np.nan])), "other things than finite numbers"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(tmp_path: Path, change, said: str) -> None:
    content = made_session(600)
    names = content["chan_names"]
    change(content)
    if len(content["chan_names"]) != len(names):  # the cells stay those of six channels
        written = {**content, "chan_names": names}
        data = folder_of(tmp_path, written)
        with h5py.File(data / NAME / "indy_made.mat", "a") as file:
            cells = file["chan_names"][()][:5]
            del file["chan_names"]
            made = file.create_dataset("chan_names", data=cells, dtype=h5py.ref_dtype)
            made.attrs["MATLAB_class"] = np.bytes_("cell")
    else:
        data = folder_of(tmp_path, content)
    with pytest.raises(DataError, match=said):
        loaded(data, OPTIONS)


def test_a_session_that_is_not_there_says_where_it_comes_from(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    with pytest.raises(DataError, match="zenodo"):
        loaded(tmp_path, {})
