"""Teachers: ensembles of float networks, the file of their outputs, and the gate that decides who may teach.

A teacher never meets its student. It is fitted on the same training and validation examples, and only its outputs on
them travel, as one safetensors file. A larger network is not a better one: a teacher that does not beat the student
trained without it, on validation examples, does not teach.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from cosim.datasets.types import Dataset
from energy_models.errors import StudentError
from students.models.build import build
from students.models.tensor_files import read_tensors, write_tensors
from students.spec import Float32, StudentSpec
from students.training.fit import Examples, fit, predict

SCHEMA = "cosim.teacher/1"
TeacherSource = Literal["ensemble", "float student"]


class TeacherSpec(BaseModel):
    """An ensemble: the mean of its members' logits or trajectories.

    Parameters
    ----------
    members : tuple of StudentSpec
        Float networks of one input and output shape; the same architecture may appear with several seeds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    members: tuple[StudentSpec, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if any(member.shape != self.members[0].shape for member in self.members):
            raise ValueError("members differ in their input or output shape")
        if any(not isinstance(member.form, Float32) for member in self.members):
            raise ValueError("a member is quantised; teachers are float")
        if any(member.method is not None for member in self.members):
            raise ValueError("a member is distilled itself; teachers learn from labels")
        if len({member.digest for member in self.members}) < len(self.members):
            raise ValueError("two members are the same down to the seed")
        return self


@dataclass(frozen=True, slots=True)
class TeacherTargets:
    """The teacher's outputs in the order of each part's examples.

    Students learn from `train` alone; `validation` is for the gate and `test` for the teacher's own score.

    Parameters
    ----------
    train, validation, test : Tensor, shape (examples, classes) or (examples, steps, outputs)
    """

    train: Tensor
    validation: Tensor
    test: Tensor


@dataclass(frozen=True, slots=True)
class GateResult:
    """Who teaches, and the numbers that decided it.

    Parameters
    ----------
    source : {'ensemble', 'float student'}
        Whose outputs the quantised or spiking student learns from.
    teacher_score, student_score : float
        Means over the pairs of validation scores.
    message : str
        One sentence for the report.
    """

    source: TeacherSource
    teacher_score: float
    student_score: float
    message: str


def examples(
    dataset: Dataset, indices: Sequence[int] | Tensor, teacher: Mapping[str, Tensor] | None = None
) -> Examples:
    """Return some of a dataset's examples as tensors.

    Parameters
    ----------
    dataset : Dataset
    indices : sequence of int
    teacher : mapping of str to Tensor, or None
        The teacher's targets for these examples, in this order.
    """
    rows = np.asarray(indices, dtype=np.int64)
    inputs, targets = torch.as_tensor(dataset.windows.inputs(rows)), torch.as_tensor(dataset.targets[rows])
    return Examples(inputs, targets, teacher or {})


def fit_teacher(
    spec: TeacherSpec,
    train: Examples,
    validation: Examples,
    test_inputs: Tensor,
    *,
    checkpoints: Path | None = None,
    report: Callable[[int, int, float], None] | None = None,
) -> TeacherTargets:
    """Fit every member and return the means of their outputs.

    Parameters
    ----------
    spec : TeacherSpec
    train, validation : Examples
    test_inputs : Tensor, shape (examples, channels, steps)
    checkpoints : Path or None
        Folder for one checkpoint per member, so that an interrupted fit goes on where it was.
    report : callable or None
        Called with member, epoch (both from 0) and validation loss.

    Raises
    ------
    StudentError
        As `students.training.fit.fit`.
    """
    parts = (train.inputs, validation.inputs, test_inputs)
    outputs: list[list[Tensor]] = [[] for _ in parts]
    for index, member in enumerate(spec.members):
        model = build(member)
        path = None if checkpoints is None else checkpoints / f"{member.digest}.safetensors"
        progress = None if report is None else _for_member(report, index)
        fit(model, train, validation, member, checkpoint=path, report=progress)
        for kept, inputs in zip(outputs, parts, strict=True):
            kept.append(predict(model, inputs))
    return TeacherTargets(*(torch.stack(kept).mean(dim=0) for kept in outputs))


def write_targets(path: Path, targets: TeacherTargets) -> None:
    """Write a teacher's outputs to one safetensors file, atomically."""
    tensors = {"train": targets.train, "validation": targets.validation, "test": targets.test}
    write_tensors(path, tensors, {"schema": SCHEMA})


def read_targets(path: Path) -> TeacherTargets:
    """Return the outputs of a teacher.

    Raises
    ------
    StudentError
        An unreadable file, or one that holds something else.
    """
    tensors, metadata = read_tensors(path)
    if metadata.get("schema") != SCHEMA or set(tensors) != {"train", "validation", "test"}:
        raise StudentError("no file of teacher targets", where=str(path), remedy="Delete it and fit the teacher again")
    return TeacherTargets(**tensors)


def gate(
    teacher_scores: Sequence[float],
    student_scores: Sequence[float],
    *,
    metric: str,
    over: Literal["fold", "seed"],
) -> GateResult:
    """Return who teaches: the ensemble if its mean validation score is above the undistilled student's.

    Parameters
    ----------
    teacher_scores, student_scores : sequence of float
        Validation scores, one per fold or seed, in the same order; larger is better.
    metric : str
        Name for the message.
    over : {'fold', 'seed'}
        What the scores range over, for the message.

    Raises
    ------
    StudentError
        No scores, or not as many of one as of the other.
    """
    if len(teacher_scores) != len(student_scores) or not teacher_scores:
        raise StudentError(
            f"{len(teacher_scores)} teacher scores against {len(student_scores)} student scores", where="teacher gate",
            remedy=f"Give a score of each for every {over}",
        )
    teacher, student = (sum(scores) / len(scores) for scores in (teacher_scores, student_scores))
    count = len(teacher_scores)
    numbers = (
        f"validation {metric}, {f'mean of {count} {over}s' if count > 1 else f'one {over}'}: "
        f"teacher {teacher:.3f}, student without distillation {student:.3f}"
    )
    if teacher > student:
        return GateResult("ensemble", teacher, student, f"The teacher passes ({numbers}).")
    message = f"The teacher does not beat the student ({numbers}), so quantised students learn from the float student."
    return GateResult("float student", teacher, student, message)


def _for_member(report: Callable[[int, int, float], None], member: int) -> Callable[[int, float], None]:
    return lambda epoch, loss: report(member, epoch, loss)
