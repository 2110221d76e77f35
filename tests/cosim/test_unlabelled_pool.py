"""Unlabelled windows of continuous recordings: whole, near no held-out example, and behind the dataset's own."""

from __future__ import annotations

import numpy as np
import pytest

from cosim.datasets.assemble import CuedRecording, Origin, epoched
from cosim.datasets.card import Card
from cosim.datasets.recordings import Channel, array_recording
from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold
from cosim.splits.schemes import BlockedInTime, LeaveOneGroupOut
from cosim.splits.unlabelled_pool import UnlabelledPool, pool_windows, with_pool
from energy_models.errors import SplitError

RATE_HZ, STEPS = 10.0, 10


def recordings(people: int = 3, steps: int = 400) -> Dataset:
    """Return trials of 1 s every 4 s of recordings whose samples are their own step numbers."""
    card = Card("t", "none", "none", "", ())
    cued = []
    for person in range(people):
        samples = np.arange(steps, dtype=np.float32) + 1000 * person
        channels = tuple(Channel(name, "eeg", "µV") for name in ("a", "b"))
        one = array_recording(f"r{person}", np.stack([samples, -samples]), channels, RATE_HZ,
                              groups={"subject": f"s{person}"})  # fmt: skip
        cues = np.arange(20, steps - 40, 40, dtype=np.int64)
        cued.append(CuedRecording(one, cues, np.arange(len(cues), dtype=np.int64) % 2))
    return epoched(Origin("t", card, ("x", "y"), 12), cued, (), start_s=0.0, stop_s=1.0)


def test_windows_between_trials_are_cut_and_none_of_a_recording_that_is_held_out():
    """A recording of 400 steps has 40 windows of 10 at a stride of 1 s; validation is another whole recording."""
    dataset = recordings()
    fold = LeaveOneGroupOut(group="subject").folds(dataset, seed=0)[0]
    pool = pool_windows(dataset, fold, UnlabelledPool(stride_s=1.0))
    (train,) = set(dataset.windows.recording[fold.train])
    assert set(pool[:, 0]) == {train}
    assert pool[:, 1].tolist() == list(range(0, 400, 10))[: len(pool)]
    assert len(pool) == 40
    extended, longer = with_pool(dataset, Fold(fold.name, fold.train, fold.validation, fold.test, pool=pool))
    assert longer.unlabelled.tolist() == list(range(len(dataset.windows), len(dataset.windows) + 40))
    inputs = extended.windows.inputs(longer.unlabelled)
    assert inputs.shape == (40, 2, STEPS)
    assert inputs[:, 0, 0].tolist() == (pool[:, 1] + 1000 * train).tolist()
    assert set(extended.groups["subject"][longer.unlabelled]) == {f"s{train}"}
    assert np.array_equal(extended.windows.inputs(fold.test), dataset.windows.inputs(fold.test))


def test_within_a_recording_windows_keep_away_from_held_out_examples():
    dataset = recordings(people=1, steps=1600)
    fold = BlockedInTime(test_fraction=0.3, validation_fraction=0.2).folds(dataset, seed=0)[0]
    pool = pool_windows(dataset, fold, UnlabelledPool(stride_s=0.5))
    held = np.concatenate([fold.validation, fold.test])
    distance = np.abs(pool[:, 1][:, None] - dataset.windows.starts[held][None]).min(axis=1)
    assert distance.min() > STEPS
    nearest = np.abs(pool[:, 1][:, None] - dataset.windows.starts[None]).argmin(axis=1)
    assert set(nearest) <= set(fold.train)
    assert np.unique(np.diff(pool[:, 1])).tolist() == [5]


def test_recordings_that_the_fold_leaves_out_may_be_cut_too():
    dataset = recordings(people=4)
    train, validation, test = (np.flatnonzero(dataset.windows.recording == one) for one in (0, 1, 2))
    fold = Fold("f", train, validation, test)
    own, more = (pool_windows(dataset, fold, UnlabelledPool(stride_s=1.0, recordings=which))
                 for which in ("training", "all_but_test"))  # fmt: skip
    assert set(own[:, 0]) == {0}
    assert set(more[:, 0]) == {0, 3}


def test_no_window_at_all_is_told():
    dataset = recordings(people=1)
    middle = np.arange(len(dataset.windows))
    fold = Fold("f", middle[1:2], middle[2:3], np.delete(middle, [1, 2]))
    with pytest.raises(SplitError, match="no window of the training recordings"):
        pool_windows(dataset, fold, UnlabelledPool(stride_s=40.0))
