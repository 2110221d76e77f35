"""What training minimises: the task's own loss, with the teacher's targets beside it where the spec says so."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from energy_models.errors import StudentError
from students.distill.logits import blend, hinton_kl, scaled_mse
from students.layers import OutputScale
from students.spec import StudentSpec


@dataclass(frozen=True, slots=True)
class Examples:
    """Examples of one part of a split.

    Parameters
    ----------
    inputs : Tensor of float32, shape (examples, channels, steps)
    targets : Tensor
        int64, shape (examples,); or float32, shape (examples, steps, outputs).
    teacher : Tensor or None
        The teacher's logits or trajectories, of the shape of the student's outputs.
    """

    inputs: Tensor
    targets: Tensor
    teacher: Tensor | None = None

    def __len__(self) -> int:
        return self.inputs.shape[0]


@dataclass(frozen=True, slots=True)
class Objective:
    """The loss of one fit.

    Parameters
    ----------
    spec : StudentSpec
    weights : Tensor
        Classification: weight of each class, ``n / (classes n_c)``, so that the loss follows balanced accuracy.
        Regression: standard deviation of each axis of the training targets.
    warmup_steps : int
        First steps of each segment that are left out (regression).
    """

    spec: StudentSpec
    weights: Tensor
    warmup_steps: int

    def task(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return cross-entropy [nat], or the mean square error over the training variance, against the labels."""
        if self.spec.shape.task == "classification":
            return functional.cross_entropy(outputs, targets, weight=self.weights)
        return scaled_mse(outputs[:, self.warmup_steps :], targets[:, self.warmup_steps :], self.weights)

    def total(self, outputs: Tensor, targets: Tensor, teacher: Tensor | None) -> Tensor:
        """Return the task's loss blended with the teacher's."""
        task = self.task(outputs, targets)
        if teacher is None:
            return task
        distillation = self.spec.distillation
        if self.spec.shape.task == "classification":
            distance = hinton_kl(outputs, teacher, distillation.temperature)
        else:
            distance = scaled_mse(outputs[:, self.warmup_steps :], teacher[:, self.warmup_steps :], self.weights)
        return blend(task, distance, distillation.weight)


def prepare(model: nn.Module, train: Examples, spec: StudentSpec) -> Objective:
    """Return the loss that fits these training examples, and set the model's output scale from them.

    Raises
    ------
    StudentError
        A kinematic axis that never moves in training.
    """
    if spec.shape.task == "classification":
        counts = torch.bincount(train.targets, minlength=spec.shape.outputs)
        weights = torch.where(counts > 0, len(train) / (spec.shape.outputs * counts.clamp(min=1)), 0.0)
        return Objective(spec, weights, 0)
    deviation, mean = torch.std_mean(train.targets.double(), dim=(0, 1), correction=0)
    if not bool((deviation > 0).all()):
        still = ", ".join(str(axis) for axis in torch.nonzero(deviation <= 0).flatten().tolist())
        raise StudentError(
            f"axis {still} of the targets is constant", where="training targets",
            remedy="Leave it out, or train on recordings in which it moves",
        )
    for module in model.modules():
        if isinstance(module, OutputScale):
            module.scale.copy_(deviation)
            module.offset.copy_(mean)
    return Objective(spec, deviation.float(), int(getattr(model, "warmup_steps", 0)))


def check_examples(part: str, examples: Examples, spec: StudentSpec) -> None:
    """Refuse examples of another shape than the spec's, or without the teacher the spec asks for.

    Raises
    ------
    StudentError
        Saying which part, what was found and what was expected.
    """
    shape, count = spec.shape, len(examples)
    outputs = (count, shape.outputs) if shape.task == "classification" else (count, shape.steps, shape.outputs)
    expected = {
        "inputs": (examples.inputs, (count, shape.channels, shape.steps)),
        "targets": (examples.targets, (count,) if shape.task == "classification" else outputs),
        "teacher": (examples.teacher, outputs),
    }
    if count == 0:
        raise StudentError("no examples", where=part, remedy="Choose a split with examples on every side")
    for name, (tensor, wanted) in expected.items():
        if tensor is not None and tuple(tensor.shape) != wanted:
            raise StudentError(
                f"{name} of shape {tuple(tensor.shape)}, expected {wanted}", where=part,
                remedy="Give the spec the shape of its dataset",
            )
    if part == "train" and spec.distillation.method != "none" and examples.teacher is None:
        raise StudentError(
            "distillation without a teacher's targets", where=part,
            remedy="Fit a teacher first, or use distillation method 'none'",
        )
