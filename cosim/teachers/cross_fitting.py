"""Out-of-fold targets: a teacher answers about each training example from fits that have not seen it.

A teacher's answers on its own training examples are surer and more often right than on others, so that a student learns
from them little more than the labels. Cross-fitted answers are those of the teacher as it is on new examples.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

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
OUT_OF_FOLD, HELD_GROUP = "out_of_fold", "held_group"  # of a teacher stage's configuration
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
    if why := too_small(dataset, inner, plan, others):
        return CrossFitted(targets, f"Its training targets are in sample: {why}.")
    outputs = torch.full_like(targets.train[OUTPUTS], float("nan"))
    for one in inner:
        answers = _fitted(teacher, options, setting, learns_from, fold=one.fold, name=one.name)
        outputs[torch.as_tensor(np.isin(fold.train, one.held))] = answers(dataset, one.held)[OUTPUTS]
    said = f"Its training targets are out of fold, {len(inner)} inner folds by {plan.blocks or TIME}."
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
    fold = setting.fold
    if learns_from == "left_out":
        fold = dataclasses.replace(fold, train=_others(setting, learns_from))
    return _fitted(teacher, options, setting, learns_from, fold=fold, name=WHOLE)


def _others(setting: TeacherSetting, learns_from: LearnsFrom) -> Indices:
    fold = setting.fold
    return fold.train[:0] if learns_from == "training" else left_out(setting.dataset, fold)


def _fitted(
    teacher: Teacher[OptionsT], options: OptionsT, setting: TeacherSetting, learns_from: LearnsFrom, *, fold: Fold,
    name: str,
) -> Answers:  # fmt: skip
    train, unlabelled = fold.train, fold.unlabelled
    if learns_from == "both":
        train = np.sort(np.concatenate([train, _others(setting, learns_from)]))
    if learns_from != "training":
        unlabelled = train[:0]  # there are labels enough
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


@dataclass(frozen=True, slots=True)
class InnerFold:
    """The training examples that an inner fold holds out, and what its fit learns from and is stopped on.

    Parameters
    ----------
    name : str
        Of its folder of checkpoints.
    held : ndarray of int64
    fold : Fold
        The outer fold without what is held out. Where groups are held out, its validation and unlabelled examples are
        without these groups too: they are then as new to the fit as the test part's.
    """

    name: str
    held: Indices
    fold: Fold


def plan_for(config: Mapping[str, Any], dataset: Dataset, fold: Fold) -> CrossFitting | None:
    """Return how a teacher's stage divides the training part of a fold; None where its targets are in sample.

    Parameters
    ----------
    config : mapping
        Of the stage: the plan (`OUT_OF_FOLD`), and the group that the split holds out (`HELD_GROUP`).
    dataset : Dataset
    fold : Fold
    """
    if config.get(OUT_OF_FOLD) is None:
        return None
    plan, group = CrossFitting.model_validate(config[OUT_OF_FOLD]), str(config.get(HELD_GROUP, ""))
    if plan.blocks is not None or not group:
        return plan
    several = len(np.unique(group_labels(dataset, group)[fold.train])) > 1
    return plan.model_copy(update={"blocks": group if several else TIME})


def inner_folds(dataset: Dataset, fold: Fold, plan: CrossFitting) -> list[InnerFold]:
    """Return the inner folds of the training part."""
    found: list[InnerFold] = []
    for number, places in enumerate(inner_parts(dataset, fold.train, plan)):
        held = fold.train[places]
        rest = outside_purge_gap(dataset, np.setdiff1d(fold.train, held), held, 1)
        validation, unlabelled = (_without_groups(dataset, rows, held, plan)
                                  for rows in (fold.validation, fold.unlabelled))  # fmt: skip
        inner = dataclasses.replace(fold, train=rest, validation=validation, unlabelled=unlabelled)
        found.append(InnerFold(f"inner{number + 1}", held, inner))
    return found


def _without_groups(dataset: Dataset, rows: Indices, held: Indices, plan: CrossFitting) -> Indices:
    """Return the rows that are of none of the groups held out; all of them where blocks of time are held out."""
    if plan.blocks is None or plan.blocks == TIME:
        return rows
    labels = group_labels(dataset, plan.blocks)
    return rows[~np.isin(labels[rows], labels[held])]


def inner_parts(dataset: Dataset, train: Indices, plan: CrossFitting) -> list[Indices]:
    """Return for each inner fold the places in the training part that it holds out, in order; none is empty."""
    number = np.zeros(len(train), dtype=np.int64)
    if plan.blocks is None or plan.blocks == TIME:
        for one in recordings_in_time(dataset, train):
            for block, part in enumerate(np.array_split(one, plan.folds)):
                number[np.isin(train, part)] = block
    else:
        members = np.unique(group_labels(dataset, plan.blocks)[train], return_inverse=True)[1]
        number = members % plan.folds
    return [np.flatnonzero(number == one) for one in np.unique(number)]


def too_small(dataset: Dataset, inner: list[InnerFold], plan: CrossFitting, others: Indices) -> str:
    """Return why inner fits are no use, which learn from `others` as well; empty where they are."""
    if len(inner) < 2:
        return f"the training part is one {plan.blocks or TIME} only"
    seen = [np.concatenate([one.fold.train, others]) for one in inner]
    if dataset.task == "regression":
        fewest = min(map(len, seen)) * dataset.windows.steps
        if fewest < plan.fewest_steps:
            return f"an inner fold would learn from {fewest} steps"
        return "" if all(len(one.fold.validation) for one in inner) else "an inner fold would have no validation"
    if (fewest := min(_rarest(dataset, one) for one in seen)) < plan.fewest_per_class:
        return f"an inner fold would learn from {fewest} examples of a class"
    every = all(_rarest(dataset, one.fold.validation) for one in inner)
    return "" if every else "the validation part of an inner fold would lack a class"


def _rarest(dataset: Dataset, rows: Indices) -> int:
    """Return how many examples there are of the class with the fewest."""
    return int(np.bincount(dataset.targets[rows].astype(np.int64), minlength=len(dataset.output_names)).min())
