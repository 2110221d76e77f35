"""What training minimises: the task's own loss, with the teacher's targets beside it where the spec says so."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from energy_models.errors import StudentError
from students.layers import OutputScale
from students.spec import StudentSpec
from students.training.distillation.logits import blend, hinton_kl, scaled_mse


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
        A class without a training example, or a kinematic axis that never moves in training.
    """
    if spec.shape.task == "classification":
        counts = torch.bincount(train.targets, minlength=spec.shape.outputs)
        if absent := torch.nonzero(counts == 0).flatten().tolist():
            raise StudentError(
                f"no example of class {', '.join(map(str, absent))}", where="training targets",
                remedy="Choose a split with every class on its training side, or give the spec fewer outputs",
            )
        return Objective(spec, len(train) / (spec.shape.outputs * counts), 0)
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
    """Refuse examples of another shape or type than the spec's, unusable numbers, or a missing teacher.

    Raises
    ------
    StudentError
        Saying which part, what was found and what was expected.
    """
    shape, count = spec.shape, len(examples)
    if count == 0:
        raise StudentError("no examples", where=part, remedy="Choose a split with examples on every side")
    classifies = shape.task == "classification"
    outputs = (count, shape.outputs) if classifies else (count, shape.steps, shape.outputs)
    _check_tensor(part, "inputs", examples.inputs, (count, shape.channels, shape.steps), torch.float32)
    labels = ((count,), torch.int64) if classifies else (outputs, torch.float32)
    _check_tensor(part, "targets", examples.targets, *labels)
    if examples.teacher is not None:
        _check_tensor(part, "teacher", examples.teacher, outputs, torch.float32)
    if classifies and not bool(((examples.targets >= 0) & (examples.targets < shape.outputs)).all()):
        found = sorted(set(examples.targets.tolist()) - set(range(shape.outputs)))
        raise StudentError(
            f"labels {', '.join(map(str, found))} of {shape.outputs} classes", where=part,
            remedy=f"Number the classes 0 to {shape.outputs - 1}",
        )
    if part == "train" and spec.distillation.method != "none" and examples.teacher is None:
        raise StudentError(
            "distillation without a teacher's targets", where=part,
            remedy="Fit a teacher first, or use distillation method 'none'",
        )


def _check_tensor(part: str, name: str, values: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    if not isinstance(values, Tensor) or values.dtype != dtype:
        found = values.dtype if isinstance(values, Tensor) else type(values).__name__
        raise StudentError(
            f"{name} are {found}, expected a tensor of {dtype}", where=part,
            remedy=f"Convert them: torch.as_tensor(..., dtype={dtype})",
        )
    if tuple(values.shape) != shape:
        raise StudentError(
            f"{name} of shape {tuple(values.shape)}, expected {shape}", where=part,
            remedy="Give the spec the shape of its dataset",
        )
    if unusable := values.numel() - int(torch.isfinite(values).sum()):
        raise StudentError(
            f"{unusable} of the {name} are not finite", where=part,
            remedy="Drop or repair the recordings that hold NaN or infinity",
        )
