"""A float student that learns from a teacher beside the labels, where the teacher passed its gate."""

from __future__ import annotations

import shutil

from cosim.engine.prediction_file import CURVE
from cosim.engine.stage import StageKind, Workspace
from cosim.engine.stages.gate import passed
from cosim.engine.stages.teacher import targets_in
from cosim.engine.stored_data import PIPELINE
from cosim.engine.training_job import TrainingJob, plugins_of, spec_of, train, untrained
from students.models.store import load_extra, load_student, save_student


def work(workspace: Workspace) -> None:
    """Distil from the teacher if it passed; otherwise the undistilled student is kept as it is."""
    if passed(workspace):
        spec = spec_of(workspace.stage)
        targets = targets_in(workspace.parent("teacher"))
        train(workspace, TrainingJob(untrained(workspace, spec), spec, targets.train, targets.unlabelled, "teacher"))
    else:
        source = workspace.parent("undistilled")
        model, spec = load_student(source)
        save_student(workspace.folder, model, spec, load_extra(source))
        shutil.copyfile(source / PIPELINE, workspace.folder / PIPELINE)
        if (source / CURVE).is_file():  # weights given by the user come without
            shutil.copyfile(source / CURVE, workspace.folder / CURVE)


DISTILLED = StageKind("distilled", parents=("fold", "undistilled", "teacher", "gate"), work=work, plugins=plugins_of)
