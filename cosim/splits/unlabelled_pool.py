"""Unlabelled windows cut from continuous recordings: between trials, at rest, of others; never of the test part."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from cosim.datasets.types import Dataset
from cosim.datasets.windows import Windows
from cosim.splits.fold import Fold
from energy_models.errors import SplitError

Indices = NDArray[np.int64]


class UnlabelledPool(BaseModel):
    """Which windows a fold's unlabelled training examples have beside those whose labels are withheld.

    Parameters
    ----------
    stride_s : float
        Time between the beginnings of two windows [s]; they are as long as the dataset's examples.
    recordings : {'training', 'all_but_test'}
        Recordings with training examples, or also those that the fold leaves out, such as other subjects'. A recording
        with test examples is cut only where it has training examples too, and there only what lies nearest to these.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    stride_s: float = Field(gt=0)
    recordings: Literal["training", "all_but_test"] = "training"

    def describe(self) -> str:
        """Return the protocol in words."""
        others = " and of recordings left out" if self.recordings == "all_but_test" else ""
        return f"unlabelled windows every {self.stride_s:g} s of training recordings{others}, away from held-out ones"


def pool_windows(dataset: Dataset, fold: Fold, plan: UnlabelledPool) -> Indices:
    """Return recording and first step of every window of a fold's pool, shape (windows, 2).

    Windows keep at least one step away from validation and test examples.

    Raises
    ------
    SplitError
        If there is none.
    """
    windows = dataset.windows
    stride = max(1, round(plan.stride_s * dataset.step_rate_hz))
    found: list[Indices] = []
    for number, source in enumerate(_source_numbers(windows)):
        one = windows.recordings[number]
        if len(one.channels) < len(windows.channels):
            continue  # an input without one of the channels is no input
        starts = one.first_step + np.arange(0, one.steps - windows.steps + 1, stride, dtype=np.int64)
        kept = starts[_allowed(dataset, fold, source, starts, plan)]
        found.append(np.stack([np.full(len(kept), number, dtype=np.int64), kept], axis=1))
    pool = np.concatenate(found) if found else np.zeros((0, 2), dtype=np.int64)
    if not len(pool):
        raise SplitError("no window of the training recordings keeps away from held-out examples", where="unlabelled",
                         remedy="Use recordings that are longer than their trials, a smaller stride_s, or leave "
                                "[unlabelled] out.")
    return pool


def _source_numbers(windows: Windows) -> list[int]:
    """Return the number that `Windows.sources` gives each recording."""
    numbers: dict[str, int] = {}
    return [numbers.setdefault(one.source, len(numbers)) for one in windows.recordings]


def _allowed(dataset: Dataset, fold: Fold, source: int, starts: Indices, plan: UnlabelledPool) -> NDArray[np.bool_]:
    """Return which windows of one recording a fold may use."""
    windows = dataset.windows
    parts = {"train": fold.all_training, "validation": fold.validation, "test": fold.test}
    inside = {name: np.sort(windows.starts[rows[windows.sources[rows] == source]]) for name, rows in parts.items()}
    if not len(inside["train"]):
        usable = plan.recordings == "all_but_test" and not len(inside["test"]) and not len(inside["validation"])
        return np.full(len(starts), usable)
    mine = _nearest(starts, inside["train"])
    held = np.minimum(_nearest(starts, inside["validation"]), _nearest(starts, inside["test"]))
    return (held > windows.steps) & (mine <= held)


def _nearest(starts: Indices, others: Indices) -> NDArray[np.float64]:
    """Return the distance of each start to the nearest of others [steps]; infinite where there are none."""
    if not len(others):
        return np.full(len(starts), np.inf)
    after = np.searchsorted(others, starts)
    before = np.abs(starts - others[np.maximum(after - 1, 0)])
    return np.minimum(before, np.abs(others[np.minimum(after, len(others) - 1)] - starts)).astype(np.float64)


def with_pool(dataset: Dataset, fold: Fold) -> tuple[Dataset, Fold]:
    """Return the dataset with a fold's pool behind its examples, and the fold with these as unlabelled ones.

    Their targets are zeros, which nothing may read.
    """
    if not len(fold.pool):
        return dataset, fold
    windows, (numbers, starts) = dataset.windows, fold.pool.T
    recording = np.concatenate([windows.recording, numbers])
    longer = dataclasses.replace(windows, recording=recording, starts=np.concatenate([windows.starts, starts]))
    groups = {
        name: np.concatenate([labels, np.asarray([_label(dataset, int(one), name) for one in numbers], dtype=np.str_)])
        for name, labels in dataset.groups.items()
    }
    values = np.concatenate([dataset.target_values, np.zeros((len(starts), *dataset.target_values.shape[1:]),
                                                             dtype=dataset.target_values.dtype)])  # fmt: skip
    mask = dataset.target_mask
    if mask is not None:
        mask = np.concatenate([mask, np.zeros((len(starts), mask.shape[1]), dtype=np.bool_)])
    extended = dataclasses.replace(dataset, windows=longer, groups=groups, target_values=values, target_mask=mask)
    added = len(windows) + np.arange(len(starts), dtype=np.int64)
    unlabelled = np.concatenate([fold.unlabelled, added])
    return extended, dataclasses.replace(fold, unlabelled=unlabelled, pool=fold.pool[:0])


def _label(dataset: Dataset, recording: int, group: str) -> str:
    one = dataset.windows.recordings[recording]
    return one.name if group == "recording" else str(one.groups.get(group, ""))
