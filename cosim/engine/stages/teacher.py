"""A teacher: fitted once a fold; students meet its targets only."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from cosim.engine.files import Json
from cosim.engine.fold_data import fold_of
from cosim.engine.stage import StageKind, Workspace
from cosim.teachers.registry import TEACHERS, parse_teacher
from cosim.teachers.targets import TeacherTargets, read_targets, write_targets
from cosim.teachers.teacher import TeacherSetting, targets_of
from students.spec import Shape, Training

TARGETS = "targets.safetensors"


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
    targets = targets_of(teacher.fit(options, setting), setting.dataset, setting.fold)
    write_targets(workspace.folder / TARGETS, targets)
    shutil.rmtree(kept, ignore_errors=True)


def targets_in(folder: Path) -> TeacherTargets:
    """Return the targets that a finished teacher's folder holds."""
    return read_targets(folder / TARGETS)


TEACHER = StageKind("teacher", parents=("fold",), work=work, plugins=plugins)
