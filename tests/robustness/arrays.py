"""Arrays in files: NPZ, a folder of NPY files, MATLAB versions 5 and 7.3."""

from __future__ import annotations

import ast
import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from scipy.io import loadmat, savemat

from cosim.datasets.registry import load
from tests.cosim.matlab_files import Cell
from tests.cosim.matlab_files import write as write_mat
from tests.cosim.reaching_session import made_session, write_session
from tests.robustness.kind import Kind
from tests.robustness.mild import factor
from tests.robustness.networks import in_hdf5
from tests.robustness.sound import demand

EXAMPLES, CHANNELS, STEPS = 24, 3, 16
TYPES = ("<f4", ">f8", "<i8", "<u1", "<c16", "|b1", "<U3", "|S2", "<M8[s]", "<f2", "|V8", "|O")
SHAPES = ((), (0,), (1,), (24,), (24, 0, 16), (24, 3), (10**12,), (2**31, 2**31), (24, 3, 17), (-1,), (1,) * 40)
FILLS = (np.nan, np.inf, -1, 0, 1e308, 0.5, 2**40, 1e-40)


def _sound() -> dict[str, np.ndarray]:
    chance = np.random.default_rng(3)
    sessions = np.repeat(["a", "b"], EXAMPLES // 2)
    return {"inputs": chance.normal(0, 10, (EXAMPLES, CHANNELS, STEPS)),
            "targets": np.arange(EXAMPLES) % 2, "session": sessions}  # fmt: skip


def changed_arrays(arrays: Mapping[str, Any], dice: Random) -> tuple[dict[str, Any], str]:
    """Return other arrays: of another type, shape, length or name, or with numbers that are none."""
    found = dict(arrays)
    name = dice.choice(sorted(found))
    one = np.asarray(found[name])
    act = dice.choice(("fill", "fill", "some", "type", "shape", "short", "double", "order", "gone", "rename", "flat"))
    match act:
        case "fill" if one.dtype.kind in "fiu":
            found[name] = np.full(one.shape, dice.choice(FILLS))
        case "some" if one.dtype.kind in "fiu":
            values = one.astype(float)
            values.flat[dice.randrange(max(values.size, 1))] = dice.choice(FILLS)
            found[name] = values
        case "type":
            kind = dice.choice(TYPES[:-2])
            found[name] = (
                np.zeros(one.shape, kind) if dice.random() < 0.5 or one.dtype.kind in "UO" else one.astype(kind)
            )
        case "shape":
            found[name] = one.reshape(-1) if dice.random() < 0.5 else one[None]
        case "short":
            found[name] = one[: dice.choice((0, 1, len(one) - 1))]
        case "double":
            found[name] = np.concatenate([one, one])
        case "order":
            found[name] = one[::-1].T if one.ndim > 1 else np.roll(one, 1)
        case "gone":
            del found[name]
        case "rename":
            found[f"{name}2"] = found.pop(name)
        case _:
            found[name] = np.zeros_like(one)
    return found, f"{name} {act}"


def changed_header(data: bytes, dice: Random) -> tuple[bytes, str]:
    """Return an NPY file whose header states another type, order or shape than its numbers have."""
    length = int.from_bytes(data[8:10], "little")
    header = ast.literal_eval(data[10 : 10 + length].decode("latin-1"))
    key = dice.choice(("descr", "shape", "shape", "fortran_order", "version"))
    if key == "version":
        return data[:6] + bytes((dice.randrange(256), 0)) + data[8:], key
    header[key] = {"descr": dice.choice((*TYPES, "", "<f9999999", [("a", "<f8")], [("a", "O")])),
                   "shape": dice.choice((*SHAPES, "x", None, [24])),
                   "fortran_order": dice.choice((True, 2, "x"))}[key]  # fmt: skip
    if dice.random() < 0.1:
        del header[key]
    text = f"{header!r}".encode().ljust(length - 1) + b"\n"
    return data[:8] + len(text).to_bytes(2, "little") + text + data[10 + length :], f"{key} {header.get(key)!r:.40}"


def _write_npz(path: Path, arrays: Mapping[str, Any]) -> None:
    np.savez(path, **arrays)


def _in_npz(path: Path, dice: Random) -> str:
    with np.load(path) as content:
        arrays, said = changed_arrays(dict(content), dice)
    _write_npz(path, arrays)
    return said


def _in_member(path: Path, dice: Random) -> str:
    """Change the header of an array inside the archive, or how the archive keeps it."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = dice.choice(sorted(members))
    members[name], said = changed_header(members[name], dice)
    way = dice.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))
    with zipfile.ZipFile(path, "w", way) as archive:
        for key, content in members.items():
            archive.writestr(key, content)
            if dice.random() < 0.1:
                archive.writestr(f"../{key}", content)
    return f"{name} {said}"


def _bomb(path: Path, dice: Random) -> str:
    """Put an array of zeros into the archive, which is a thousand times smaller."""
    head = io.BytesIO()
    size = 1 << 24
    np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": (size // 24, 3, 8)})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("inputs.npy", "w") as member:
        member.write(head.getvalue())
        for _ in range(size >> 22):
            member.write(bytes(1 << 22))
    return f"{size} zeros"


def _in_npy(folder: Path, dice: Random) -> str:
    path = dice.choice(sorted(folder.glob("*.npy")))
    if dice.random() < 0.6:
        data, said = changed_header(path.read_bytes(), dice)
        path.write_bytes(data)
        return f"{path.name} {said}"
    arrays, said = changed_arrays({one.stem: np.load(one) for one in folder.glob("*.npy")}, dice)
    for one in folder.glob("*.npy"):
        one.unlink()
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return said


def _in_mat(path: Path, dice: Random) -> str:
    found = {key: array for key, array in loadmat(path).items() if not key.startswith("__")}
    if dice.random() < 0.2:
        name = dice.choice(sorted(found))
        cell = np.empty((2, 1), object)
        cell[:] = 1.0
        found[name] = dice.choice(({"a": found[name]}, cell, "text", np.array([[1 + 1j]])))
        said = f"{name} of another kind"
    else:
        found, said = changed_arrays(found, dice)
    savemat(path, found, do_compression=dice.random() < 0.5)
    return said


def _npz(folder: Path) -> Path:
    _write_npz(folder / "own.npz", _sound())
    return folder / "own.npz"


def _npy(folder: Path) -> Path:
    (folder / "own").mkdir()
    for name, array in _sound().items():
        np.save(folder / "own" / f"{name}.npy", array)
    return folder / "own"


def _mat(version: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        content = _sound()
        return write_mat(folder / "own.mat", version, {**content, "session": Cell(content["session"].tolist())})

    return write


def _louder(path: Path, dice: Random) -> str:
    """Multiply the numbers of the inputs."""
    by = factor(dice)
    found = _sound()
    found["inputs"] *= by
    if path.is_dir():
        np.save(path / "inputs.npy", found["inputs"])
    elif path.suffix == ".npz":
        _write_npz(path, found)
    else:
        version = "7.3" if path.read_bytes()[:10] == b"MATLAB 7.3" else "5"
        write_mat(path, version, {**found, "session": Cell(found["session"].tolist())})
    return f"amplitudes by {by:g}"


def check_dataset(found: Any, *, examples: int | None = None) -> None:
    """Demand examples that are finite numbers, as many as targets."""
    inputs = found.windows.inputs()
    demand(len(inputs) == len(found.targets) > 0, f"{len(inputs)} examples and {len(found.targets)} targets")
    demand(inputs.dtype.kind == "f" and bool(np.isfinite(inputs).all()), "inputs that are not finite")
    demand(examples is None or len(inputs) == examples, f"{len(inputs)} examples of {examples}")


def _read_own(path: Path) -> None:
    options = {"path": str(path), "task": "classification", "rate_hz": 16.0, "source_bits": 16, "output_names": "L,R",
               "unit": "µV"}  # fmt: skip
    check_dataset(load("arrays", data_dir=None, options=options))


def _session(folder: Path) -> Path:
    (folder / "primate_reaching").mkdir()
    write_session(folder / "primate_reaching" / "made.mat", made_session(600, reach=60))
    return folder / "primate_reaching"


def _read_session(path: Path) -> None:
    check_dataset(load("primate_reaching", data_dir=path.parent, options={"session": "made", "segment_steps": 50}))


def _slower(path: Path, dice: Random) -> str:
    """Multiply the cursor's positions."""
    by = factor(dice)
    content = made_session(600, reach=60)
    write_session(path / "made.mat", {**content, "cursor_pos": content["cursor_pos"] * by})
    return f"cursor by {by:g}"


def _in_session(path: Path, dice: Random) -> str:
    return in_hdf5(path / "made.mat", dice)


ARRAYS = (
    Kind("npz", _npz, _read_own, _louder, (_in_npz, _in_npz, _in_npz, _in_member, _in_member, _in_member, _bomb)),
    Kind("npy", _npy, _read_own, _louder, (_in_npy,)),
    Kind("mat", _mat("5"), _read_own, _louder, (_in_mat,)),
    Kind("mat73", _mat("7.3"), _read_own, _louder, (in_hdf5,)),
    Kind("primate_reaching", _session, _read_session, _slower, (_in_session,)),
)
