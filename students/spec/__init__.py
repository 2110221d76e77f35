"""Frozen descriptions from which a student can be rebuilt exactly."""

from students.spec.frozen import Scalar
from students.spec.shape import Shape, Task
from students.spec.student import Distillation, Precision, StudentSpec
from students.spec.training import Training

__all__ = ["Distillation", "Precision", "Scalar", "Shape", "StudentSpec", "Task", "Training"]
