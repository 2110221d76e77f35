"""A quantised student: made from the float student, then trained on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor

from cosim.engine.fold_data import fold_of, spread
from cosim.engine.stage import StageKind, Workspace
from cosim.engine.stages.distilled import WEIGHTS
from cosim.engine.stages.gate import passed
from cosim.engine.stages.teacher import asked_teacher, targets_in
from cosim.engine.training_job import TrainingJob, plugins_of, spec_of, train
from students.models.store import load_student
from students.training import asks_teacher, float_targets, needs_teacher

CALIBRATION_EXAMPLES = 256  # brevitas needs a sample of the signals, not all of them


def work(workspace: Workspace) -> None:
    """Quantise the float student, then train on: from the teacher if it passed, else from the float student."""
    from students.models.from_float import quantised_from_float  # it imports Brevitas, which no coordinator needs

    spec = spec_of(workspace.stage)
    data = fold_of(workspace)
    floating, taught_as = load_student(workspace.parent("float_student"))
    if workspace.stage.config.get(WEIGHTS):  # the weight, or the lack of one, that the float student got
        spec = spec.model_copy(update={"method": taught_as.method})
    inputs = torch.as_tensor(data.dataset.windows.inputs(data.fold.all_training))
    teacher: Mapping[str, Tensor] = {}
    unlabelled: Mapping[str, Tensor] = {}
    source, ask = "", None
    if spec.method is not None and needs_teacher(spec.method):
        taught = passed(workspace)
        source = "teacher" if taught else "float student"
        if taught:
            targets = targets_in(workspace.parent("teacher"))
            teacher, unlabelled = targets.train, targets.unlabelled
            ask = asked_teacher(workspace) if asks_teacher(spec.method) else None
        else:
            ask = partial(float_targets, spec.method, floating, device=workspace.device)
            known, labelled = float_targets(spec.method, floating, inputs), len(data.fold.train)
            teacher = {name: rows[:labelled] for name, rows in known.items()}
            unlabelled = {name: rows[labelled:] for name, rows in known.items()}
    model = quantised_from_float(spec, floating, inputs[spread(len(inputs), CALIBRATION_EXAMPLES)])
    train(workspace, TrainingJob(model, spec, teacher, unlabelled, source, ask))


QUANTISED = StageKind(
    "quantised",
    parents=("fold", "float_student", "teacher", "gate"),
    work=work,
    plugins=plugins_of,
)
