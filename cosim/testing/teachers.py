"""What every teacher must do on one fold of generated recordings."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from cosim.datasets.registry import load
from cosim.datasets.types import Dataset
from cosim.preprocessing.scaling import fit_scaler
from cosim.splits.few_labels import FewLabels, withhold
from cosim.splits.fold import Fold
from cosim.splits.schemes import BlockedInTime, LeaveOneGroupOut
from cosim.teachers.registry import parse_teacher
from cosim.teachers.targets import PARTS, TeacherTargets, read_targets, write_targets
from cosim.teachers.teacher import TeacherSetting, targets_of
from cosim.testing.blinding import with_other_test_labels
from cosim.testing.contract import require, require_refused
from students.spec import Shape, Training
from students.training import OUTPUTS

FEW = {"classification": FewLabels(per_class=8, validation="all"), "regression": FewLabels(seconds=8, validation="all")}


def generated_fold(task: str) -> tuple[Dataset, Fold]:
    """Return a small generated corpus of a task and one fold of it."""
    if task == "classification":
        options = {"channels": 4, "sessions": 3, "runs": 2, "trials": 12}
        dataset = load("synthetic_eeg", data_dir=None, options=options)
        return dataset, LeaveOneGroupOut(group="session").folds(dataset, seed=0)[0]
    dataset = load("synthetic_spikes", data_dir=None, options={"units": 6, "steps": 1000})
    return dataset, BlockedInTime().folds(dataset, seed=0)[0]


def check_teacher(name: str, options: Mapping[str, Any], task: str = "classification") -> None:
    """Check a teacher: targets by name with a row per example, the same twice, blind to labels it may not read.

    These are the labels of the test part, and of training examples whose labels are withheld.

    Parameters
    ----------
    name : str
        A registered teacher, or ``module:object``.
    options : mapping
        Options it is fitted with.
    task : {'classification', 'regression'}

    Raises
    ------
    ContractError
        Which promise is broken.
    CosimError
        As the teacher itself raises.
    """
    where = f"teacher {name!r}"
    teacher, parsed = parse_teacher(name, options)
    require(bool(teacher.title(parsed)), "it has no title", where=where, remedy="Return what people should read")
    require_refused(lambda: parse_teacher(name, {**options, "no_such_option": 1}), "an option that does not exist",
                    where=where)  # fmt: skip
    dataset, fold = generated_fold(task)
    fold = withhold(dataset, fold, FEW[task], seed=0)
    targets = _targets(name, options, dataset, fold)
    steps = () if dataset.task == "classification" else (dataset.windows.steps,)
    wanted = (*steps, len(dataset.output_names))
    for part in PARTS:
        rows = len(getattr(fold, part))
        for target, tensor in targets.part(part).items():
            require(len(tensor) == rows, f"{target} of the {part} part has {len(tensor)} rows for {rows} examples",
                    where=where, remedy="Return one row per example, in the fold's order")  # fmt: skip
            require(bool(torch.isfinite(tensor).all()), f"{target} of the {part} part is not finite", where=where,
                    remedy="It diverged, or reads recordings that are not finite")  # fmt: skip
        given = tuple(targets.part(part)[OUTPUTS].shape)
        require(given == (rows, *wanted), f"outputs of shape {given} in the {part} part, expected {(rows, *wanted)}",
                where=where, remedy="Return logits, or trajectories, of the students' shape")  # fmt: skip
    require(_same(targets, _targets(name, options, dataset, fold)), "two fits differ", where=where,
            remedy="Draw from a seed that is an option")  # fmt: skip
    blind = _targets(name, options, with_other_test_labels(dataset, fold), fold)
    require(_same(targets, blind), "labels of the test part, or withheld ones, change its targets", where=where,
            remedy="Fit on the training part, choose on the validation part")  # fmt: skip


def _targets(name: str, options: Mapping[str, Any], dataset: Dataset, fold: Fold) -> TeacherTargets:
    """Return the targets after they went through their file."""
    teacher, parsed = parse_teacher(name, options)
    scaled = dataset.windows.scaled(fit_scaler(dataset.windows.inputs(fold.all_training)))
    shape = Shape(
        task=dataset.task, channels=len(dataset.windows.channels), steps=dataset.windows.steps,
        outputs=len(dataset.output_names), step_rate_hz=dataset.step_rate_hz,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        setting = TeacherSetting(
            dataset=dataset, standardised=dataclasses.replace(dataset, windows=scaled), fold=fold, shape=shape,
            training=Training(epochs=2), checkpoints=Path(folder) / "checkpoints",
        )  # fmt: skip
        path = Path(folder) / "targets.safetensors"
        write_targets(path, targets_of(teacher.fit(parsed, setting), dataset, fold))
        found = read_targets(path)
        return TeacherTargets(*({key: one.clone() for key, one in found.part(part).items()} for part in PARTS))


def _same(one: TeacherTargets, other: TeacherTargets) -> bool:
    return all(
        one.part(part).keys() == other.part(part).keys()
        and all(torch.equal(tensor, other.part(part)[key]) for key, tensor in one.part(part).items())
        for part in PARTS
    )
