"""Writes a quantised student as ONNX and runs what was written."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cosim.api.student import Student
from energy_models.errors import StudentError
from energy_models.quantities import write_failure, write_whole
from students.deploy import InputCodes
from students.interchange import read_network
from students.quantize import Dialect, onnx_of


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
        A layer that has no form in ONNX, the extra that is not installed, or a folder that cannot be written.
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
    kept = io.BytesIO()
    np.savez_compressed(kept, inputs=values.numpy(), codes=given, outputs=wanted.numpy())
    files = {f"{name}.onnx": network, f"{name}_vectors.npz": kept.getvalue()}
    for file, content in files.items():
        _write(folder / file, content)
    with torch.inference_mode():
        found = read_network(folder / f"{name}.onnx")(values)
    decisions = len(values) if shape.task == "classification" else 0
    changed = int((found.argmax(dim=1) != wanted.argmax(dim=1)).sum()) if decisions else 0
    largest = float((found - wanted).abs().max())
    return tuple(files), ReadBack(largest, decisions, changed)


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except OSError as error:
        raise StudentError(
            f"cannot write ({write_failure(error)})", where=str(path), remedy="Free some space or choose another folder"
        ) from error
