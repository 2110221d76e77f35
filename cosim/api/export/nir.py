"""Writes a spiking student in float as a NIR file and runs what was written."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cosim.api.export.onnx import ReadBack, write_file
from cosim.api.student import Student
from energy_models.errors import StudentError
from students.deploy import InputCodes
from students.interchange import nir_of, read_network
from students.spec import Float32

ROUNDING = 1e-4
"""Greatest difference of an output that floats explain, as a share of the largest output."""


def check_float(student: Student) -> None:
    """Raise for a student on integer grids."""
    if not isinstance(student.spec.form, Float32):
        raise StudentError(
            f"its form is {student.spec.form}, and NIR has no integer grids", where=student.spec.label,
            remedy="Export the float student it was made of, or write C (format c)",
        )


def write_nir(
    student: Student, folder: Path, name: str, vectors: tuple[InputCodes, NDArray[np.int64]]
) -> tuple[tuple[str, ...], ReadBack]:
    """Write ``NAME.nir`` and ``NAME_vectors.npz``; return the files and how the first agrees with the student.

    Raises
    ------
    CosimError
        A module that NIR cannot say (by name), a file that does not compute as the student does, the extra that is not
        installed, or a folder that cannot be written.
    """
    codes, given = vectors
    values = torch.tensor(codes.values_of(given), dtype=torch.float32)
    network = nir_of(student.model, student.spec.shape)
    with torch.inference_mode():
        wanted = student.model.eval()(values)
    read_back = _read_back(network, values, wanted, student)
    kept = io.BytesIO()
    np.savez_compressed(kept, inputs=values.numpy(), codes=given, outputs=wanted.numpy())
    files = {f"{name}.nir": network, f"{name}_vectors.npz": kept.getvalue()}
    for file, content in files.items():
        write_file(folder / file, content)
    return tuple(files), read_back


def _read_back(network: bytes, values: Tensor, wanted: Tensor, student: Student) -> ReadBack:
    """Return how a NIR file agrees with its student; refuse one that does not, before it is written anywhere."""
    windows = student.spec.shape.task == "classification"
    with tempfile.TemporaryDirectory() as place, torch.inference_mode():
        path = Path(place) / "network.nir"
        path.write_bytes(network)
        steps = read_network(path)(values)
    found = steps.mean(-1) if windows else steps.transpose(1, 2)
    largest = float((found - wanted).abs().max())
    if not largest <= ROUNDING * max(1.0, float(wanted.abs().max())):
        raise StudentError(
            f"its NIR file computes something else: outputs differ by {largest:.2g}; nothing was written",
            where=student.spec.label, remedy="Report this with the student",
        )
    changed = int((found.argmax(dim=1) != wanted.argmax(dim=1)).sum()) if windows else 0
    return ReadBack(largest, len(values) if windows else 0, changed)
