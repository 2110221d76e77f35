"""What keeps the parts of a split apart: order in time, gaps, units that stay together, and the final check."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cosim.datasets.types import Dataset
from cosim.splits.copies import Copies, find_copies
from cosim.splits.fold import Fold
from energy_models.errors import SplitError, unknown_name

Indices = NDArray[np.int64]


def group_labels(dataset: Dataset, name: str) -> NDArray[np.str_]:
    """Return the labels of one group; a group that does not exist is a `SplitError` with near names."""
    if name not in dataset.groups:
        raise SplitError(f"dataset {dataset.name!r} has no group {name!r}", where="split",
                         remedy=unknown_name("groups", name, dataset.groups))
    return dataset.groups[name]


def unit_labels(dataset: Dataset, together: str) -> NDArray[np.int64]:
    """Return the number of the unit each example belongs to: a group's members, or itself alone."""
    if not together:
        return np.arange(len(dataset.windows.starts), dtype=np.int64)
    return np.unique(group_labels(dataset, together), return_inverse=True)[1].astype(np.int64)


def in_time(dataset: Dataset, examples: Indices) -> Indices:
    """Return examples in order of time; those of recordings that were cut apart in the order of these."""
    return examples[np.lexsort((dataset.windows.starts[examples], dataset.windows.sources[examples]))]


def recordings_in_time(dataset: Dataset, examples: Indices) -> list[Indices]:
    """Return the examples of each recording, as the group of that name has it, in order of time.

    A name in two subjects, or in two sessions, is two recordings.
    """
    levels = [level for level in ("recording", "subject", "session") if level in dataset.groups]
    named = np.stack([dataset.groups[level][examples] for level in levels])
    labels = np.unique(named, axis=1, return_inverse=True)[1].reshape(-1)
    return [in_time(dataset, examples[labels == number]) for number in np.unique(labels)]


def join(parts: Iterable[Indices]) -> Indices:
    """Return sorted indices of all parts."""
    return np.sort(np.concatenate(list(parts)))


def block(ordered: Indices, start: float, stop: float) -> Indices:
    """Return the examples between two fractions of an ordered list."""
    count = len(ordered)
    return ordered[round(max(start, 0.0) * count) : round(stop * count)]


def outside_purge_gap(dataset: Dataset, candidates: Indices, others: Indices, gap_steps: int) -> Indices:
    """Return the candidates with at least `gap_steps` between them and every example of `others`."""
    steps = dataset.windows.steps
    sources = dataset.windows.sources
    candidates_in, others_in = sources[candidates], sources[others]
    kept = np.ones(len(candidates), dtype=np.bool_)
    for number in np.intersect1d(candidates_in, others_in):
        theirs = np.sort(dataset.windows.starts[others[others_in == number]])
        mine = np.flatnonzero(candidates_in == number)
        starts = dataset.windows.starts[candidates[mine]]
        after = np.searchsorted(theirs, starts)
        before_gap = starts - theirs[np.maximum(after - 1, 0)] - steps
        after_gap = theirs[np.minimum(after, len(theirs) - 1)] - starts - steps
        kept[mine] = ((after == 0) | (before_gap >= gap_steps)) & ((after == len(theirs)) | (after_gap >= gap_steps))
    return candidates[kept]


def refuse_touching(dataset: Dataset, units: Indices, *, where: str) -> None:
    """Raise a `SplitError` that names the first two examples of different units which overlap or touch."""
    steps, sources = dataset.windows.steps, dataset.windows.sources
    for first, second in pairwise(in_time(dataset, dataset.windows.examples).tolist()):
        between = int(dataset.windows.starts[second] - dataset.windows.starts[first]) - steps
        if sources[first] == sources[second] and between < 1 and units[first] != units[second]:
            said = f"share {-between} steps" if between < 0 else "touch"
            raise SplitError(
                f"examples {first} and {second} of recording {dataset.groups['recording'][first]} {said}, so "
                "shuffling them would leak training samples into the test part", where=where,
                remedy="Use leave_one_group_out or blocked_in_time, or keep_together a group that holds both.")


def assign_folds(dataset: Dataset, indices: Indices, units: Indices, folds: int, *, seed: int) -> NDArray[np.int64]:
    """Return a fold number for each example: units are shuffled, then assigned round-robin within their class."""
    rng = np.random.default_rng(seed)
    targets = dataset.targets
    chosen, first = np.unique(units[indices], return_index=True)
    labels = targets[indices[first]]
    fold = np.empty(len(chosen), dtype=np.int64)
    offset = 0
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        fold[members] = (np.arange(len(members)) + offset) % folds
        offset += len(members)
    return fold[np.searchsorted(chosen, units[indices])]


