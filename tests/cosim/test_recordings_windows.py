"""Recordings are read on demand, masks are never ignored, and arrays are kept once for all runs."""

from __future__ import annotations

import dataclasses
import multiprocessing
from pathlib import Path

import numpy as np
import pytest
from dense_dataset import dense_dataset

from cosim.datasets.array_store import ArrayStore, array_digest
from cosim.datasets.card import Card
from cosim.datasets.recordings import Channel, Recording, Recordings, array_recording
from cosim.datasets.stored import open_arrays, store_arrays
from cosim.datasets.types import Dataset
from cosim.datasets.windows import Windows
from cosim.preprocessing.scaling import fit_scaler
from energy_models.errors import DataError

CARD = Card("t", "none", "none", "", ())
CHANNELS = (Channel("a", "eeg", "uV"), Channel("b", "eeg", "uV", (0.0, 0.01, 0.09)))
VALUES = np.arange(2 * 100, dtype=np.float32).reshape(2, 100)


class Watched:
    """A reader that remembers what it was asked for."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.asked = values, []

    def __call__(self, start: int, stop: int) -> np.ndarray:
        self.asked.append((start, stop))
        return self.values[:, start:stop]


def dataset(windows: Windows, **changes: object) -> Dataset:
    count = len(windows)
    known: dict = {
        "name": "t", "card": CARD, "task": "classification", "windows": windows, "target_values": np.arange(count) % 2,
        "output_names": ("x", "y"), "groups": {"recording": np.full(count, "r")}, "source_rate_hz": 100.0,
        "source_bits": 16, "pipeline": (),
    }  # fmt: skip
    return Dataset(**{**known, **changes})


def test_only_the_windows_asked_for_are_read() -> None:
    reader = Watched(VALUES)
    windows = Windows(
        Recordings((Recording("r", CHANNELS, 100.0, 100, reader),)), np.zeros(4, np.int64), np.arange(4) * 20, 10
    )
    assert reader.asked == []
    np.testing.assert_array_equal(windows.inputs([2, 0]), np.stack([VALUES[:, 40:50], VALUES[:, :10]]))
    assert sorted(reader.asked) == [(0, 10), (40, 50)]


def test_scaling_is_applied_to_what_is_read() -> None:
    windows = dense_dataset("t", CARD, "classification", VALUES[None].repeat(3, 0), np.arange(3), ("x",),
                            {"recording": np.array(["r", "s", "t"])}, np.zeros(3), 100.0).windows  # fmt: skip
    scaler = fit_scaler(windows.inputs())
    np.testing.assert_array_equal(windows.scaled(scaler).inputs([1]), scaler.apply(windows.inputs([1])))


@pytest.mark.parametrize(
    ("recording", "starts", "says"),
    [([0, 1], [0, 0], "lies in none of the 1"), ([0, 0], [0, 100], "starts at 100, outside of the 100 steps of r"),
     ([0, 0], [-1, 0], "starts at -1"), ([0], [0, 0], "do not describe windows")],
)  # fmt: skip
def test_an_index_outside_of_the_recordings_is_refused(recording: list[int], starts: list[int], says: str) -> None:
    recordings = Recordings((array_recording("r", VALUES, CHANNELS, 100.0),))
    with pytest.raises(DataError, match=says):
        Windows(recordings, np.array(recording), np.array(starts), 10)


def two_sessions() -> Windows:
    """The second session lost channel b, and its one window passes the end by 4 of 10 steps."""
    first = array_recording("first", VALUES, CHANNELS, 100.0)
    second = array_recording("second", VALUES[:1, :56], CHANNELS[:1], 100.0)
    return Windows(Recordings((first, second)), np.array([0, 1]), np.array([0, 50]), 10)


def test_what_does_not_exist_is_masked_and_never_ignored() -> None:
    windows = two_sessions()
    assert [one.name for one in windows.channels] == ["a", "b"]
    assert windows.recordings.common_channels() == ("a",)
    found = windows.masked_inputs([0, 1])
    np.testing.assert_array_equal(found.mask[0], np.ones((2, 10), bool))
    np.testing.assert_array_equal(found.mask[1], [[True] * 6 + [False] * 4, [False] * 10])
    np.testing.assert_array_equal(found.values[1, 0, :6], VALUES[0, 50:56])
    assert np.isnan(found.values[1, 1]).all()
    said = "second lacks channel b; 1 of 2 windows pass the end"
    with pytest.raises(DataError, match=said):
        windows.inputs([0])
    with pytest.raises(DataError, match=f"study: dataset 't' has gaps.*{said}"):
        dataset(windows).refuse_masks(where="study")


def test_channels_that_all_recordings_have_can_be_kept() -> None:
    recordings = two_sessions().recordings.with_channels(["a"])
    windows = Windows(recordings, np.array([0, 1]), np.array([0, 40]), 10)
    assert windows.inputs().shape == (2, 1, 10)
    with pytest.raises(DataError, match=r"second: it has no channel b\. Its channels: a"):
        two_sessions().recordings.with_channels(["b"])


def test_masked_targets_are_never_ignored() -> None:
    windows = Windows(Recordings((array_recording("r", VALUES, CHANNELS, 100.0),)), np.zeros(2, int), np.arange(2), 10)
    targets = np.zeros((2, 10, 1), np.float32)
    mask = np.ones((2, 10), bool)
    whole = dataset(windows, task="regression", target_values=targets, target_mask=mask)
    assert whole.targets is targets
    mask = mask.copy()
    mask[1, 3] = False
    with pytest.raises(DataError, match="1 of 20 steps have none"):
        _ = dataclasses.replace(whole, target_mask=mask).targets


def test_recordings_of_two_rates_or_one_name_are_refused() -> None:
    one = array_recording("r", VALUES, CHANNELS, 100.0)
    with pytest.raises(DataError, match="s is sampled at 50 Hz but r at 100 Hz"):
        Recordings((one, array_recording("s", VALUES, CHANNELS, 50.0)))
    with pytest.raises(DataError, match="two recordings are called 'r'"):
        Recordings((one, one))


def test_a_dataset_comes_back_from_the_store_as_it_was(tmp_path: Path) -> None:
    before = dataset(two_sessions())
    store = ArrayStore(tmp_path)
    manifest = store_arrays(before, store)
    opened = open_arrays(manifest, store)
    after = dataclasses.replace(before, windows=opened.windows, target_values=opened.target_values)
    assert after.digest == before.digest
    assert opened.windows.channels == before.windows.channels
    wanted, found = before.windows.masked_inputs([1, 0]), opened.windows.masked_inputs([1, 0])
    np.testing.assert_array_equal(found.values, wanted.values)
    np.testing.assert_array_equal(found.mask, wanted.mask)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npy")}
    assert store_arrays(before, store) == manifest
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npy")} == files  # kept once


@pytest.mark.parametrize(("damage", "says"), [("cut", "is damaged"), ("gone", "not in the data store")])
def test_a_damaged_store_is_noticed_and_filled_again(tmp_path: Path, damage: str, says: str) -> None:
    before, store = dataset(two_sessions()), ArrayStore(tmp_path)
    manifest = store_arrays(before, store)
    for path in tmp_path.rglob("*.npy"):
        if damage == "cut":
            path.write_bytes(path.read_bytes()[:-8])
        else:
            path.unlink()
    with pytest.raises(DataError, match=says):
        open_arrays(manifest, store)
    assert store_arrays(before, store) == manifest
    assert dataclasses.replace(before, windows=open_arrays(manifest, store).windows).digest == before.digest


def test_a_flipped_bit_is_mended_when_the_array_is_kept_again(tmp_path: Path) -> None:
    store = ArrayStore(tmp_path)
    digest = store.put(VALUES)
    path = store.path(digest)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert array_digest(store.map(digest)) != digest
    assert store.put(VALUES) == digest
    np.testing.assert_array_equal(store.map(digest), VALUES)


def _fill(folder: Path) -> str:
    return ArrayStore(folder).put(np.arange(200_000, dtype=np.float32))


def test_two_processes_may_fill_the_store_at_once(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        digests = pool.map(_fill, [tmp_path] * 8)
    assert len(set(digests)) == 1
    assert [path.name for path in tmp_path.rglob("*.npy")] == [f"{digests[0]}.npy"]
    assert not list(tmp_path.rglob("*.partial"))
