"""Whether a teacher may teach: it has to beat the student trained without it, on examples that neither has seen."""

from __future__ import annotations

import dataclasses
import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from cosim.datasets.types import Dataset
from cosim.engine.files import Json, read_json, to_json
from cosim.engine.fold_data import FoldData, Part, fold_of, part_score
from cosim.engine.prediction_file import read_predictions
from cosim.engine.stage import GATE as FILE
from cosim.engine.stage import StageKind, Workspace
from cosim.engine.stages.out_of_fold import out_of_fold_outputs
from cosim.engine.stages.teacher import is_out_of_fold, said_of, targets_in
from cosim.evaluation.held_out import paired_difference
from cosim.evaluation.predictions import Predictions, Provenance, pool
from cosim.evaluation.scores import primary_metric
from cosim.teachers.cross_fitting import inner_folds, plan_for, too_small
from cosim.teachers.gate import GateRule, gate
from cosim.teachers.learning import CrossFitting
from students.training import OUTPUTS

STUDENT = "undistilled_"  # with a seed: the role of that seed's student


def work(workspace: Workspace) -> None:
    """Compare the teacher with the undistilled students of all seeds, on examples of this fold that neither has seen.

    Pooling folds would let one fold's test recordings, which are another's validation, decide about its students.
    """
    data, config = fold_of(workspace), workspace.stage.config
    plan = _inner_plan(workspace, data)
    found = _on_validation(workspace) if plan is None else _out_of_fold(workspace, plan)
    metric, provenance = primary_metric(data.dataset.task), _provenance(data.dataset)
    teacher = part_score(data, found.part, found.teacher)
    students = [part_score(data, found.part, outputs) for outputs in found.students.values()]
    rows = getattr(data.fold, found.part)

    def table(outputs: NDArray[Any]) -> Predictions:
        return pool([Predictions(rows, outputs, np.full(len(rows), found.part))])

    mine = {seed: table(outputs) for seed, outputs in found.students.items()}
    difference = paired_difference(provenance, {0: table(found.teacher)}, mine)
    rule = GateRule(float(cast(float, config["margin"])), cast(Literal["mean", "interval"], config["decided_by"]))
    result = gate([teacher] * len(students), students, metric=metric, over="seed", on=found.name, rule=rule,
                  difference=difference)  # fmt: skip
    said = [result.message, *_fallback(workspace, found), said_of(workspace.parent("teacher"))]
    facts: dict[str, Json] = {
        "passed": result.source == "teacher",
        "source": result.source,
        "metric": metric,
        "on": found.name,
        "teacher_score": result.teacher_score,
        "student_score": result.student_score,
        "student_scores": cast(Json, students),
        "difference": cast(Json, {key: _number(one) for key, one in dataclasses.asdict(difference).items()}),
        "message": " ".join(said).strip(),
    }
    (workspace.folder / FILE).write_text(to_json(facts), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class _Compared:
    """What teacher and students say of one part of the fold, and what the part is called in the record."""

    part: Part
    name: str
    teacher: NDArray[Any]
    students: Mapping[int, NDArray[Any]]


def _roles(workspace: Workspace) -> dict[int, str]:
    roles = [role for role in workspace.stage.parents if role.startswith(STUDENT)]
    return {int(role.removeprefix(STUDENT)): role for role in roles}


def _inner_plan(workspace: Workspace, data: FoldData) -> CrossFitting | None:
    """Return the inner folds that are to be used, where those are large enough for teacher and student."""
    if workspace.stage.config["on"] != "out_of_fold" or not is_out_of_fold(workspace.parent("teacher")):
        return None
    plan = plan_for(workspace.stage.parents["teacher"].config, data.dataset, data.fold)
    if plan is None or too_small(data.dataset, inner_folds(data.dataset, data.fold, plan), plan, data.fold.train[:0]):
        return None
    return plan


def _fallback(workspace: Workspace, found: _Compared) -> list[str]:
    if found.part == "validation" and workspace.stage.config["on"] == "out_of_fold":
        return ["Inner folds are too small for it to be decided out of fold."]
    return []


def _on_validation(workspace: Workspace) -> _Compared:
    outputs = targets_in(workspace.parent("teacher")).validation[OUTPUTS].numpy()
    folders = {seed: workspace.parent(role) for seed, role in _roles(workspace).items()}
    students = {seed: read_predictions(folder, "validation").outputs for seed, folder in folders.items()}
    return _Compared("validation", "validation", outputs, students)


def _out_of_fold(workspace: Workspace, plan: CrossFitting) -> _Compared:
    outputs = targets_in(workspace.parent("teacher")).train[OUTPUTS].numpy()
    students = {seed: out_of_fold_outputs(workspace, role, plan) for seed, role in _roles(workspace).items()}
    shutil.rmtree(workspace.store.checkpoint(workspace.stage.key), ignore_errors=True)
    return _Compared("train", "out-of-fold", outputs, students)


def _provenance(dataset: Dataset) -> Provenance:
    windows = dataset.windows
    return Provenance(
        dataset.task, dataset.masked_targets, dataset.groups, windows.starts, windows.steps, dataset.step_rate_hz,
        windows.sources,
    )  # fmt: skip


def _number(value: float | int | str) -> float | int | str | None:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def passed(workspace: Workspace) -> bool:
    """Return whether a stage has a teacher and that passed the gate."""
    if "gate" not in workspace.stage.parents:
        return False
    return bool(read_json(workspace.parent("gate") / FILE)["passed"])


GATE = StageKind("gate", parents=("fold", "teacher", f"{STUDENT}*"), work=work)
