"""Out-of-fold targets: no example is answered about by a fit that saw it, and small inner folds are not used."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

from cosim.datasets.registry import load
from cosim.datasets.types import Dataset
from cosim.engine.plan import teacher_recipe
from cosim.splits.fold import Fold
from cosim.splits.schemes import BlockedInTime, LeaveOneGroupOut
from cosim.study.check import check_study
from cosim.study.document import read_document
from cosim.teachers.cross_fitting import HELD_GROUP, OUT_OF_FOLD, fitted_targets, inner_folds, left_out, plan_for
from cosim.teachers.learning import CrossFitting
from cosim.teachers.teacher import Teacher, TeacherOptions, TeacherSetting
from energy_models.errors import SplitError, StudyError
from students.spec import Shape, Training
from students.training import OUTPUTS

FITTED: list[Fold] = []


def remembering(options, setting):
    """Return a teacher that says of each example whether it was fitted on it, and which number its fit has."""
    FITTED.append(setting.fold)
    number, known = len(FITTED) - 1, setting.fold.train

    def answers(dataset, examples):
        seen = torch.as_tensor(np.isin(examples, known)).float()
        outputs = torch.stack([seen, torch.full_like(seen, number)], dim=1)
        if dataset.task == "regression":
            outputs = outputs[:, None].repeat(1, dataset.windows.steps, 1)
        return {OUTPUTS: outputs, "fit": torch.full((len(examples), 1), float(number))}

    return answers


TEACHER = Teacher(TeacherOptions, title=lambda options: "memory", fit=remembering)


def trials() -> tuple[Dataset, Fold]:
    options = {"channels": 4, "sessions": 4, "runs": 2, "trials": 12, "rate_hz": 64.0, "trial_s": 1.0}
    dataset = load("synthetic_eeg", data_dir=None, options=options)
    return dataset, LeaveOneGroupOut(group="session", validation="fraction").folds(dataset, seed=0)[0]


def stream() -> tuple[Dataset, Fold]:
    dataset = load("synthetic_spikes", data_dir=None, options={"units": 4, "steps": 4000})
    return dataset, BlockedInTime().folds(dataset, seed=0)[0]


def targets(dataset: Dataset, fold: Fold, plan: CrossFitting | None, **more):
    FITTED.clear()
    shape = Shape(task=dataset.task, channels=4, steps=dataset.windows.steps, outputs=2, step_rate_hz=64)
    setting = TeacherSetting(dataset, dataset, fold, shape, Training(epochs=1), Path("none"))
    return fitted_targets(TEACHER, TeacherOptions(), setting, plan, **more)


@pytest.mark.parametrize(("make", "blocks"), [(trials, "time"), (trials, "session"), (trials, "run"), (stream, "time")])
def test_training_targets_come_from_fits_that_have_not_seen_them(make, blocks):
    dataset, fold = make()
    found = targets(dataset, fold, CrossFitting(folds=3, blocks=blocks, fewest_per_class=5))
    assert f"out of fold, 3 inner folds by {blocks}" in found.message or blocks == "run"
    seen = found.targets.train[OUTPUTS][..., 0]
    assert not seen.any()
    assert found.targets.train["fit"].unique().tolist() == [0]  # layers of two fits have no coordinates in common
    assert not found.targets.test[OUTPUTS][..., 0].any()
    for inner in FITTED[1:]:
        held = np.setdiff1d(fold.train, inner.train)
        assert len(held)
        assert not set(inner.train) & set(fold.test)
        if blocks in dataset.groups:
            labels = dataset.groups[blocks]
            assert not set(labels[held]) & set(labels[inner.train])
            kept = fold.validation[~np.isin(labels[fold.validation], labels[held])]
            assert len(kept) < len(fold.validation)
            assert np.array_equal(inner.validation, kept)
        else:
            assert np.array_equal(inner.validation, fold.validation)


def test_what_is_held_out_is_new_to_an_inner_fit_its_unlabelled_examples_too():
    dataset, fold = trials()
    sessions, known = dataset.groups["session"], np.sort(fold.train)
    fold = dataclasses.replace(fold, train=known[::2], unlabelled=known[1::2])
    for inner in inner_folds(dataset, fold, CrossFitting(blocks="session")):
        seen = np.concatenate([inner.fold.train, inner.fold.validation, inner.fold.unlabelled])
        assert not set(sessions[seen]) & set(sessions[inner.held])
        assert len(np.unique(sessions[inner.fold.unlabelled])) == 2
    for inner in inner_folds(dataset, fold, CrossFitting(blocks="time")):
        assert np.array_equal(inner.fold.unlabelled, fold.unlabelled)


def test_a_plan_without_blocks_holds_out_what_the_split_does():
    """Of one training session alone no inner fold can hold out a session: it is cut in time."""
    dataset, fold = trials()
    one = dataclasses.replace(fold, train=fold.train[dataset.groups["session"][fold.train] == "session2"])
    plan = {OUT_OF_FOLD: {"folds": 3}, HELD_GROUP: "session"}
    asked = {"session": plan, "run": {**plan, OUT_OF_FOLD: {"blocks": "run"}}, "": {OUT_OF_FOLD: {}}}
    found = {name: plan_for(config, dataset, fold) for name, config in asked.items()}
    assert [plan and plan.blocks for plan in found.values()] == ["session", "run", None]
    alone = plan_for(plan, dataset, one)
    assert alone is not None
    assert alone.blocks == "time"
    assert plan_for({}, dataset, fold) is None


def test_the_teacher_of_a_study_is_told_which_group_its_split_holds_out():
    document = {**read_document("ssvep_few_labels"), "teacher": {
        "name": "classical", "options": {"baseline": "cca"}, "out_of_fold": {}}}  # fmt: skip
    study = check_study(document, where="test")
    shape = Shape(task="classification", channels=4, steps=64, outputs=3, step_rate_hz=64)
    assert teacher_recipe(study, shape).config[HELD_GROUP] == "session"


def test_inner_folds_that_leave_a_class_of_the_validation_part_out_are_not_used():
    dataset, fold = trials()
    sessions, first = dataset.groups["session"], int(fold.validation[0])
    alike = (dataset.targets[fold.validation] != dataset.targets[first]) | (
        sessions[fold.validation] == sessions[first])  # fmt: skip
    found = targets(dataset, dataclasses.replace(fold, validation=fold.validation[alike]),
                    CrossFitting(blocks="session", fewest_per_class=1))  # fmt: skip
    assert "the validation part of an inner fold would lack a class" in found.message
    assert found.training == "in_sample"


def test_in_sample_targets_are_told_by_the_same_memory():
    dataset, fold = trials()
    found = targets(dataset, fold, None)
    assert found.targets.train[OUTPUTS][:, 0].all()
    assert (found.message, len(FITTED)) == ("", 1)


@pytest.mark.parametrize(
    ("make", "plan", "says"),
    [
        (trials, CrossFitting(folds=2, fewest_per_class=99), r"in sample: an inner fold would learn from \d+ examples"),
        (trials, CrossFitting(blocks="subject"), "in sample: the training part is one subject only"),
        (stream, CrossFitting(folds=2, fewest_steps=10**6), r"in sample: an inner fold would learn from \d+ steps"),
    ],
)
def test_small_inner_folds_fall_back_and_say_so(make, plan, says):
    dataset, fold = make()
    dataset = dataclasses.replace(
        dataset, groups={**dataset.groups, "subject": np.full(len(dataset.windows), "one", dtype=np.str_)}
    )
    found = targets(dataset, fold, plan)
    assert found.targets.train[OUTPUTS][..., 0].all()
    assert len(FITTED) == 1
    assert re.search(says, found.message)


def test_a_teacher_may_learn_from_what_the_fold_leaves_out():
    """Within one session of four, the other three are left out; what is held out is never learned from."""
    dataset, _ = trials()
    fold = LeaveOneGroupOut(group="run", within="session", validation="fraction").folds(dataset, seed=0)[0]
    others = left_out(dataset, fold)
    sessions = dataset.groups["session"]
    assert set(sessions[others]) == set(sessions) - set(sessions[fold.test])
    found = targets(dataset, fold, None, learns_from="left_out")
    assert not found.targets.train[OUTPUTS][:, 0].any()
    assert np.array_equal(FITTED[0].train, others)
    both = targets(dataset, fold, CrossFitting(folds=2, fewest_per_class=1), learns_from="both")
    assert not both.targets.train[OUTPUTS][:, 0].any()
    assert all(set(others) <= set(inner.train) for inner in FITTED)
    _, whole = trials()
    with pytest.raises(SplitError, match="0 labelled examples are left out"):
        left_out(dataset, whole)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ('name = "file"\noptions = { path = "x" }\nout_of_fold = { folds = 3 }', "'file' is not fitted here"),
        ('name = "classical"\noptions = { baseline = "cca" }\nlearns_from = "left_out"\nout_of_fold = {}', "not seen"),
        ('name = "classical"\noptions = { baseline = "cca" }\nlearns_from = "test"', "learns_from"),
    ],
)
def test_plans_that_make_no_sense_are_told(lines, says):
    document = {**read_document("ssvep_few_labels"), "teacher": tomllib.loads(lines)}
    with pytest.raises(StudyError, match=says):
        check_study(document, where="test")
