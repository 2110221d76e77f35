"""Labels that are withheld: how many stay, which, and what becomes of the other examples."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from cosim.baselines.registry import baseline_names, load_baseline, run_baseline
from cosim.datasets.registry import load
from cosim.datasets.types import Dataset
from cosim.splits.few_labels import FewLabels, withhold
from cosim.splits.fold import Fold
from cosim.splits.schemes import BlockedInTime, LeaveOneGroupOut
from energy_models.errors import DataError, SplitError


def trials() -> tuple[Dataset, Fold]:
    options = {"channels": 4, "sessions": 3, "runs": 1, "trials": 12, "rate_hz": 64.0, "trial_s": 1.0}
    dataset = load("synthetic_eeg", data_dir=None, options=options)
    return dataset, LeaveOneGroupOut(group="session", validation="fraction").folds(dataset, seed=0)[0]


def stream() -> tuple[Dataset, Fold]:
    dataset = load("synthetic_spikes", data_dir=None, options={"units": 4, "steps": 2000})
    return dataset, BlockedInTime().folds(dataset, seed=0)[0]


@pytest.mark.parametrize("seed", range(4))
def test_as_many_labels_of_each_class_stay_and_the_other_examples_are_unlabelled(seed):
    dataset, fold = trials()
    few = withhold(dataset, fold, FewLabels(per_class=2), seed=seed)
    for part in (few.train, few.validation):
        assert np.bincount(dataset.targets[part]).tolist() == [2, 2]
    assert set(few.train) <= set(fold.train)
    assert set(few.validation) <= set(fold.validation)
    together = np.concatenate([few.train, few.validation, few.unlabelled])
    assert sorted(together) == sorted(np.concatenate([fold.train, fold.validation]))
    assert np.array_equal(few.test, fold.test)
    assert not set(few.unlabelled) & set(few.test)


def test_all_of_validation_may_stay_and_the_seed_decides_which_labels():
    dataset, fold = trials()
    few = withhold(dataset, fold, FewLabels(per_class=2, validation="all"), seed=1)
    assert np.array_equal(few.validation, fold.validation)
    assert sorted(np.concatenate([few.train, few.unlabelled])) == sorted(fold.train)
    again, other = (withhold(dataset, fold, FewLabels(per_class=2), seed=seed) for seed in (1, 2))
    assert np.array_equal(few.train, again.train)
    assert not np.array_equal(few.train, other.train)


def test_labels_of_a_stream_are_one_stretch():
    """2.4 examples long is three examples, which follow each other."""
    dataset, fold = stream()
    each_s = dataset.windows.steps / dataset.step_rate_hz
    few = withhold(dataset, fold, FewLabels(seconds=2.4 * each_s), seed=3)
    for part in (few.train, few.validation):
        assert len(part) == 3
        assert np.diff(dataset.windows.starts[part]).tolist() == [dataset.windows.steps] * 2
    assert len(few.all_training) + len(few.validation) == len(fold.train) + len(fold.validation)


def test_windows_of_a_class_that_touch_are_labelled_side_by_side():
    """A recording cut into windows without gaps, the class changing half way: labelled ones are neighbours."""
    dataset, fold = trials()
    windows = dataset.windows
    assert windows.steps == 64
    closed = dataset.__class__(**{
        **{name: getattr(dataset, name) for name in dataset.__slots__},
        "windows": windows.__class__(windows.recordings, windows.recording, _packed(dataset), windows.steps),
        "target_values": np.asarray(_packed(dataset) >= 64 * 6, dtype=np.int64),
    })  # fmt: skip
    few = withhold(closed, fold, FewLabels(per_class=2, validation="all"), seed=0)
    for label in (0, 1):
        mine = few.train[closed.targets[few.train] == label]
        gaps = np.diff(np.searchsorted(np.sort(fold.train[closed.targets[fold.train] == label]), mine))
        assert gaps.tolist() == [1]


def _packed(dataset: Dataset) -> np.ndarray:
    """Return starts that follow each other within each recording."""
    starts = np.zeros(len(dataset.windows), dtype=np.int64)
    for source in np.unique(dataset.windows.recording):
        mine = np.flatnonzero(dataset.windows.recording == source)
        starts[mine] = 64 * np.arange(len(mine))
    return starts


def test_examples_without_labels_are_repeated_labelled_ones_for_who_learns_from_labels():
    fold = Fold("f", np.array([3, 5]), np.array([7]), np.array([9]), np.array([1, 2, 4]))
    assert fold.repeated_train.tolist() == [3, 5, 3, 5, 3]
    assert fold.all_training.tolist() == [3, 5, 1, 2, 4]


def test_classical_decoders_learn_from_one_label_a_class_or_say_that_they_cannot():
    dataset, fold = trials()
    few = withhold(dataset, fold, FewLabels(per_class=1), seed=0)
    said: dict[str, str] = {}
    for name in baseline_names():
        options = {"frequencies_hz": "8,12", "harmonics": 1} if name.startswith(("cca", "lock_in")) else {}
        if "classification" in load_baseline(name).tasks:
            try:
                assert np.isfinite(run_baseline(name, dataset, few, options).outputs_test).all()
            except DataError as error:
                said[name] = str(error)
    assert {"cca", "tangent_space", "majority"}.isdisjoint(said)
    assert "show no spread within a class" in said["csp_lda"]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "give one of"),
        ({"per_class": 2, "seconds": 1.0}, "give one of"),
        ({"per_class": 0}, "greater than or equal to 1"),
    ],
)
def test_plans_that_make_no_sense_are_refused(settings, says):
    with pytest.raises(ValidationError, match=says):
        FewLabels(**settings)


def test_more_labels_than_there_are_and_the_other_tasks_plan_are_refused():
    dataset, fold = trials()
    with pytest.raises(SplitError, match="900 labels are asked for"):
        withhold(dataset, fold, FewLabels(per_class=900), seed=0)
    with pytest.raises(SplitError, match=r"'seconds' is given.*Give 'per_class'"):
        withhold(dataset, fold, FewLabels(seconds=1.0), seed=0)
    dataset, fold = stream()
    with pytest.raises(SplitError, match=r"'per_class' is given.*Give 'seconds'"):
        withhold(dataset, fold, FewLabels(per_class=1), seed=0)
    with pytest.raises(SplitError, match=r"1e\+09 s of labels are asked for"):
        withhold(dataset, fold, FewLabels(seconds=1e9), seed=0)
