"""Frozen descriptions from which a student can be rebuilt exactly."""

from students.spec.form import (
    LAYER_KINDS,
    Converted,
    Float32,
    Form,
    LayerBits,
    LayerKind,
    Quantised,
    WrittenForm,
    parse_form,
)
from students.spec.frozen import Scalar, of_size
from students.spec.method import MethodSpec
from students.spec.shape import Shape, Task
from students.spec.student import StudentSpec, digest_of
from students.spec.trainable import check_trainable
from students.spec.training import UNTRAINED, Pruning, SpikePrice, Training

__all__ = [
    "LAYER_KINDS",
    "UNTRAINED",
    "Converted",
    "Float32",
    "Form",
    "LayerBits",
    "LayerKind",
    "MethodSpec",
    "Pruning",
    "Quantised",
    "Scalar",
    "Shape",
    "SpikePrice",
    "StudentSpec",
    "Task",
    "Training",
    "WrittenForm",
    "check_trainable",
    "digest_of",
    "of_size",
    "parse_form",
]
