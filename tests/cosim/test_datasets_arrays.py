"""MATLAB, NPZ, NPY and text files: what is read, and what every mistake in them is called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from cosim.datasets.files import check_channels
from cosim.datasets.registry import load
from energy_models.errors import DataError

RNG = np.random.default_rng(0)


def counts(bins: int, units: int) -> np.ndarray:
    return RNG.poisson(2.0, (bins, units)).astype(np.uint8)


def contdata(folder: Path, **content: np.ndarray) -> Path:
    (folder / "m1_contdata95").mkdir(exist_ok=True)
    path = folder / "m1_contdata95" / "contdata95.mat"
    scipy.io.savemat(path, content)
    return path


def test_contdata95(tmp_path: Path) -> None:
    spikes, motion = counts(230, 6), RNG.standard_normal((230, 4))
    contdata(tmp_path, X=motion, Y=spikes)
    dataset = load("m1_contdata95", data_dir=tmp_path, options={"segment_steps": 50})
    assert dataset.windows.inputs().shape == (4, 6, 50)
    np.testing.assert_array_equal(dataset.windows.inputs()[1], spikes[50:100].T)
    np.testing.assert_allclose(dataset.targets[1], motion[50:100, 2:], rtol=1e-6)
    assert (dataset.output_names, dataset.step_rate_hz) == (("vx", "vy"), 20.0)
    assert dataset.notes == ("the last 30 of 230 bins of contdata95 fill no segment and were left out",)
    assert dataset.pipeline_work == ()  # raw counts: nothing is done to them here
    both = load("m1_contdata95", data_dir=tmp_path, options={"outputs": "all", "counts": "square_root", "bin_s": 0.1})
    assert both.targets.shape == (2, 100, 4)
    np.testing.assert_allclose(both.windows.inputs()[0], np.sqrt(spikes[:100].T.astype(float)), rtol=1e-6)
    assert both.pipeline_work[0].operations["square_root"].total == 6  # one per unit and step


def session(folder: Path, blocks: list[dict[str, np.ndarray]]) -> None:
    (folder / "bci_hennig_20131218").mkdir(exist_ok=True)
    scipy.io.savemat(folder / "bci_hennig_20131218" / "20131218.mat", {"D": {"datestr": "20131218", "blocks": blocks}})


def test_a_closed_loop_session_of_two_blocks(tmp_path: Path) -> None:
    """Directions of 0, 90 and 180 degrees; the first two of five steps are frozen and have no target."""
    blocks = [{"spikes": counts(steps, 6), "thetas": np.resize([0.0, 90.0, 180.0], (steps, 1)),
               "isFreezePeriod": np.resize(np.array([1, 1, 0, 0, 0], np.uint8), (steps, 1))}
              for steps in (110, 200)]  # fmt: skip
    session(tmp_path, blocks)
    dataset = load("bci_hennig", data_dir=tmp_path, options={"segment_steps": 50})
    assert dataset.windows.inputs().shape == (6, 6, 50)
    np.testing.assert_array_equal(dataset.windows.inputs()[2], blocks[1]["spikes"][:50].T)
    np.testing.assert_allclose(dataset.target_values[0, :3], [[1, 0], [0, 1], [-1, 0]], atol=1e-6)
    assert dataset.target_mask is not None
    np.testing.assert_array_equal(dataset.target_mask[0, :6], [False, False, True, True, True, False])
    assert list(dataset.groups["block"]) == ["block 1"] * 2 + ["block 2"] * 4
    second = load("bci_hennig", data_dir=tmp_path, options={"blocks": "second", "counts": "square_root"})
    assert second.windows.inputs().shape == (2, 6, 100)
    assert second.step_rate_hz == pytest.approx(1 / 0.045)
    session(tmp_path, [blocks[0] | {"thetas": np.zeros((90, 1))}, blocks[1]])
    with pytest.raises(DataError, match=r"block 1: spikes of shape \(110, 6\) do not go with 90 thetas"):
        load("bci_hennig", data_dir=tmp_path, options={})
    session(tmp_path, blocks[:1])
    with pytest.raises(DataError, match=r"D.blocks.spikes is not one array for each of 2 blocks"):
        load("bci_hennig", data_dir=tmp_path, options={})
    session(tmp_path, [{"spikes": block["spikes"]} for block in blocks])
    with pytest.raises(DataError, match=r"'D.blocks' has no field 'thetas'"):
        load("bci_hennig", data_dir=tmp_path, options={})


def test_wrong_keys_in_a_mat_file(tmp_path: Path) -> None:
    contdata(tmp_path, kinematics=np.zeros((10, 4)), y=counts(10, 6))
    with pytest.raises(DataError, match=r"contdata95.mat: the file holds no variable 'X'.*kinematics, y"):
        load("m1_contdata95", data_dir=tmp_path, options={})


@pytest.mark.parametrize("kept", [0, 60, 1000])
def test_a_cut_mat_file(tmp_path: Path, kept: int) -> None:
    path = contdata(tmp_path, X=RNG.standard_normal((400, 4)), Y=counts(400, 6))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"contdata95.mat: the file cannot be read as MATLAB version 5"):
        load("m1_contdata95", data_dir=tmp_path, options={})


def test_a_text_file_that_claims_to_be_mat(tmp_path: Path) -> None:
    path = contdata(tmp_path, X=np.zeros((4, 4)))
    path.write_text("<html>404</html>\n" * 50)
    with pytest.raises(DataError, match=r"cannot be read as MATLAB version 5"):
        load("m1_contdata95", data_dir=tmp_path, options={})


def test_silent_units_nan_targets_and_wrong_shapes(tmp_path: Path) -> None:
    spikes, motion = counts(200, 6), RNG.standard_normal((200, 4))
    silent = spikes.copy()
    silent[:, 4] = 0
    contdata(tmp_path, X=motion, Y=silent)
    read_later = load("m1_contdata95", data_dir=tmp_path, options={})
    with pytest.raises(DataError, match=r"contdata95: channel unit 4 is flat"):
        read_later.windows.inputs([0])
    lost = motion.copy()
    lost[7, 3] = np.nan
    contdata(tmp_path, X=lost, Y=spikes)
    with pytest.raises(DataError, match=r"not-a-number or infinite values in channel vy"):
        load("m1_contdata95", data_dir=tmp_path, options={})
    contdata(tmp_path, X=motion[:150], Y=spikes)
    with pytest.raises(DataError, match=r"200 bins of 6 channels do not go with 150 targets"):
        load("m1_contdata95", data_dir=tmp_path, options={})
    contdata(tmp_path, X=motion[:, :3], Y=spikes)
    with pytest.raises(DataError, match=r"X has shape \(200, 3\)"):
        load("m1_contdata95", data_dir=tmp_path, options={})
    contdata(tmp_path, X=motion, Y=spikes)
    with pytest.raises(DataError, match=r"segment of 500 steps is longer than the 200 bins"):
        load("m1_contdata95", data_dir=tmp_path, options={"segment_steps": 500})


def test_brown42_keeps_its_parts_apart(tmp_path: Path) -> None:
    folder = tmp_path / "m1_brown42"
    folder.mkdir()
    for part, bins in (("train", 150), ("test", 140)):
        motion = RNG.standard_normal((bins, 4))
        scipy.io.savemat(folder / f"midterm_{part}.mat", {"rate": counts(bins, 3), "kin": motion})
    dataset = load("m1_brown42", data_dir=tmp_path, options={})
    np.testing.assert_array_equal(dataset.groups["part"], ["train", "train", "test", "test"])
    np.testing.assert_array_equal(dataset.windows.starts, [0, 70, 0, 70])
    assert dataset.step_rate_hz == pytest.approx(1 / 0.07)
    (folder / "midterm_test.mat").unlink()
    with pytest.raises(DataError, match=r"midterm_test.mat was not found"):
        load("m1_brown42", data_dir=tmp_path, options={})


def test_sp1s_uses_the_labelled_trials_only(tmp_path: Path) -> None:
    folder = tmp_path / "bci2_iv_sp1s"
    folder.mkdir()
    trials = RNG.standard_normal((50, 28, 12))
    labels = np.array([[0, 1] * 6], dtype=np.uint8)
    scipy.io.savemat(folder / "sp1s_aa.mat", {"x_train": trials, "y_train": labels, "x_test": trials[:, :, :3]})
    dataset = load("bci2_sp1s", data_dir=tmp_path, options={})
    assert dataset.windows.inputs().shape == (12, 28, 50)
    np.testing.assert_allclose(dataset.windows.inputs()[3], trials[:, :, 3].T, rtol=1e-6)
    smooth = load("bci2_sp1s", data_dir=tmp_path, options={"high_hz": 7.0})
    assert np.diff(smooth.windows.inputs()).std() < 0.5 * np.diff(dataset.windows.inputs()).std()
    scipy.io.savemat(folder / "sp1s_aa.mat", {"x_train": trials[:40], "y_train": labels})
    with pytest.raises(DataError, match=r"x_train has shape \(40, 28, 12\)"):
        load("bci2_sp1s", data_dir=tmp_path, options={})


def bonn_text(folder: Path, letters: str, each: int = 2) -> dict[str, np.ndarray]:
    written = {}
    for letter in letters:
        (folder / letter).mkdir(parents=True)
        for number in range(1, each + 1):
            segment = RNG.integers(-200, 200, 4097)
            ending = "TXT" if letter == "N" else "txt"  # the published archive mixes both
            np.savetxt(folder / letter / f"{letter}{number:03d}.{ending}", segment, fmt="%d")
            written[f"{letter}{number:03d}"] = segment
    return written


def test_bonn_text_files(tmp_path: Path) -> None:
    written = bonn_text(tmp_path / "bonn_eeg", "ZONFS")
    dataset = load("bonn_eeg", data_dir=tmp_path, options={"source": "text", "classes": "five"})
    assert dataset.windows.inputs().shape == (10, 1, 4097)
    np.testing.assert_array_equal(dataset.targets, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4])
    np.testing.assert_array_equal(dataset.windows.inputs()[4, 0], written["N001"])
    assert dataset.notes[0] == "set A has 2 of 100 segments"
    seizure = load("bonn_eeg", data_dir=tmp_path, options={"source": "text", "window_s": 4.0, "resample_hz": 86.805})
    np.testing.assert_array_equal(np.bincount(seizure.targets), [8 * 5, 2 * 5])  # five windows of 4 s in 23.6 s
    assert seizure.windows.inputs().shape[2] == round(4.0 * 86.805)


def test_bonn_mistakes(tmp_path: Path) -> None:
    bonn_text(tmp_path / "bonn_eeg", "ZF")
    with pytest.raises(DataError, match=r"no segment of set B, C, E"):
        load("bonn_eeg", data_dir=tmp_path, options={"source": "text"})
    np.savetxt(tmp_path / "bonn_eeg" / "Z" / "Z001.txt", np.arange(4000), fmt="%d")
    with pytest.raises(DataError, match=r"Z001.txt: the file holds 4000 samples, expected 4097"):
        load("bonn_eeg", data_dir=tmp_path, options={"source": "text"})
    (tmp_path / "bonn_eeg" / "Z" / "Z001.txt").write_text("12\nabc\n")
    with pytest.raises(DataError, match=r"Z001.txt: the file is no column of numbers"):
        load("bonn_eeg", data_dir=tmp_path, options={"source": "text"})


def test_a_damaged_or_foreign_npz(tmp_path: Path) -> None:
    path = tmp_path / "bonn_eeg" / "bonn_500x4097_int16.npz"
    path.parent.mkdir()
    np.savez(path, X=RNG.integers(-9, 9, (5, 4097), dtype=np.int16), labels=np.arange(5))
    with pytest.raises(DataError, match=r"holds no array 'y'.*X, labels"):
        load("bonn_eeg", data_dir=tmp_path, options={})
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DataError, match=r"cannot be read as NPZ"):
        load("bonn_eeg", data_dir=tmp_path, options={})
    np.savez(path, X=np.array([{}], dtype=object), y=np.arange(1))
    with pytest.raises(DataError, match=r"cannot be read as NPZ"):
        load("bonn_eeg", data_dir=tmp_path, options={})


OWN = {"task": "classification", "rate_hz": 100.0, "source_bits": 16, "output_names": "a,b"}


def own(path: Path, **content: np.ndarray) -> None:
    np.savez(path / "own.npz", **content)


def test_own_trials(tmp_path: Path) -> None:
    inputs, targets = RNG.standard_normal((6, 3, 20)), np.array([0, 1] * 3)
    own(tmp_path, inputs=inputs, targets=targets, run=np.array(list("aabbcc")))
    dataset = load("arrays", data_dir=tmp_path, options={**OWN, "path": "own.npz"})
    assert len(set(dataset.groups["recording"])) == 6
    assert set(dataset.groups["run"]) == {"a", "b", "c"}
    folder = tmp_path / "npy"
    folder.mkdir()
    np.save(folder / "inputs.npy", inputs)
    np.save(folder / "targets.npy", targets)
    np.save(folder / "run.npy", np.array(list("aabbcc")))
    assert load("arrays", data_dir=tmp_path, options={**OWN, "path": "npy"}).digest == dataset.digest


@pytest.mark.parametrize(("change", "said"), [
    ({"targets": np.array([0, 1, 2] * 2)}, "whole numbers from 0 to 1"),
    ({"targets": np.array([0.0, 1.0] * 3)}, "whole numbers"),
    ({"targets": np.array([0, 1])}, "array 'targets' has 2 entries, inputs have 6"),
    ({"inputs": np.ones((6, 3, 20))}, "channel 0, channel 1, channel 2 is flat"),
    ({"inputs": np.ones((0, 3, 20)), "targets": np.ones(0, int)}, "array inputs, targets holds no example"),
    ({"targets": np.array(1)}, "array targets holds no example"),
    ({"inputs": np.ones((6, 3))}, r"are not \(examples, channels, steps\)"),
    ({"starts": np.arange(6)}, "starts and recording are needed together"),
])  # fmt: skip
def test_mistakes_in_own_trials(tmp_path: Path, change: dict[str, np.ndarray], said: str) -> None:
    own(tmp_path, **{"inputs": RNG.standard_normal((6, 3, 20)), "targets": np.array([0, 1] * 3)} | change)
    with pytest.raises(DataError, match=said):
        load("arrays", data_dir=tmp_path, options={**OWN, "path": "own.npz"})


def test_the_same_bytes_in_another_shape_are_other_data(tmp_path: Path) -> None:
    inputs, targets = RNG.standard_normal((6, 4, 20)), np.array([0, 1] * 3)
    digests: set[str] = set()
    for shape in ((6, 4, 20), (6, 20, 4)):
        own(tmp_path, inputs=inputs.reshape(shape), targets=targets)
        digests.add(load("arrays", data_dir=tmp_path, options={**OWN, "path": "own.npz"}).digest)
    assert len(digests) == 2


def test_own_recording(tmp_path: Path) -> None:
    motion = RNG.standard_normal((100, 1))
    part = np.repeat(["train", "test"], [60, 40])
    own(tmp_path, inputs=counts(100, 3), targets=motion, part=part)
    options = {**OWN, "task": "regression", "output_names": "speed", "segment_steps": 20, "path": "own.npz"}
    dataset = load("arrays", data_dir=tmp_path, options=options)
    np.testing.assert_array_equal(dataset.groups["part"], ["train"] * 3 + ["test"] * 2)
    np.testing.assert_array_equal(dataset.windows.starts, [0, 20, 40, 0, 20])
    np.testing.assert_allclose(dataset.targets[3], motion[60:80], rtol=1e-6)
    with pytest.raises(DataError, match=r"are not \(bins, channels\) and \(bins, 2\)"):
        load("arrays", data_dir=tmp_path, options={**options, "output_names": "vx,vy"})


def test_own_arrays_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"own.npz was not found"):
        load("arrays", data_dir=tmp_path, options={**OWN, "path": "own.npz"})
    own(tmp_path, input=np.zeros(3))
    with pytest.raises(DataError, match=r"no array 'inputs'.*Did you mean 'input'"):
        load("arrays", data_dir=tmp_path, options={**OWN, "path": "own.npz"})


def test_every_bad_channel_is_named() -> None:
    samples = RNG.standard_normal((4, 50))
    samples[1, 3], samples[3, 0] = np.nan, np.inf
    with pytest.raises(DataError, match=r"values in channel C3, Oz"):
        check_channels(samples, ("Fz", "C3", "C4", "Oz"), where="here")
    with pytest.raises(DataError, match=r"no sample"):
        check_channels(samples[:, :0], ("Fz", "C3", "C4", "Oz"), where="here")
