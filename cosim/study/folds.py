"""The folds of a study: its split, the labels that are withheld, the unlabelled windows that are added."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from cosim.datasets.types import Dataset
from cosim.splits.few_labels import withhold
from cosim.splits.fold import Fold
from cosim.splits.known_groups import known_group
from cosim.splits.unlabelled_pool import pool_windows
from cosim.study.schema import Study
from cosim.study.teaching import teaching_problems
from cosim.teachers.learning import CrossFitting


def folds_of(study: Study, dataset: Dataset) -> tuple[Fold, ...]:
    """Return every fold, decided by ``fold_seed``.

    Raises
    ------
    SplitError
        As the split's `folds`, `cosim.splits.few_labels.withhold` and `cosim.splits.unlabelled_pool.pool_windows`.
    """
    seed = study.study.fold_seed
    folds = study.split.folds(dataset, seed=seed)
    labels, pool = study.labels, study.unlabelled
    if labels is not None:
        folds = tuple(withhold(dataset, fold, labels, seed=seed) for fold in folds)
    if pool is not None:
        folds = tuple(dataclasses.replace(fold, pool=pool_windows(dataset, fold, pool)) for fold in folds)
    return folds


def known_groups_note(study: Study, dataset: Dataset, folds: Sequence[Fold]) -> tuple[str, ...]:
    """Return a line where a study tests on new groups, such as subjects, and chooses on known ones; else none."""
    group = known_group(dataset, folds, study.split.kept_whole())
    if not group:
        return ()
    by_gate = study.teacher is not None and study.gate.on == "validation"
    chosen = "early stopping, the choice between candidates and the teacher's gate" if by_gate else (
        "early stopping and the choice between candidates")  # fmt: skip
    remedy = 'Write validation = "group" in [split]'
    if study.split.method != "leave_one_group_out":
        remedy = f'Take method = "leave_one_group_out" with group = "{group}" and validation = "group" in [split]'
    if by_gate and _may_gate_out_of_fold(study):
        remedy += ', or, for the gate alone, on = "out_of_fold" in [gate] and out_of_fold = {} in [teacher]'
    return (f"split: each test part is of a {group} that is not trained on, its validation part of {group}s that are; "
            f"{chosen} look at known {group}s. {remedy}",)  # fmt: skip


def _may_gate_out_of_fold(study: Study) -> bool:
    """Return whether the study would be accepted with a gate, and a teacher, out of fold."""
    if study.teacher is None:
        return False
    teacher = study.teacher.model_copy(update={"out_of_fold": CrossFitting()})
    gate = study.gate.model_copy(update={"on": "out_of_fold"})
    return not any(teaching_problems(study.model_copy(update={"teacher": teacher, "gate": gate})))
