"""What a student learns from: inputs with labels, inputs without, and a teacher's named targets beside both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from energy_models.errors import StudentError
from students.spec import Shape, StudentSpec

OUTPUTS = "outputs"
_CHECKED_AT_ONCE = 4096  # rows, so that a mapped file is never in memory whole


Ask = Callable[[Tensor], Mapping[str, Tensor]]
"""A teacher asked on the fly: from a student's inputs ``(batch, channels, steps)`` to its named targets, on any device.

It draws no chance and is differentiated by nobody.
"""


@dataclass(frozen=True, slots=True)
class Examples:
    """Labelled examples of one part of a split.

    Parameters
    ----------
    inputs : Tensor of float32, shape (examples, channels, steps)
    targets : Tensor
        int64, shape (examples,); or float32, shape (examples, steps, outputs), nan in every step that has none.
    teacher : mapping of str to Tensor
        The teacher's targets by name, one row per example; they may be mapped from a file. ``outputs`` are its logits
        or trajectories, of the shape of the student's outputs.
    known : Tensor of bool, shape (examples, steps), or None
        Regression: which steps have a target, the others holding nan; None: all.
    """

    inputs: Tensor
    targets: Tensor
    teacher: Mapping[str, Tensor] = field(default_factory=dict)
    known: Tensor | None = None

    def __len__(self) -> int:
        return self.inputs.shape[0]


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """Training examples without labels: only the distillation method's loss sees them.

    Parameters
    ----------
    inputs : Tensor of float32, shape (examples, channels, steps)
    teacher : mapping of str to Tensor
        As in `Examples`.
    """

    inputs: Tensor
    teacher: Mapping[str, Tensor]

    def __len__(self) -> int:
        return self.inputs.shape[0]


@dataclass(frozen=True, slots=True)
class Batch:
    """Some of the training examples, those with labels first.

    Parameters
    ----------
    rows : Tensor of int64, shape (batch,)
        Their numbers.
    inputs : Tensor, shape (batch, channels, steps)
    targets : Tensor, shape (labelled, ...)
        Labels of the first rows.
    teacher : mapping of str to Tensor
        One row per row of `inputs`.
    """

    rows: Tensor
    inputs: Tensor
    targets: Tensor
    teacher: Mapping[str, Tensor]

    def __len__(self) -> int:
        return self.inputs.shape[0]


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """All examples of one fit, numbered through: labelled ones, then unlabelled ones.

    Parameters
    ----------
    labelled : Examples
    unlabelled : Unlabelled or None
    teacher_names : tuple of str
        The teacher's targets that are read.
    """

    labelled: Examples
    unlabelled: Unlabelled | None = None
    teacher_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labelled) + (0 if self.unlabelled is None else len(self.unlabelled))

    @property
    def parts(self) -> tuple[Examples | Unlabelled, ...]:
        """The labelled examples, then the unlabelled ones where there are any."""
        return (self.labelled,) if self.unlabelled is None else (self.labelled, self.unlabelled)

    def batch(self, indices: Tensor, device: torch.device) -> Batch:
        """Return the examples of these numbers on the device; only their rows are read."""
        is_labelled = indices < len(self.labelled)
        first, rest = indices[is_labelled], indices[~is_labelled] - len(self.labelled)
        inputs, targets = self.labelled.inputs[first], self.labelled.targets[first]
        teacher = {name: self.labelled.teacher[name][first] for name in self.teacher_names}
        if self.unlabelled is not None and len(rest):
            inputs = torch.cat([inputs, self.unlabelled.inputs[rest]])
            teacher = {name: torch.cat([rows, self.unlabelled.teacher[name][rest]]) for name, rows in teacher.items()}
        moved = {name: rows.to(device) for name, rows in teacher.items()}
        rows = torch.cat([indices[is_labelled], indices[~is_labelled]])
        return Batch(rows.to(device), inputs.to(device), targets.to(device), moved)


def check_examples(part: str, examples: Examples, spec: StudentSpec) -> None:
    """Refuse examples of another shape or type than the spec's, or unusable numbers.

    Raises
    ------
    StudentError
        Saying which part, what was found and what was expected.
    """
    shape, count = spec.shape, len(examples)
    if count == 0:
        raise StudentError("no examples", where=part, remedy="Choose a split with examples on every side")
    classifies = shape.task == "classification"
    _check_tensor(part, "inputs", examples.inputs, (count, shape.channels, shape.steps), torch.float32)
    labels = ((count,), torch.int64) if classifies else (_output_shape(shape, count), torch.float32)
    known = examples.known
    if known is not None and (classifies or known.shape != (count, shape.steps) or known.dtype != torch.bool):
        raise StudentError(
            f"known steps of shape {tuple(known.shape)} ({known.dtype}), expected truth values of shape "
            f"{(count, shape.steps)} of a regression", where=part, remedy="Say of every step whether it has a target",
        )
    targets = examples.targets if known is None else examples.targets.where(known[:, :, None], 0.0)
    _check_tensor(part, "targets", targets, *labels)
    if known is not None and not bool(known.any()):
        raise StudentError("no step has a target", where=part, remedy="Choose a split with targets on every side")
    _check_teacher(part, examples.teacher, shape, count)
    if classifies and not bool(((examples.targets >= 0) & (examples.targets < shape.outputs)).all()):
        found = sorted(set(examples.targets.tolist()) - set(range(shape.outputs)))
        raise StudentError(
            f"labels {', '.join(map(str, found))} of {shape.outputs} classes", where=part,
            remedy=f"Number the classes 0 to {shape.outputs - 1}",
        )


def check_unlabelled(unlabelled: Unlabelled, spec: StudentSpec) -> None:
    """Refuse unlabelled examples that do not fit the spec, or that nothing would learn from.

    Raises
    ------
    StudentError
        As `check_examples`, or where the spec names no distillation method.
    """
    part, shape, count = "unlabelled", spec.shape, len(unlabelled)
    if spec.method is None:
        raise StudentError(
            "examples without labels, and no distillation method to learn from them", where=part,
            remedy="Give the spec a method, or leave the unlabelled examples out",
        )
    _check_tensor(part, "inputs", unlabelled.inputs, (count, shape.channels, shape.steps), torch.float32)
    _check_teacher(part, unlabelled.teacher, shape, count)


def check_asked(ask: Ask, examples: TrainingSet, spec: StudentSpec) -> None:
    """Refuse a teacher whose answers about two examples are not of the names and shapes of its stored targets.

    Raises
    ------
    StudentError
        As `check_examples`, or saying which target it does not give.
    """
    inputs = examples.labelled.inputs[:2]
    given = ask(inputs)
    for name in examples.teacher_names:
        if name not in given:
            raise StudentError(f"a teacher that is asked gives no {name!r}", where="ask",
                               remedy=f"It gives: {', '.join(sorted(given)) or 'nothing'}")  # fmt: skip
        _check_tensor("ask", f"teacher's {name}", given[name].cpu(),
                      (len(inputs), *examples.labelled.teacher[name].shape[1:]), torch.float32)  # fmt: skip


def _output_shape(shape: Shape, count: int) -> tuple[int, ...]:
    return (count, shape.outputs) if shape.task == "classification" else (count, shape.steps, shape.outputs)


def _check_teacher(part: str, teacher: Mapping[str, Tensor], shape: Shape, count: int) -> None:
    for name, values in teacher.items():
        called = f"teacher's {name}"
        expected = _output_shape(shape, count) if name == OUTPUTS else (count, *values.shape[1:])
        _check_tensor(part, called, values, expected, torch.float32)


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
            remedy="Give the spec the shape of its dataset, and every tensor one row per example",
        )
    if unusable := sum(_not_finite(rows) for rows in values.split(_CHECKED_AT_ONCE)):
        raise StudentError(
            f"{unusable} of the {name} are not finite", where=part,
            remedy="Drop or repair the recordings that hold NaN or infinity",
        )


def _not_finite(values: Tensor) -> int:
    return values.numel() - int(torch.isfinite(values).sum())
