"""A teacher: fitted once a fold; students meet its targets only."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from cosim.engine.files import Json, read_json, to_json
from cosim.engine.fold_data import fold_of
from cosim.engine.stage import StageKind, Workspace
from cosim.teachers.cross_fitting import fitted_targets
from cosim.teachers.learning import CrossFitting, LearnsFrom
from cosim.teachers.registry import TEACHERS, parse_teacher
from cosim.teachers.targets import TeacherTargets, read_targets, write_targets
from cosim.teachers.teacher import TeacherSetting
from students.spec import Shape, Training

TARGETS, FACTS = "targets.safetensors", "teacher.json"


def plugins(config: Mapping[str, Json]) -> Iterable[str]:
    """Return the modules of the plug-ins that a teacher stage asks for: the teacher's, and those it uses."""
    name = str(config["teacher"])
    teacher, options = parse_teacher(name, cast(Mapping[str, Any], config["options"]))
    return (TEACHERS.module(name), *teacher.plugins(options))


def work(workspace: Workspace) -> None:
    """Fit or load the teacher and keep its targets on every part."""
    config = workspace.stage.config
    teacher, options = parse_teacher(str(config["teacher"]), cast(Mapping[str, Any], config["options"]))
    standardised, raw = fold_of(workspace), fold_of(workspace, "raw")
    kept = workspace.store.checkpoint(workspace.stage.key)
    setting = TeacherSetting(
        dataset=raw.dataset, standardised=standardised.dataset, fold=raw.fold,
        shape=Shape.model_validate(config["shape"]), training=Training.model_validate(config["training"]),
        checkpoints=kept, device=workspace.device,
    )  # fmt: skip
    plan, source = config.get("out_of_fold"), cast(LearnsFrom, config["learns_from"])
    inner = None if plan is None else CrossFitting.model_validate(plan)
    found = fitted_targets(teacher, options, setting, inner, learns_from=source)
    write_targets(workspace.folder / TARGETS, found.targets)
    (workspace.folder / FACTS).write_text(to_json({"message": found.message}), encoding="utf-8")
    shutil.rmtree(kept, ignore_errors=True)


def targets_in(folder: Path) -> TeacherTargets:
    """Return the targets that a finished teacher's folder holds."""
    return read_targets(folder / TARGETS)


def said_of(folder: Path) -> str:
    """Return the sentence about a finished teacher's targets; empty where there is nothing to say."""
    return str(read_json(folder / FACTS)["message"])


TEACHER = StageKind("teacher", parents=("fold",), work=work, plugins=plugins)
