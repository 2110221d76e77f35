"""What the loss module of every distillation method must do with any batch, ordinary or extreme."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from cosim.testing.contract import ContractError, require
from students.models.build import build
from students.spec import StudentSpec
from students.training import Examples, LossInputs, Needs, Unlabelled
from students.training.distillation.prepare import prepare_distillation
from students.training.examples import TrainingSet
from students.training.objective import Objective, prepare
from students.training.predict import forward_with

LABELLED, HUGE = 6, 1e4
CLOSE = 1e-4
"""Of two losses of one batch in another order, relative: sums round otherwise."""

Kind = Literal["drawn", "zero", "constant", "huge", "one", "unlabelled"]
KINDS: tuple[Kind, ...] = ("drawn", "zero", "constant", "huge", "one", "unlabelled")


@dataclass(frozen=True, slots=True)
class _Case:
    """A loss module, and what its batches are made of."""

    loss: nn.Module
    objective: Objective
    needs: Needs
    model: nn.Module
    examples: Examples
    epochs: int


def check_loss(spec: StudentSpec, needs: Needs, examples: Examples, where: str) -> None:
    """Check a loss module: a finite scalar with finite gradients, whatever the batch; the same twice and in any order.

    Batches hold labelled and unlabelled examples, one example, none with a label; outputs and features of the student
    are drawn, zero, all the same (and the teacher's too), and of size 1e4.

    Parameters
    ----------
    spec : StudentSpec
        Its method is the one that is checked.
    needs : Needs
    examples : Examples
        Labelled ones, with the teacher's targets; the last half is used without labels as well.
    where : str
        For messages.

    Raises
    ------
    ContractError
        Which promise is broken.
    StudentError
        As the method raises it when its loss module is made.
    """
    model = build(spec)
    half = len(examples) // 2
    free = Unlabelled(examples.inputs[half:], {name: rows[half:] for name, rows in examples.teacher.items()})
    objective = prepare(model, examples, spec)
    whole = TrainingSet(examples, free, tuple(needs.teacher))
    loss = prepare_distillation(model, whole, spec, objective, needs).loss
    case = _Case(loss, objective, needs, model, examples, needs.first_epochs + 2)
    for kind in KINDS:
        for batch in _batches(case, kind):
            _check_finite(case, batch, f"{where}, {kind} batch, epoch {batch.epoch}")
    *_, last = _batches(case, "drawn")
    _check_repeats(case, last, where)
    _check_device(case, last, where)
    if needs.teacher:
        _check_teacher_reaches(case, last, where)


def _batches(case: _Case, kind: Kind) -> Iterator[LossInputs]:
    """Yield the batch of a kind in each epoch, in order: a loss may remember the epoch before."""
    total = 1 if kind == "one" else len(case.examples)
    rows = torch.arange(total)
    labelled = {"unlabelled": 0, "one": 1}.get(kind, LABELLED)
    case.model.eval()
    with torch.no_grad():
        outputs, student = forward_with(case.model, case.examples.inputs[rows], case.needs.student)
    teacher = {name: case.examples.teacher[name][rows] for name in case.needs.teacher}
    outputs, student = _of_kind({"": outputs}, kind)[""], _of_kind(student, kind)
    if kind == "constant":
        teacher = _of_kind(teacher, kind)
    for epoch in range(case.epochs):
        leaves = outputs.clone().requires_grad_()
        targets = case.examples.targets[:labelled]
        task = case.objective.task(leaves[:labelled], targets) if labelled else leaves[:0].sum()
        tensors = {name: tensor.clone().requires_grad_() for name, tensor in student.items()}
        yield LossInputs(epoch, task, leaves, tensors, teacher, targets, rows)


def _of_kind(tensors: Mapping[str, Tensor], kind: Kind) -> dict[str, Tensor]:
    factor, added = {"zero": (0.0, 0.0), "constant": (0.0, 1.0), "huge": (HUGE, 0.0)}.get(kind, (1.0, 0.0))
    return {name: factor * tensor + added for name, tensor in tensors.items()}


def _gradients(case: _Case, batch: LossInputs) -> tuple[Tensor, list[Tensor]]:
    """Return the loss, and its gradients (zero for none) towards the student's tensors and the module's parameters."""
    loss = case.loss(batch)
    towards = [batch.outputs, *batch.student.values(), *case.loss.parameters()]
    if not loss.requires_grad:
        return loss, [torch.zeros_like(tensor) for tensor in towards]
    return loss.detach(), list(torch.autograd.grad(loss, towards, materialize_grads=True))


def _check_finite(case: _Case, batch: LossInputs, where: str) -> None:
    given = {name: tensor.clone() for name, tensor in batch.teacher.items()}
    loss = case.loss(batch)
    require(loss.shape == (), f"its loss has shape {tuple(loss.shape)}", where=where,
            remedy="Return a scalar, such as the mean over the batch")  # fmt: skip
    require(loss.requires_grad, "its loss has no gradient", where=where,
            remedy="Return batch.task where nothing else can be said of a batch")  # fmt: skip
    loss, gradients = _gradients(case, batch)
    require(bool(torch.isfinite(loss)), f"its loss is {loss.item()}", where=where,
            remedy="Divide by nothing that can be zero, and take logarithms with log_softmax")  # fmt: skip
    require(all(bool(torch.isfinite(gradient).all()) for gradient in gradients), "a gradient is not finite",
            where=where, remedy="Keep roots, norms and quotients away from zero")  # fmt: skip
    require(all(torch.equal(given[name], batch.teacher[name]) for name in given), "it changes the teacher's targets",
            where=where, remedy="Work on copies")  # fmt: skip


def _check_repeats(case: _Case, batch: LossInputs, where: str) -> None:
    loss = case.loss(batch)
    require(torch.equal(loss, case.loss(batch)), "one batch gives two losses", where=where,
            remedy="Draw chance in a view, and nothing in the loss")  # fmt: skip
    order = torch.cat([torch.arange(LABELLED).flip(0), torch.arange(LABELLED, len(batch.outputs)).flip(0)])
    other = replace(
        batch, outputs=batch.outputs[order], targets=batch.targets.flip(0), rows=batch.rows[order],
        student={name: tensor[order] for name, tensor in batch.student.items()},
        teacher={name: tensor[order] for name, tensor in batch.teacher.items()},
    )  # fmt: skip
    moved = case.loss(other)
    require(torch.allclose(moved, loss, rtol=CLOSE, atol=CLOSE), f"its loss depends on the order of the batch: "
            f"{loss.item():.6g} and {moved.item():.6g}", where=where, remedy="Take means over rows")  # fmt: skip


def _check_device(case: _Case, batch: LossInputs, where: str) -> None:
    def moved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: tensor.detach().to("meta") for name, tensor in tensors.items()}

    far = LossInputs(
        batch.epoch, batch.task.detach().to("meta"), batch.outputs.detach().to("meta"), moved(batch.student),
        moved(batch.teacher), batch.targets.to("meta"), batch.rows.to("meta"),
    )  # fmt: skip
    try:
        found = copy.deepcopy(case.loss).to("meta")(far)
    except (RuntimeError, NotImplementedError) as error:
        raise ContractError(
            f"it does not compute where its batch is: {error}", where=where,
            remedy="Register tensors as buffers, and read no values of the batch in Python",
        ) from error
    require(found.device.type == "meta", "its loss is on another device than its batch", where=where,
            remedy="Register tensors as buffers")  # fmt: skip


def _check_teacher_reaches(case: _Case, batch: LossInputs, where: str) -> None:
    _, gradients = _gradients(case, replace(batch, task=batch.task.detach()))
    mine = gradients[: 1 + len(batch.student)]
    require(any(bool(gradient.abs().max() > 0) for gradient in mine), "the teacher gives the student no gradient",
            where=where, remedy="Let the loss depend on outputs or named modules of the student")  # fmt: skip
