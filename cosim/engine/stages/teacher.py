"""A teacher: fitted once a fold; students meet its targets only."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from cosim.engine.files import Json, read_json, to_json
from cosim.engine.fold_data import fold_of
from cosim.engine.stage import StageKind, Workspace
from cosim.teachers.asking import asked
from cosim.teachers.cross_fitting import WHOLE, fitted_targets, plan_for, whole_answers
from cosim.teachers.learning import LearnsFrom
from cosim.teachers.registry import TEACHERS, parse_teacher
from cosim.teachers.targets import TeacherTargets, read_targets, write_targets
from cosim.teachers.teacher import TeacherSetting
from students.spec import Shape, Training
from students.training import Ask

TARGETS, FACTS = "targets.safetensors", "teacher.json"
FITTED = "fitted"  # folder of the finished checkpoints of a teacher that is asked
ASKED = "asked"  # of the stage's configuration: whether a student's method changes the inputs
NOT_ASKED = "It cannot be asked about changed inputs: its targets there are those of the unchanged ones, mixed alike."


def plugins(config: Mapping[str, Json]) -> Iterable[str]:
    """Return the modules of the plug-ins that a teacher stage asks for: the teacher's, and those it uses."""
    name = str(config["teacher"])
    teacher, options = parse_teacher(name, cast(Mapping[str, Any], config["options"]))
    return (TEACHERS.module(name), *teacher.plugins(options))


def work(workspace: Workspace) -> None:
    """Fit or load the teacher and keep its targets on every part; and itself, where it will be asked about others."""
    config = workspace.stage.config
    teacher, options = parse_teacher(str(config["teacher"]), cast(Mapping[str, Any], config["options"]))
    kept = workspace.store.checkpoint(workspace.stage.key)
    setting = _setting(workspace, config, kept)
    source, inner = cast(LearnsFrom, config["learns_from"]), plan_for(config, setting.dataset, setting.fold)
    found = fitted_targets(teacher, options, setting, inner, learns_from=source)
    write_targets(workspace.folder / TARGETS, found.targets)
    message = found.message
    if config.get(ASKED) and teacher.origin(options) == "stored":
        message = f"{message} {NOT_ASKED}".strip()
    (workspace.folder / FACTS).write_text(to_json({"message": message, "training": found.training}), encoding="utf-8")
    if config.get(ASKED) and (kept / WHOLE).is_dir():
        shutil.copytree(kept / WHOLE, workspace.folder / FITTED / WHOLE)
    shutil.rmtree(kept, ignore_errors=True)


def _setting(workspace: Workspace, config: Mapping[str, Json], checkpoints: Path) -> TeacherSetting:
    standardised, raw = fold_of(workspace, "standardised"), fold_of(workspace, "raw")
    return TeacherSetting(
        dataset=raw.dataset, standardised=standardised.dataset, fold=raw.fold,
        shape=Shape.model_validate(config["shape"]), training=Training.model_validate(config["training"]),
        checkpoints=checkpoints, device=workspace.device,
    )  # fmt: skip


def asked_teacher(workspace: Workspace) -> Ask | None:
    """Return the teacher of a training stage as a function of the inputs that its student sees.

    A network is read as it was kept, another teacher is fitted once more; None where it cannot be asked, or nothing in
    the study asks.
    """
    config = workspace.stage.parents["teacher"].config
    teacher, options = parse_teacher(str(config["teacher"]), cast(Mapping[str, Any], config["options"]))
    if not config.get(ASKED) or teacher.origin(options) == "stored":
        return None
    setting = _setting(workspace, config, workspace.parent("teacher") / FITTED)
    source = cast(LearnsFrom, config["learns_from"])
    answers = whole_answers(teacher, options, setting, learns_from=source)
    return asked(answers, setting.dataset, fold_of(workspace).dataset)


def targets_in(folder: Path) -> TeacherTargets:
    """Return the targets that a finished teacher's folder holds."""
    return read_targets(folder / TARGETS)


def is_out_of_fold(folder: Path) -> bool:
    """Return whether a finished teacher answers about labelled training examples from fits that have not seen them."""
    return read_json(folder / FACTS)["training"] == "out_of_fold"


def said_of(folder: Path) -> str:
    """Return the sentence about a finished teacher's targets; empty where there is nothing to say."""
    return str(read_json(folder / FACTS)["message"])


TEACHER = StageKind("teacher", parents=("fold",), work=work, plugins=plugins)