def stratified_part(
    dataset: Dataset, indices: Indices, fraction: float, *, seed: int, together: str = ""
) -> Indices:
    """Return about `fraction` of the examples, stratified by class, at least one unit of each class.

    Raises
    ------
    SplitError
        If the task is a regression, examples touch in time, or a class has a single unit.
    """
    if dataset.task != "classification":
        raise SplitError("a fraction of a regression's examples cannot be drawn at random", where="validation",
                         remedy="Use validation = \"group\", or blocked_in_time.")
    units = unit_labels(dataset, together)
    refuse_touching(dataset, units, where="validation")
    rng = np.random.default_rng(seed)
    chosen, first = np.unique(units[indices], return_index=True)
    labels = dataset.targets[indices[first]]
    drawn: list[Indices] = []
    for label in np.unique(labels):
        members = rng.permutation(chosen[labels == label])
        if len(members) < 2:
            raise SplitError(f"class {dataset.output_names[int(label)]} has one unit left to train and validate on",
                             where="validation", remedy="Use fewer folds or more recordings.")
        drawn.append(members[: max(1, round(fraction * len(members)))])
    return indices[np.isin(units[indices], np.concatenate(drawn))]


_WITHOUT_CLASS = {
    "train": "Use another split, or fewer folds.",
    "validation": "What is chosen there would be chosen for some classes only. Make it larger, draw it from all "
                  "training examples (validation = \"fraction\"), or use another split.",
}


def checked(
    dataset: Dataset, folds: list[Fold], *, gap_steps: int, copies: Literal["refuse", "drop"]
) -> tuple[Fold, ...]:
    """Return the folds after checking each: no empty part, no missing class, no two parts that touch or share content.

    Parameters
    ----------
    dataset : Dataset
    folds : list of Fold
    gap_steps : int
        Least number of steps between examples of two parts.
    copies : {'refuse', 'drop'}
        What is done with examples of two parts that hold the same samples (`cosim.splits.copies`): an error, or those
        of the training part are left out, and those of the validation part that the test part has too.

    Raises
    ------
    SplitError
        Naming the fold and, where parts touch or share content, two examples.
    """
    found = find_copies(dataset.windows)
    if copies == "drop":
        folds = [_without_copies(fold, found) for fold in folds]
    for fold in folds:
        parts = {"train": fold.train, "validation": fold.validation, "test": fold.test}
        for name, indices in parts.items():
            if not len(indices):
                raise SplitError(f"the {name} part is empty", where=fold.name,
                                 remedy="Use smaller fractions or gaps, or more recordings.")
        if dataset.task == "classification":
            for part in ("train", "validation"):
                seen = dataset.targets[parts[part]]
                absent = ", ".join(name for label, name in enumerate(dataset.output_names) if label not in seen)
                if absent:
                    raise SplitError(f"the {part} part has no example of class {absent}", where=fold.name,
                                     remedy=_WITHOUT_CLASS[part])
        else:
            _check_movement(dataset, fold)
        for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
            close = np.setdiff1d(parts[one], outside_purge_gap(dataset, parts[one], parts[other], gap_steps))
            if close.size:
                guilty = int(close[0])
                sources = dataset.windows.sources
                same = parts[other][sources[parts[other]] == sources[guilty]]
                near = int(same[np.argmin(np.abs(dataset.windows.starts[same] - dataset.windows.starts[guilty]))])
                raise SplitError(
                    f"example {guilty} ({one}) and example {near} ({other}) of recording "
                    f"{dataset.groups['recording'][guilty]} are closer than {gap_steps} steps", where=fold.name,
                    remedy="Leave out whole recordings, runs or sessions, or use blocked_in_time with a gap.")
            if alike := found.shared(parts[one], parts[other]):
                first, second = (_described(dataset, example) for example in alike)
                raise SplitError(
                    f"{first} ({one}) and {second} ({other}) hold the same samples", where=fold.name,
                    remedy="Leave one of the two out of the dataset, or set copies = \"drop\" in the split: training "
                           "then leaves out what is held out.")
    return tuple(folds)


def _check_movement(dataset: Dataset, fold: Fold) -> None:
    """Raise a `SplitError` where an output never changes in what is scored: R squared is undefined there."""
    for part, indices in (("validation", fold.validation), ("test", fold.test)):
        targets = dataset.masked_targets[indices].reshape(-1, len(dataset.output_names))
        known = targets[np.isfinite(targets).all(axis=1)]
        if resting := [name for name, values in zip(dataset.output_names, known.T, strict=True) if not np.ptp(values)]:
            raise SplitError(f"output {', '.join(resting)} never changes in the {part} part, so R squared is undefined",
                             where=fold.name, remedy="Leave the recording or the output out, or use larger parts.")


def _without_copies(fold: Fold, copies: Copies) -> Fold:
    validation = copies.without(fold.validation, fold.test)
    train = copies.without(copies.without(fold.train, fold.test), validation)
    return dataclasses.replace(fold, train=train, validation=validation)


def _described(dataset: Dataset, example: int) -> str:
    """Return which example it is, in the words of the file it comes from."""
    subject = f", subject {dataset.groups['subject'][example]}" if "subject" in dataset.groups else ""
    return (f"example {example} (recording {dataset.groups['recording'][example]}, step "
            f"{dataset.windows.starts[example]}{subject})")
