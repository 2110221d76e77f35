"""The one training loop: objective, optimisation, checkpoints, and the distillation methods it can follow."""

from students.training.checkpoint import CheckpointError
from students.training.distillation.float_targets import float_targets
from students.training.distillation.method import LossInputs, LossSetting, Method, MethodOptions, Needs
from students.training.distillation.prepare import module_shapes
from students.training.distillation.registry import (
    METHODS,
    asks_teacher,
    complete_method,
    leaves_unlabelled,
    needs_teacher,
    parse_method,
)
from students.training.examples import OUTPUTS, Ask, Examples, Unlabelled
from students.training.fit import FitResult, fit
from students.training.learned_bits import Learned, LearnedBits, learn_bits
from students.training.predict import predict

__all__ = [
    "METHODS",
    "OUTPUTS",
    "Ask",
    "CheckpointError",
    "Examples",
    "FitResult",
    "Learned",
    "LearnedBits",
    "LossInputs",
    "LossSetting",
    "Method",
    "MethodOptions",
    "Needs",
    "Unlabelled",
    "asks_teacher",
    "complete_method",
    "fit",
    "float_targets",
    "learn_bits",
    "leaves_unlabelled",
    "module_shapes",
    "needs_teacher",
    "parse_method",
    "predict",
]
