"""Files of arrays that claim what they do not hold, that hold what is no array, or numbers in another unit."""

from __future__ import annotations

import io
import pickle
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from cosim.datasets.files import read_mat, read_npz
from cosim.datasets.registry import load
from cosim.datasets.types import Dataset
from energy_models.errors import DataError

OPTIONS = {"task": "classification", "rate_hz": 100.0, "source_bits": 16, "output_names": "a,b"}
HUGE = (100_000, 1_000, 1_000)


def header(shape: tuple[int, ...], dtype: str = "<f8") -> bytes:
    """Return the front of an NPY file of this shape, with a few bytes behind it."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
    return file.getvalue() + bytes(64)


def npz(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def saved(array: np.ndarray, **how: bool) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **how)
    return file.getvalue()


def kept(folder: Path, options: dict[str, object] | None = None, **content: np.ndarray) -> Dataset:
    np.savez(folder / "own.npz", **content)
    return load("arrays", data_dir=folder, options={**OPTIONS, "path": "own.npz", **(options or {})})


def trials(**more: np.ndarray) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {"inputs": rng.standard_normal((24, 3, 50)) * 20, "targets": np.arange(24) % 2,
            "session": np.repeat(["s1", "s2", "s3"], 8), **more}  # fmt: skip


def test_an_npz_that_claims_terabytes_is_refused_before_they_are_allocated(tmp_path: Path) -> None:
    path = npz(tmp_path / "own.npz", inputs=header(HUGE), targets=saved(np.arange(4)))
    tracemalloc.start()
    with pytest.raises(DataError, match=r"array 'inputs' claims 800,000,000,000 bytes, .* and 64 are there"):
        read_npz(path, ["inputs", "targets"])
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()
    with pytest.raises(DataError, match=r"array 'inputs' claims 800,000,000,000 bytes"):
        load("arrays", data_dir=tmp_path, options={**OPTIONS, "path": "own.npz"})
    assert read_npz(path, ["targets"])["targets"].tolist() == [0, 1, 2, 3]  # what is not asked for does not matter


def test_a_zip_entry_that_claims_more_than_its_bytes_can_hold_is_refused(tmp_path: Path) -> None:
    path = npz(tmp_path / "own.npz", inputs=header(HUGE))
    content = path.read_bytes()
    place = content.index(b"PK\x01\x02") + 24  # the size that the directory states
    path.write_bytes(content[:place] + struct.pack("<I", 4_000_000_000) + content[place + 4 :])
    with pytest.raises(DataError, match=r"array 'inputs' claims 4,000,000,000 bytes in a file of"):
        read_npz(path, ["inputs"])


def test_an_npy_that_claims_terabytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "inputs.npy").write_bytes(header(HUGE))
    (tmp_path / "own" / "targets.npy").write_bytes(saved(np.arange(4)))
    with pytest.raises(DataError, match=r"own/inputs.npy: .*array 'inputs.npy' claims 800,000,000,000 bytes"):
        load("arrays", data_dir=tmp_path, options={**OPTIONS, "path": "own"})
    (tmp_path / "own" / "inputs.npy").write_bytes(header((10**12,), "<U0"))
    with pytest.raises(DataError, match=r"claims 1,000,000,000,000 bytes"):
        load("arrays", data_dir=tmp_path, options={**OPTIONS, "path": "own"})


@pytest.mark.parametrize("name", ["inputs", "targets", "session"])
def test_python_objects_are_never_unpickled(tmp_path: Path, name: str) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (exec, ("raise SystemExit('unpickled')",))

    members = {one: saved(array) for one, array in trials().items()}
    members[name] = saved(np.array([Trap()] * 24, dtype=object), allow_pickle=True)
    npz(tmp_path / "own.npz", **members)
    said = rf"array '{name}' holds Python objects"
    with pytest.raises(DataError, match=said):
        load("arrays", data_dir=tmp_path, options={**OPTIONS, "path": "own.npz"})
    (tmp_path / "own.npz").write_bytes(pickle.dumps(trials()))
    with pytest.raises(DataError, match="cannot be read as NPZ"):
        load("arrays", data_dir=tmp_path, options={**OPTIONS, "path": "own.npz"})


@pytest.mark.parametrize("change", [{"inputs": np.full((24, 3, 50), "1")}, {"inputs": np.ones((24, 3, 50), complex)}])
def test_inputs_that_are_no_real_numbers_are_refused(tmp_path: Path, change: dict[str, np.ndarray]) -> None:
    with pytest.raises(DataError, match=r"array 'inputs' of .* holds no real numbers"):
        kept(tmp_path, **trials(**change))


@pytest.mark.parametrize("compressed", [False, True])
def test_a_mat_file_whose_variable_ends_behind_the_file_is_refused(tmp_path: Path, compressed: bool) -> None:
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"x": np.arange(500.0)}, do_compression=compressed)
    whole = read_mat(path, ["x"], corpus="t", fetch="")
    np.testing.assert_array_equal(whole["x"].ravel(), np.arange(500))
    content = path.read_bytes()
    path.write_bytes(content[:132] + struct.pack("<I", 4_000_000_000) + content[136:])
    with pytest.raises(DataError, match=r"a variable claims 4,000,000,000 bytes, and [\d,]+ are there"):
        read_mat(path, ["x"], corpus="t", fetch="")


def test_a_mat_file_whose_dimensions_are_huge_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"x": np.arange(6.0).reshape(2, 3)})
    content = path.read_bytes()
    place = content.index(struct.pack("<ii", 2, 3))
    path.write_bytes(content[:place] + struct.pack("<ii", 2**30, 2**30) + content[place + 8 :])
    with pytest.raises(DataError, match="cannot be read as MATLAB"):
        read_mat(path, ["x"], corpus="t", fetch="")
    body = zlib.compress(content[128:place] + struct.pack("<ii", 2**30, 2**30) + content[place + 8 :])
    path.write_bytes(content[:128] + struct.pack("<II", 15, len(body)) + body)
    with pytest.raises(DataError, match="cannot be read as MATLAB"):
        read_mat(path, ["x"], corpus="t", fetch="")


def test_cells_and_structures_of_a_mat_file_are_no_arrays(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"x": {"inner": np.arange(3)}, "y": np.arange(3)})
    with pytest.raises(DataError, match="variable 'x' is a cell or a structure, not an array of real numbers"):
        read_mat(tmp_path / "a.mat", ["x", "y"], corpus="t", fetch="")
    assert read_mat(tmp_path / "a.mat", ["y"], corpus="t", fetch="")["y"].size == 3


def test_amplitudes_in_another_unit_than_stated_are_refused(tmp_path: Path) -> None:
    assert len(kept(tmp_path, {"unit": "µV"}, **trials()).windows) == 24
    said = r"session s1: amplitudes no electrode gives .*channel channel 0 by \d.*e\+07 µV"
    with pytest.raises(DataError, match=said):
        kept(tmp_path, {"unit": "V"}, **trials())
    in_volts = trials()
    in_volts["inputs"] = in_volts["inputs"] * 1e-6
    assert kept(tmp_path, {"unit": "V"}, **in_volts).windows.channels[0].unit == "V"
    assert len(kept(tmp_path, {"unit": "V", "amplitudes": "as given"}, **trials()).windows) == 24


def test_a_session_in_another_unit_than_the_others_is_refused(tmp_path: Path) -> None:
    mixed = trials()
    mixed["inputs"][8:16] *= 1e6
    said = r"session s2: channel channel 0 varies by .* in session s2, but by .* in session s"
    with pytest.raises(DataError, match=said):
        kept(tmp_path, **mixed)
    assert len(kept(tmp_path, {"amplitudes": "as given"}, **mixed).windows) == 24


def test_numbers_that_do_not_fit_into_32_bits_are_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    motion = {"task": "regression", "output_names": "x", "segment_steps": 20}
    content = {"inputs": rng.standard_normal((100, 3)), "targets": rng.standard_normal((100, 1))}
    content["inputs"][3, 1] = 1e300
    with pytest.raises(DataError, match="values too large for 32 bits in channel unit 1"):
        kept(tmp_path, motion, **content).windows.inputs()
    content["inputs"][3, 1], content["targets"][50, 0] = 0, -1e300
    with pytest.raises(DataError, match="values too large for 32 bits in channel x"):
        kept(tmp_path, motion, **content)
