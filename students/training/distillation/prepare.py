"""Puts a spec's distillation method together for one fit: what it reads, and its loss module."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.spec import StudentSpec
from students.training.distillation.labels_only import LabelsOnly
from students.training.distillation.method import LossSetting, Needs
from students.training.distillation.registry import parse_method
from students.training.examples import TrainingSet
from students.training.objective import Objective
from students.training.predict import forward_with


@dataclass(frozen=True, slots=True)
class Distillation:
    """A method ready for one fit.

    Parameters
    ----------
    needs : Needs
    loss : nn.Module
        From `LossInputs` to the loss that training minimises.
    """

    needs: Needs
    loss: nn.Module


def needs_of(spec: StudentSpec) -> Needs:
    """Return what the spec's method reads; nothing where it names none.

    Raises
    ------
    StudentError
        An unknown method or options, or first epochs that leave none to the labels.
    """
    if spec.method is None:
        return Needs({})
    method, options = parse_method(spec.method)
    needs = method.needs(options)
    if needs.first_epochs >= spec.training.epochs:
        raise StudentError(
            f"{needs.first_epochs} first epochs of {spec.training.epochs} leave none in which labels count",
            where=f"method {spec.method.name}", remedy="Train for more epochs, or give the method fewer of them",
        )
    return needs


def prepare_distillation(
    model: nn.Module, examples: TrainingSet, spec: StudentSpec, objective: Objective, needs: Needs
) -> Distillation:
    """Return the method with its loss module made; the module's initial weights are decided by the spec's seed.

    Parameters
    ----------
    model : nn.Module
        The student, on the CPU; it is run on two examples to learn the shapes of the modules needed.
    examples : TrainingSet
    spec : StudentSpec
    objective : Objective
        The labels' loss, whose scale of each axis the method shares.
    needs : Needs
        As `needs_of` gives it.

    Raises
    ------
    StudentError
        A tensor of the teacher that the examples lack, or a module that the student lacks.
    """
    if spec.method is None:
        return Distillation(needs, LabelsOnly())
    method, options = parse_method(spec.method)
    _check_teacher(examples, spec.method.name, needs)
    regression = spec.shape.task == "regression"
    setting = LossSetting(
        shape=spec.shape,
        epochs=spec.training.epochs,
        scale=objective.weights if regression else None,
        warmup_steps=objective.warmup_steps,
        student=module_shapes(model, examples.labelled.inputs[:2], needs.student),
        teacher={name: tuple(examples.labelled.teacher[name].shape[1:]) for name in needs.teacher},
        labels=examples.labelled.targets,
        targets={name: [part.teacher[name] for part in examples.parts] for name in needs.teacher},
        examples=len(examples),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_seed(spec.seed))
        return Distillation(needs, method.make(options, setting))


def _check_teacher(examples: TrainingSet, name: str, needs: Needs) -> None:
    parts = {"train": examples.labelled.teacher}
    if examples.unlabelled is not None:
        parts["unlabelled"] = examples.unlabelled.teacher
    for part, teacher in parts.items():
        if missing := [target for target in needs.teacher if target not in teacher]:
            raise StudentError(
                f"method {name!r} without a teacher's targets {', '.join(map(repr, missing))}", where=part,
                remedy=f"There are: {', '.join(sorted(teacher)) or 'none'}. Take a teacher that gives it, or no method",
            )


def module_shapes(model: nn.Module, inputs: Tensor, names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Return the shapes that modules put out, without the batch axis; the model is in evaluation afterwards.

    Parameters
    ----------
    model : nn.Module
    inputs : Tensor, shape (batch, channels, steps)
    names : sequence of str

    Raises
    ------
    StudentError
        As `students.training.predict.forward_with`.
    """
    if not names:
        return {}
    model.eval()
    with torch.inference_mode():
        _, tensors = forward_with(model, inputs, names)
    return {name: tuple(tensor.shape[1:]) for name, tensor in tensors.items()}


def _seed(seed: int) -> int:
    """Return a seed other than the student's, so that a projector does not start with the student's own numbers."""
    return int.from_bytes(hashlib.blake2b(f"method {seed}".encode(), digest_size=7).digest())
