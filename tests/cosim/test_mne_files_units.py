"""Units of recordings that MNE-Python reads: amplitudes no electrode gives are refused unless their unit is stated."""

from __future__ import annotations

from pathlib import Path

import mne
import numpy as np
import pytest

from cosim.datasets.registry import load
from cosim.datasets.types import Dataset
from energy_models.errors import DataError


def write(path: Path, microvolts: float, dimension: bytes = b"uV") -> None:
    """Write an EDF file of noise whose numbers are microvolts, with any physical dimension in its header."""
    samples = np.random.default_rng(0).normal(0, microvolts * 1e-6, (2, 2000))
    raw = mne.io.RawArray(samples, mne.create_info(["C3", "C4"], 100.0, "eeg"), verbose="ERROR")
    raw.set_annotations(mne.Annotations([2.0, 5.0, 8.0, 11.0], 0.0, ["L", "R"] * 2))
    mne.export.export_raw(path, raw, physical_range=(-5 * microvolts, 5 * microvolts), verbose="ERROR")
    content = bytearray(path.read_bytes())
    signals = int(content[252:256])
    for signal in range(2):
        begin = 256 + 96 * signals + 8 * signal
        assert content[begin : begin + 8].strip() == b"uV"
        content[begin : begin + 8] = dimension.ljust(8)
    path.write_bytes(bytes(content))


def own(folder: Path, files: str, **options: str) -> Dataset:
    return load("mne_file", data_dir=folder, options={
        "files": files, "classes": "L,R", "start_s": 0.0, "stop_s": 1.0, "source_bits": 16, **options})  # fmt: skip


def test_a_missing_unit_is_refused_until_it_is_stated(tmp_path: Path) -> None:
    write(tmp_path / "right.edf", 10.0)
    write(tmp_path / "none.edf", 10.0, b"")
    with pytest.raises(DataError, match=r"none.edf: none: amplitudes no electrode gives.*channel C3 by .*option unit"):
        own(tmp_path, "none.edf")
    stated = own(tmp_path, "none.edf", unit="uV")
    np.testing.assert_allclose(stated.windows.inputs(), own(tmp_path, "right.edf").windows.inputs(), rtol=1e-4)
    assert stated.windows.channels[0].unit == "µV"


def test_one_file_in_another_unit_beside_right_ones(tmp_path: Path) -> None:
    write(tmp_path / "a.edf", 10.0)
    write(tmp_path / "b.edf", 12.0)
    write(tmp_path / "c.edf", 9.0, b"V")
    with pytest.raises(DataError, match=r"c: amplitudes no electrode gives.*C3"):
        own(tmp_path, "a.edf,b.edf,c.edf")
    with pytest.raises(DataError, match=r"C3 varies by .* in c, but by .* in a: the two are not in one unit"):
        own(tmp_path, "a.edf,b.edf,c.edf", unit="as stored")
    assert len(own(tmp_path, "a.edf,b.edf").targets) == 8


def test_numbers_in_no_unit_of_volts_are_left_as_they_are(tmp_path: Path) -> None:
    write(tmp_path / "strange.edf", 10.0, b"V")
    inputs = own(tmp_path, "strange.edf", unit="as stored").windows.inputs()
    assert inputs.std() == pytest.approx(10, rel=0.1)
