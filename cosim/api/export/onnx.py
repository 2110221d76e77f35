"""Writes a quantised student as ONNX and runs what was written."""

from __future__ import annotations

import io
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cosim.api.student import Student
from energy_models.errors import CosimError, StudentError
from energy_models.quantities import write_failure, write_whole
from students.deploy import InputCodes
from students.interchange import read_network
from students.quantize import Dialect, onnx_of

ROUNDING = 1e-4
"""Greatest difference of an output that floats explain, as a share of the largest output."""


@dataclass(frozen=True, slots=True)
class ReadBack:
    """An ONNX file, read by `students.interchange` and run on the test vectors.

    Parameters
    ----------
    largest : float
        Greatest difference of an output from the student's, in its units.
    decisions, changed : int
        Classes, and those that are others than the student's; none in a regression.
    """

    largest: float
    decisions: int
    changed: int


def write_onnx(
    student: Student, folder: Path, name: str, dialect: Dialect, vectors: tuple[InputCodes, NDArray[np.int64]]
) -> tuple[tuple[str, ...], ReadBack]:
    """Write ``NAME.onnx`` and ``NAME_vectors.npz``; return the files and how the first agrees with the student.

    Raises
    ------
    CosimError
        A layer that has no form in ONNX, a file that does not compute as the student does, the extra that is not
        installed, or a folder that cannot be written.
    """
    codes, given = vectors
    shape = student.spec.shape
    values = torch.tensor(codes.values_of(given), dtype=torch.float32)
    properties: dict[str, object] = {
        "student": student.spec.label, "input_bits": codes.bits, "input_signed": codes.signed,
        "input_scale": codes.scale.tolist(), "input_offset": codes.offset.tolist(),
    }  # fmt: skip
    network = onnx_of(
        student.model, torch.zeros(1, shape.channels, shape.steps), dialect=dialect, properties=properties
    )
    with torch.inference_mode():
        wanted = student.model.eval()(values)
    read_back = _read_back(network, values, wanted, student)
    kept = io.BytesIO()
    np.savez_compressed(kept, inputs=values.numpy(), codes=given, outputs=wanted.numpy())
    files = {f"{name}.onnx": network, f"{name}_vectors.npz": kept.getvalue()}
    for file, content in files.items():
        write_file(folder / file, content)
    return tuple(files), read_back


def _read_back(network: bytes, values: Tensor, wanted: Tensor, student: Student) -> ReadBack:
    """Return how an ONNX file agrees with its student; refuse one that does not, before it is written anywhere."""
    where, remedy = student.spec.label, "Write C instead (format c)"
    with tempfile.TemporaryDirectory() as place, torch.inference_mode():
        path = Path(place) / "network.onnx"
        path.write_bytes(network)
        try:
            found = read_network(path)(values)
        except CosimError as error:
            raise StudentError(f"its ONNX file cannot be read back ({error})", where=where, remedy=remedy) from error
    if found.shape != wanted.shape:
        told = f"{tuple(found.shape)}, not {tuple(wanted.shape)}"
        raise StudentError(f"its ONNX file gives outputs of shape {told}", where=where, remedy=remedy)
    decisions = len(values) if student.spec.shape.task == "classification" else 0
    changed = int((found.argmax(dim=1) != wanted.argmax(dim=1)).sum()) if decisions else 0
    largest = float((found - wanted).abs().max())
    if changed or not largest <= ROUNDING * max(1.0, float(wanted.abs().max())):
        also = f", and {changed} of {decisions} decisions" if changed else ""
        raise StudentError(
            f"its ONNX file computes something else: outputs differ by {largest:.2g}{also}; nothing was written",
            where=where, remedy=remedy,
        )  # fmt: skip
    return ReadBack(largest, decisions, changed)


def write_file(path: Path, content: bytes) -> None:
    """Write a file of an export; its folder is made where absent.

    Raises
    ------
    StudentError
        A folder that cannot be written.
    """
    if path.parent.is_file():
        raise StudentError("cannot write: it is a file", where=str(path.parent), remedy="Name a folder")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except OSError as error:
        raise StudentError(
            f"cannot write ({write_failure(error)})", where=str(path), remedy="Free some space or choose another folder"
        ) from error
