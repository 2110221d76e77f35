"""Writes a student as a network file of another tool's format, runs what was written, and keeps test vectors."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cosim.api.student import Student
from energy_models.errors import CosimError, StudentError
from students.deploy import InputCodes
from students.interchange import read_network
from students.models.tensor_files import write_bytes

ROUNDING = 1e-4
"""Greatest difference of an output that floats explain, as a share of the largest output."""


@dataclass(frozen=True, slots=True)
class ReadBack:
    """A network file, read by `students.interchange` and run on the test vectors.

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


@dataclass(frozen=True, slots=True)
class NetworkFormat:
    """How a format of network files is written and read.

    Parameters
    ----------
    title, ending : str
        Its name, and that of its files.
    text : callable
        ``text(student, codes)`` returns the file.
    outputs : callable
        ``outputs(found, student)`` returns what the file gave as the student gives it.
    changes : {'refused', 'told'}
        What is done with a file that decides otherwise within the rounding of floats.
    remedy : str
        Instead of a file that is refused.
    """

    title: str
    ending: str
    text: Callable[[Student, InputCodes], bytes]
    outputs: Callable[[Tensor, Student], Tensor]
    changes: Literal["refused", "told"]
    remedy: str


def write_network(
    student: Student, folder: Path, name: str, format: NetworkFormat, vectors: tuple[InputCodes, NDArray[np.int64]]
) -> tuple[tuple[str, ...], ReadBack]:
    """Write the file and ``NAME_vectors.npz``; return the files and how the first agrees with the student.

    Raises
    ------
    CosimError
        A module that the format cannot say (by name), a file that does not compute as the student does, an extra that
        is not installed, or a folder that cannot be written.
    """
    codes, given = vectors
    values = torch.tensor(codes.values_of(given), dtype=torch.float32)
    network = format.text(student, codes)
    with torch.inference_mode():
        wanted = student.model.eval()(values)
    read_back = _read_back(network, values, wanted, student, format)
    kept = io.BytesIO()
    np.savez_compressed(kept, inputs=values.numpy(), codes=given, outputs=wanted.numpy())
    files = {f"{name}.{format.ending}": network, f"{name}_vectors.npz": kept.getvalue()}
    for file, content in files.items():
        _write_file(folder / file, content)
    return tuple(files), read_back


def _read_back(network: bytes, values: Tensor, wanted: Tensor, student: Student, format: NetworkFormat) -> ReadBack:
    """Return how a file agrees with its student; refuse one that does not, before it is written anywhere."""
    its = f"its {format.title} file"

    def refused(why: str) -> StudentError:
        return StudentError(f"{its} {why}", where=student.spec.label, remedy=format.remedy)

    with tempfile.TemporaryDirectory() as place, torch.inference_mode():
        path = Path(place) / f"network.{format.ending}"
        path.write_bytes(network)
        try:
            found = format.outputs(read_network(path)(values), student)
        except CosimError as error:
            raise refused(f"cannot be read back ({error})") from error
    if found.shape != wanted.shape:
        raise refused(f"gives outputs of shape {tuple(found.shape)}, not {tuple(wanted.shape)}")
    decisions = len(values) if student.spec.shape.task == "classification" else 0
    changed = int((found.argmax(dim=1) != wanted.argmax(dim=1)).sum()) if decisions else 0
    largest = float((found - wanted).abs().max())
    within = largest <= ROUNDING * max(1.0, float(wanted.abs().max()))
    if not within or (changed and format.changes == "refused"):
        also = f", and {changed} of {decisions} decisions" if changed else ""
        raise refused(f"computes something else: outputs differ by {largest:.2g}{also}; nothing was written")
    return ReadBack(largest, decisions, changed)


def _write_file(path: Path, content: bytes) -> None:
    if path.parent.is_file():
        raise StudentError("cannot write: it is a file", where=str(path.parent), remedy="Name a folder")
    write_bytes(path, content)
