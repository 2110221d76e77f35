"""Out-of-fold targets: a teacher answers about each training example from fits that have not seen it.

A teacher's answers on its own training examples are surer and more often right than on others, so that a student learns
from them little more than the labels. Cross-fitted answers are those of the teacher as it is on new examples.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold
from cosim.splits.separation import group_labels, outside_purge_gap, recordings_in_time
from cosim.teachers.learning import TIME, CrossFitting, LearnsFrom
from cosim.teachers.targets import TeacherTargets
from cosim.teachers.teacher import Answers, OptionsT, Teacher, TeacherSetting, targets_of
from energy_models.errors import SplitError
from students.training import OUTPUTS

Indices = NDArray[np.int64]
WHOLE = "whole"  # name of the fit on all that a teacher learns from, and of its folder of checkpoints

@dataclass(frozen=True, slots=True)
class CrossFitted:
    """Targets, a sentence that says which they are, and whether those of labelled training examples are out of fold."""

    targets: TeacherTargets
    message: str
    training: Literal["in_sample", "out_of_fold"] = "in_sample"


def fitted_targets(
    teacher: Teacher[OptionsT], options: OptionsT, setting: TeacherSetting, plan: CrossFitting | None, *,
    learns_from: LearnsFrom = "training",
) -> CrossFitted:  # fmt: skip
    """Return a teacher's targets, of the training part out of fold where that is asked for and can be.

    ``outputs`` of the labelled training examples come from the inner fits. Everything else comes from the fit on the
    whole training part: the other parts, which it has not seen, and tensors of other names, because the layers of two
    fits have no coordinates in common.

    Parameters
    ----------
    teacher : Teacher
    options : TeacherOptions
    setting : TeacherSetting
    plan : CrossFitting or None
        None: in sample.
    learns_from : {'training', 'left_out', 'both'}
        The training part, the labelled examples that the fold leaves out (`left_out`), or both.

    Raises
    ------
    SplitError
        If there is no such group.
    CosimError
        As the teacher's `fit`.
    """
    dataset, fold = setting.dataset, setting.fold
    others = _others(setting, learns_from)
    targets = targets_of(whole_answers(teacher, options, setting, learns_from=learns_from), dataset, fold)
    if plan is None:
        return CrossFitted(targets, "")
    inner = inner_folds(dataset, fold, plan)
    if why := too_small(dataset, [np.concatenate([rest, others]) for _, rest in inner], plan):
        return CrossFitted(targets, f"Its training targets are in sample: {why}.")
    outputs = torch.full_like(targets.train[OUTPUTS], float("nan"))
    for number, (mine, rest) in enumerate(inner):
        answers = _fitted(teacher, options, setting, learns_from, own=rest, name=f"inner{number + 1}")
        outputs[torch.as_tensor(np.isin(fold.train, mine))] = answers(dataset, mine)[OUTPUTS]
    said = f"Its training targets are out of fold, {len(inner)} inner folds by {plan.blocks}."
    return CrossFitted(dataclasses.replace(targets, train={**targets.train, OUTPUTS: outputs}), said, "out_of_fold")


def whole_answers(
    teacher: Teacher[OptionsT], options: OptionsT, setting: TeacherSetting, *, learns_from: LearnsFrom
) -> Answers:
    """Return the teacher fitted on all that it learns from; a network with a complete checkpoint is not trained again.

    Raises
    ------
    CosimError
        As `fitted_targets`.
    """
    own = setting.fold.train
    if learns_from == "left_out":
        own = _others(setting, learns_from)
    return _fitted(teacher, options, setting, learns_from, own=own, name=WHOLE)


def _others(setting: TeacherSetting, learns_from: LearnsFrom) -> Indices:
    fold = setting.fold
    return fold.train[:0] if learns_from == "training" else left_out(setting.dataset, fold)


def _fitted(
    teacher: Teacher[OptionsT], options: OptionsT, setting: TeacherSetting, learns_from: LearnsFrom, *, own: Indices,
    name: str,
) -> Answers:  # fmt: skip
    fold, train, unlabelled = setting.fold, own, setting.fold.unlabelled
    if learns_from == "both":
        train = np.sort(np.concatenate([own, _others(setting, learns_from)]))
    if learns_from != "training":
        unlabelled = fold.train[:0]  # there are labels enough
    part = dataclasses.replace(fold, name=f"{fold.name}, {name}", train=train, unlabelled=unlabelled)
    return teacher.fit(options, dataclasses.replace(setting, fold=part, checkpoints=setting.checkpoints / name))


def left_out(dataset: Dataset, fold: Fold) -> Indices:
    """Return the examples that a fold uses nowhere, of recordings without any example that is held out.

    Raises
    ------
    SplitError
        If there is none, or a class has none.
    """
    sources = dataset.windows.sources
    held = np.unique(sources[np.concatenate([fold.validation, fold.test])])
    used = np.concatenate([fold.train, fold.validation, fold.test, fold.unlabelled])
    rows = np.setdiff1d(dataset.windows.examples, used)
    found = rows[~np.isin(sources[rows], held)]
    few = dataset.task == "classification" and len(np.unique(dataset.targets[found])) < len(dataset.output_names)
    if not len(found) or few:
        raise SplitError(f"{len(found)} labelled examples are left out of {fold.name}, too few to learn from",
                         where="teacher.learns_from",
                         remedy='Write "training", or a split that stays within one group, such as within = "subject".')
    return found


def inner_folds(dataset: Dataset, fold: Fold, plan: CrossFitting) -> list[tuple[Indices, Indices]]:
    """Return for each inner fold the training examples that it holds out, and those that its fit learns from."""
    held = [fold.train[number] for number in inner_parts(dataset, fold.train, plan)]
    return [(one, outside_purge_gap(dataset, np.setdiff1d(fold.train, one), one, 1)) for one in held]


def inner_parts(dataset: Dataset, train: Indices, plan: CrossFitting) -> list[Indices]:
    """Return for each inner fold the places in the training part that it holds out, in order; none is empty."""
    number = np.zeros(len(train), dtype=np.int64)
    if plan.blocks == TIME:
        for one in recordings_in_time(dataset, train):
            for block, part in enumerate(np.array_split(one, plan.folds)):
                number[np.isin(train, part)] = block
    else:
        members = np.unique(group_labels(dataset, plan.blocks)[train], return_inverse=True)[1]
        number = members % plan.folds
    return [np.flatnonzero(number == one) for one in np.unique(number)]


def too_small(dataset: Dataset, seen: list[Indices], plan: CrossFitting) -> str:
    """Return why inner fits on these examples are no use; empty where they are."""
    if len(seen) < 2:
        return f"the training part is one {plan.blocks} only"
    if dataset.task == "regression":
        fewest = min(map(len, seen)) * dataset.windows.steps
        return f"an inner fold would learn from {fewest} steps" if fewest < plan.fewest_steps else ""
    classes = len(dataset.output_names)
    fewest = min(int(np.bincount(dataset.targets[one].astype(np.int64), minlength=classes).min()) for one in seen)
    return f"an inner fold would learn from {fewest} examples of a class" if fewest < plan.fewest_per_class else ""
