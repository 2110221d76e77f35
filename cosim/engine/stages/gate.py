"""Whether a teacher may teach: it has to beat the student trained without it, on validation examples."""

from __future__ import annotations

from typing import cast

from cosim.engine.files import Json, read_json, to_json
from cosim.engine.fold_data import fold_of, part_score
from cosim.engine.stage import GATE as FILE
from cosim.engine.stage import StageKind, Workspace
from cosim.engine.stages.teacher import targets_in
from cosim.evaluation.scores import primary_metric
from cosim.teachers.gate import gate
from students.models.store import load_extra
from students.training import OUTPUTS

STUDENT = "undistilled_"  # with a seed: the role of that seed's student


def work(workspace: Workspace) -> None:
    """Compare the teacher with the undistilled students of all seeds, on this fold's validation part only.

    Pooling folds would let one fold's test recordings, which are another's validation, decide about its students.
    """
    data = fold_of(workspace)
    targets = targets_in(workspace.parent("teacher"))
    teacher = part_score(data, "validation", targets.validation[OUTPUTS].numpy())
    roles = [role for role in workspace.stage.parents if role.startswith(STUDENT)]
    students = [float(load_extra(workspace.parent(role))["validation_score"]) for role in roles]
    metric = primary_metric(data.dataset.task)
    result = gate([teacher] * len(students), students, metric=metric, over="seed")
    facts: dict[str, Json] = {
        "passed": result.source == "teacher",
        "source": result.source,
        "metric": metric,
        "teacher_score": result.teacher_score,
        "student_score": result.student_score,
        "student_scores": cast(Json, students),
        "message": result.message,
    }
    (workspace.folder / FILE).write_text(to_json(facts), encoding="utf-8")


def passed(workspace: Workspace) -> bool:
    """Return whether a stage has a teacher and that passed the gate."""
    if "gate" not in workspace.stage.parents:
        return False
    return bool(read_json(workspace.parent("gate") / FILE)["passed"])


GATE = StageKind("gate", parents=("fold", "teacher", f"{STUDENT}*"), work=work)
