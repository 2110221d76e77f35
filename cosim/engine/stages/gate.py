"""Whether a teacher may teach: it has to beat the student trained without it, on validation examples."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, cast

import numpy as np

from cosim.datasets.types import Dataset
from cosim.engine.files import Json, read_json, to_json
from cosim.engine.fold_data import fold_of, part_score
from cosim.engine.prediction_file import read_predictions
from cosim.engine.stage import GATE as FILE
from cosim.engine.stage import StageKind, Workspace
from cosim.engine.stages.teacher import said_of, targets_in
from cosim.evaluation.held_out import paired_difference
from cosim.evaluation.predictions import Predictions, Provenance, pool
from cosim.evaluation.scores import primary_metric
from cosim.teachers.gate import GateRule, gate
from students.models.store import load_extra
from students.training import OUTPUTS

STUDENT = "undistilled_"  # with a seed: the role of that seed's student


def work(workspace: Workspace) -> None:
    """Compare the teacher with the undistilled students of all seeds, on this fold's validation part only.

    Pooling folds would let one fold's test recordings, which are another's validation, decide about its students.
    """
    data, name = fold_of(workspace), "validation"
    outputs = targets_in(workspace.parent("teacher")).validation[OUTPUTS].numpy()
    teacher, validation = part_score(data, name, outputs), data.fold.validation
    roles = [role for role in workspace.stage.parents if role.startswith(STUDENT)]
    folders = {role.removeprefix(STUDENT): workspace.parent(role) for role in roles}
    students = [float(load_extra(folder)["validation_score"]) for folder in folders.values()]
    metric = primary_metric(data.dataset.task)
    difference = paired_difference(
        _provenance(data.dataset),
        {0: pool([Predictions(validation, outputs, np.full(len(validation), name))])},
        {int(seed): pool([read_predictions(folder, name)]) for seed, folder in folders.items()},
    )
    rule = GateRule(**cast(dict[str, Any], workspace.stage.config))
    result = gate([teacher] * len(students), students, metric=metric, over="seed", rule=rule, difference=difference)
    facts: dict[str, Json] = {
        "passed": result.source == "teacher",
        "source": result.source,
        "metric": metric,
        "teacher_score": result.teacher_score,
        "student_score": result.student_score,
        "student_scores": cast(Json, students),
        "difference": cast(Json, {key: _number(one) for key, one in dataclasses.asdict(difference).items()}),
        "message": f"{result.message} {said_of(workspace.parent('teacher'))}".strip(),
    }
    (workspace.folder / FILE).write_text(to_json(facts), encoding="utf-8")


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
