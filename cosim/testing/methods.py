"""What every distillation method must do with a small student, in classification and in regression."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from cosim.testing.contract import ContractError, require, require_refused
from cosim.testing.method_losses import check_loss
from students.models.build import build
from students.spec import MethodSpec, Scalar, Shape, StudentSpec, Task, Training
from students.training import OUTPUTS, Examples, Needs, fit, parse_method

CHANNELS, STEPS, CLASSES, EXAMPLES, FEATURES = 3, 16, 2, 12, 5
TASKS: tuple[Task, ...] = ("classification", "regression")


class _StoppedError(Exception):
    """Raised after the first epoch, as a kill would end it there."""


def check_method(
    name: str, options: Mapping[str, Scalar | list[Scalar]] | None = None, tasks: Sequence[Task] = TASKS
) -> None:
    """Check a method: it learns from the teacher, resumes where it was interrupted, adds nothing to the student.

    A method that names no target of the teacher has to change what is learned from the labels. Its loss is checked on
    batches of every kind (`cosim.testing.method_losses.check_loss`). The student is an ``mlp`` with one hidden layer of
    8, on 3 channels and 16 steps. The teacher's ``outputs`` have the shape of the student's; every other target that
    the method names has 5 numbers an example, in a regression 5 rows of the segment's steps.

    Parameters
    ----------
    name : str
        A registered method, or ``module:object``.
    options : mapping or None
        Options it is run with; None: its defaults.
    tasks : sequence of str
        Tasks it is for.

    Raises
    ------
    ContractError
        Which promise is broken.
    CosimError
        As the parts it calls.
    """
    where = f"method {name!r}"
    spec = MethodSpec(name=name, options=dict(options or {}))
    method, parsed = parse_method(spec)
    needs = method.needs(parsed)
    refused = MethodSpec(name=name, options={**spec.options, "no_such_option": 1})
    require_refused(lambda: parse_method(refused), "an option that does not exist", where=where)
    for task in tasks:
        _check_task(spec, task, needs, f"{where}, {task}")


def _check_task(method: MethodSpec, task: Task, needs: Needs, where: str) -> None:
    shape = Shape(task=task, channels=CHANNELS, steps=STEPS, outputs=CLASSES, step_rate_hz=16.0)
    labels = StudentSpec(
        family="mlp", options={"hidden": 8, "depth": 1, "lags": 3}, shape=shape, seed=3,
        training=Training(epochs=needs.first_epochs + 2, batch_size=4),
    )  # fmt: skip
    spec = labels.model_copy(update={"method": method})
    one, other = (_examples(shape, tuple(needs.teacher), seed) for seed in (0, 1))
    plain, taught = _trained(labels, one), _trained(spec, one)
    require(taught.keys() == plain.keys(), "its own parameters become part of the student", where=where,
            remedy="Keep them in the loss module")  # fmt: skip
    require(_same(taught, _trained(spec, one)), "one seed gives two students", where=where,
            remedy="Draw from torch's generator only, when the loss module is made")  # fmt: skip
    if not needs.teacher:
        losses = [fit(build(each), one, one, each).train_losses for each in (labels, spec)]
        require(losses[0] != losses[1], "without a teacher, it learns as from labels alone", where=where,
                remedy="Name what it learns from in needs(...).teacher, or change the loss or the view of the inputs")
    else:
        require(not _same(taught, _trained(spec, other)), "other targets of the teacher give the same student",
                where=where, remedy="Let the loss depend on the teacher's tensors, with a gradient to the student")
    require(_same(taught, _resumed(spec, one)), "an interrupted training does not go on where it was", where=where,
            remedy="Keep all state of the loss module in parameters and buffers")  # fmt: skip
    check_loss(spec, needs, one, where)


def _examples(shape: Shape, names: tuple[str, ...], seed: int) -> Examples:
    """Return examples that are the same for every seed, with targets of the teacher that are not."""
    fixed = torch.Generator().manual_seed(7)
    drawn = torch.Generator().manual_seed(seed)
    inputs = torch.randn(EXAMPLES, CHANNELS, STEPS, generator=fixed)
    steps = () if shape.task == "classification" else (STEPS,)
    teacher = {
        name: torch.randn(EXAMPLES, *((*steps, CLASSES) if name == OUTPUTS else (FEATURES, *steps)), generator=drawn)
        for name in names
    }
    if shape.task == "classification":
        return Examples(inputs, torch.arange(EXAMPLES) % CLASSES, teacher)
    return Examples(inputs, torch.randn(EXAMPLES, STEPS, CLASSES, generator=fixed), teacher)


def _trained(spec: StudentSpec, examples: Examples) -> dict[str, Tensor]:
    return _state(_fitted(build(spec), spec, examples))


def _fitted(model: nn.Module, spec: StudentSpec, examples: Examples, checkpoint: Path | None = None) -> nn.Module:
    fit(model, examples, examples, spec, checkpoint=checkpoint)
    return model


def _resumed(spec: StudentSpec, examples: Examples) -> dict[str, Tensor]:
    def stop(epoch: int, loss: float) -> None:
        raise _StoppedError

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.safetensors"
        try:
            fit(build(spec), examples, examples, spec, checkpoint=path, checkpoint_every_s=0, report=stop)
        except _StoppedError:
            return _state(_fitted(build(spec), spec, examples, path))
    raise ContractError("training ended before its first epoch was reported", where="fit", remedy="Report each epoch")


def _state(model: nn.Module) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in model.state_dict().items()}


def _same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


