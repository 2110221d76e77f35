"""A float student that learns from a teacher beside the labels, where the teacher passed its gate."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import cast

from cosim.engine.prediction_file import CURVE, PREDICTIONS, read_curve
from cosim.engine.stage import StageKind, Workspace
from cosim.engine.stages.gate import passed
from cosim.engine.stages.teacher import asked_teacher, targets_in
from cosim.engine.stored_data import PIPELINE
from cosim.engine.training_job import Fitted, TrainingJob, fitted, keep, plugins_of, spec_of, train, untrained
from students.models.store import load_extra, load_student, save_student
from students.spec import StudentSpec
from students.training import Ask, asks_teacher

WEIGHTS = "method_weights"  # of the stage's configuration
TRIED = "weights_tried"  # beside a student: the validation score of every weight, as JSON


def work(workspace: Workspace) -> None:
    """Distil from the teacher if it passed; otherwise the undistilled student is kept as it is.

    Where several weights are given the best on validation is kept. Weight 0 is the undistilled student, always one of
    them: where nothing beats it, nothing is distilled.
    """
    spec, weights = spec_of(workspace.stage), cast(list[float], workspace.stage.config.get(WEIGHTS, []))
    if not passed(workspace):
        _keep_undistilled(workspace, {})
    elif weights:
        _keep_best(workspace, spec, [weight for weight in weights if weight > 0])
    else:
        train(workspace, _job(workspace, spec, _ask(workspace, spec)))


def _ask(workspace: Workspace, spec: StudentSpec) -> Ask | None:
    return asked_teacher(workspace) if spec.method is not None and asks_teacher(spec.method) else None


def _job(workspace: Workspace, spec: StudentSpec, ask: Ask | None) -> TrainingJob:
    targets = targets_in(workspace.parent("teacher"))
    return TrainingJob(untrained(workspace, spec), spec, targets.train, targets.unlabelled, "teacher", ask)


def _keep_best(workspace: Workspace, spec: StudentSpec, weights: list[float]) -> None:
    """Keep the weight with the best validation score, of equal ones the lowest loss, of equal ones the smallest."""
    source, checkpoints = workspace.parent("undistilled"), workspace.store.checkpoint(workspace.stage.key)
    ask, best, rank = _ask(workspace, spec), None, _rank_of_folder(source)
    tried = {"0": rank[0]}
    for weight in sorted(weights):
        job = _job(workspace, _weighted(spec, weight), ask)
        student = fitted(workspace, job, checkpoints / f"{weight:g}.safetensors")
        tried[f"{weight:g}"] = student.score
        if _rank(student) > rank:
            best, rank = student, _rank(student)
    said = {TRIED: json.dumps(tried)}
    if best is None:
        _keep_undistilled(workspace, said)
    else:
        keep(workspace, best, said)
    shutil.rmtree(checkpoints, ignore_errors=True)


def _weighted(spec: StudentSpec, weight: float) -> StudentSpec:
    assert spec.method is not None  # noqa: S101  # a distilled student has one
    method = spec.method.model_copy(update={"options": {**spec.method.options, "weight": weight}})
    return spec.model_copy(update={"method": method})


def _rank(student: Fitted) -> tuple[float, float]:
    return student.score, 0.0 if student.history is None else -student.history.validation_loss


def _rank_of_folder(folder: Path) -> tuple[float, float]:
    curve = read_curve(folder)
    loss = 0.0 if curve is None else curve.validation[curve.best_epoch]
    return float(load_extra(folder)["validation_score"]), -loss


def _keep_undistilled(workspace: Workspace, said: dict[str, str]) -> None:
    source = workspace.parent("undistilled")
    model, spec = load_student(source)
    save_student(workspace.folder, model, spec, {**load_extra(source), **said})
    for name in (PIPELINE, PREDICTIONS):
        shutil.copyfile(source / name, workspace.folder / name)
    if (source / CURVE).is_file():  # weights given by the user come without
        shutil.copyfile(source / CURVE, workspace.folder / CURVE)


DISTILLED = StageKind("distilled", parents=("fold", "undistilled", "teacher", "gate"), work=work, plugins=plugins_of)
