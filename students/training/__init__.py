"""The one training loop: objective, optimisation, checkpoints, and the distillation methods it can follow."""

from students.training.checkpoint import CheckpointError
from students.training.distillation.float_targets import float_targets
from students.training.distillation.method import LossInputs, LossSetting, Method, MethodOptions, Needs
from students.training.distillation.registry import METHODS, complete_method, needs_teacher, parse_method
from students.training.examples import OUTPUTS, Examples, Unlabelled
from students.training.fit import FitResult, fit
from students.training.predict import predict

__all__ = [
    "METHODS",
    "OUTPUTS",
    "CheckpointError",
    "Examples",
    "FitResult",
    "LossInputs",
    "LossSetting",
    "Method",
    "MethodOptions",
    "Needs",
    "Unlabelled",
    "complete_method",
    "fit",
    "float_targets",
    "needs_teacher",
    "parse_method",
    "predict",
]
