"""The formats of network files: a quantised student as ONNX, a spiking one in float as NIR."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor

from cosim.api.export.network_file import NetworkFormat
from cosim.api.student import Student
from energy_models.errors import StudentError
from students.deploy import InputCodes
from students.interchange import nir_of
from students.quantize import Dialect, onnx_of
from students.spec import Float32


def check_float(student: Student) -> None:
    """Raise for a student on integer grids."""
    if not isinstance(student.spec.form, Float32):
        raise StudentError(
            f"its form is {student.spec.form}, and NIR has no integer grids", where=student.spec.label,
            remedy="Export the float student it was made of, or write C (format c)",
        )


def _onnx(dialect: Dialect, student: Student, codes: InputCodes) -> bytes:
    """Return a student as ONNX, whose metadata say what codes stand for."""
    shape = student.spec.shape
    properties: dict[str, object] = {
        "student": student.spec.label, "input_bits": codes.bits, "input_signed": codes.signed,
        "input_scale": codes.scale.tolist(), "input_offset": codes.offset.tolist(),
    }  # fmt: skip
    return onnx_of(student.model, torch.zeros(1, shape.channels, shape.steps), dialect=dialect, properties=properties)


def _nir(student: Student, _codes: InputCodes) -> bytes:
    return nir_of(student.model, student.spec.shape)


def _as_they_are(found: Tensor, _student: Student) -> Tensor:
    return found


def _of_steps(found: Tensor, student: Student) -> Tensor:
    """Return the outputs of steps as estimates, or their mean as logits."""
    return found.mean(-1) if student.spec.shape.task == "classification" else found.transpose(1, 2)


NETWORK_FORMATS: Mapping[str, NetworkFormat] = {
    **{
        dialect: NetworkFormat(
            "ONNX", "onnx", partial(_onnx, dialect), _as_they_are, "refused", "Write C instead (format c)"
        )
        for dialect in ("qonnx", "qcdq")
    },
    "nir": NetworkFormat("NIR", "nir", _nir, _of_steps, "told", "Report this with the student"),
}
"""By the name that `cosim.export` takes."""
