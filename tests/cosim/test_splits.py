"""Splits: parts never share or touch a sample, groups are never shared, leaks are refused by name."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from dense_dataset import dense_dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from cosim.datasets.card import Card
from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold
from cosim.splits.schemes import BlockedInTime, GivenParts, LeaveOneGroupOut, SplitSpec, StratifiedFolds
from energy_models.errors import SplitError

CARD = Card("t", "none", "none", "", ())
STEPS = 10


def trials(*, subjects: int = 2, sessions: int = 3, each: int = 12, spacing: int = 15, classes: int = 2) -> Dataset:
    """Trials of one recording per session, `spacing` steps from start to start."""
    count = subjects * sessions * each
    number = np.arange(count)
    subject, session = number // (sessions * each), number // each
    return dense_dataset(
        "trials", CARD, "classification", np.zeros((count, 2, STEPS), np.float32), (number % classes).astype(np.int64),
        tuple(f"c{index}" for index in range(classes)),
        {"recording": np.array([f"r{n}" for n in session]), "subject": np.array([f"s{n}" for n in subject]),
         "session": np.array([f"session{n}" for n in session])},
        (number % each) * spacing, 100.0,
    )  # fmt: skip


def continuous(*, segments: int = 60, parts: tuple[str, ...] = ()) -> Dataset:
    """Consecutive segments of one recording, or of one recording for each part."""
    recordings = parts or ("all",)
    total = segments * len(recordings)
    owner = np.repeat(np.array(recordings), segments)
    groups = {"recording": owner, **({"part": owner} if parts else {})}
    moving = np.zeros((total, STEPS, 2), np.float32) + np.arange(STEPS, dtype=np.float32)[:, None]
    return dense_dataset("continuous", CARD, "regression", np.zeros((total, 2, STEPS), np.float32),
                         moving, ("vx", "vy"), groups,
                         np.tile(np.arange(segments) * STEPS, len(recordings)), 20.0, 8)  # fmt: skip


def least_distance(dataset: Dataset, one: np.ndarray, other: np.ndarray) -> float:
    """Steps between the two closest examples of two parts, brute force; infinite where no recording is shared."""
    recordings, starts = dataset.groups["recording"], dataset.windows.starts
    same = recordings[one][:, None] == recordings[other][None]
    distance = np.abs(starts[one][:, None] - starts[other][None]) - dataset.windows.steps
    return float(np.where(same, distance, np.inf).min())


def assert_apart(dataset: Dataset, fold: Fold, gap_steps: int = 1) -> None:
    parts = (fold.train, fold.validation, fold.test)
    assert all(len(part) for part in parts)
    joined = np.concatenate(parts)
    assert len(np.unique(joined)) == len(joined)
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert least_distance(dataset, parts[first], parts[second]) >= gap_steps


@settings(max_examples=40, deadline=None)
@given(
    subjects=st.integers(2, 4), sessions=st.integers(3, 4), seed=st.integers(0, 50),
    group=st.sampled_from([("session", ""), ("session", "subject"), ("subject", "")]),
    validation=st.sampled_from(["group", "fraction"]),
)  # fmt: skip
def test_leave_one_group_out_never_shares_a_group(
    subjects: int, sessions: int, seed: int, group: tuple[str, str], validation: str
) -> None:
    dataset = trials(subjects=subjects, sessions=sessions)
    split = LeaveOneGroupOut(group=group[0], within=group[1], validation=validation)
    if group[0] == "subject" and subjects == 2 and validation == "group":
        with pytest.raises(SplitError, match="2 groups"):
            split.folds(dataset, seed=seed)
        return
    folds = split.folds(dataset, seed=seed)
    labels = dataset.groups[group[0]]
    assert sorted(labels[np.concatenate([fold.test for fold in folds])]) == sorted(labels)  # each tested once
    for fold in folds:
        assert_apart(dataset, fold)
        assert not set(labels[fold.test]) & set(labels[np.r_[fold.train, fold.validation]])
        if validation == "group":
            assert len(set(labels[fold.validation])) == 1
            assert not set(labels[fold.validation]) & set(labels[fold.train])
        if group[1]:
            outer = dataset.groups[group[1]]
            assert len(set(outer[np.r_[fold.train, fold.validation, fold.test]])) == 1


def test_the_seed_moves_the_validation_group_only() -> None:
    dataset = trials()
    split = LeaveOneGroupOut(group="session")
    first, second = split.folds(dataset, seed=0)[0], split.folds(dataset, seed=1)[0]
    np.testing.assert_array_equal(first.test, second.test)
    assert set(first.validation) != set(second.validation)
    assert {tuple(split.folds(dataset, seed=s)[0].validation) for s in range(5)} == {
        tuple(np.flatnonzero(dataset.groups["session"] == f"session{n}")) for n in range(1, 6)
    }


@settings(max_examples=60, deadline=None)
@given(
    segments=st.integers(30, 80), test=st.floats(0.1, 0.3), validation=st.floats(0.1, 0.4),
    gap=st.integers(1, 25), folds=st.integers(1, 3),
)  # fmt: skip
def test_blocked_in_time_keeps_the_gap(segments: int, test: float, validation: float, gap: int, folds: int) -> None:
    dataset = continuous(segments=segments)
    made = BlockedInTime(test_fraction=test, validation_fraction=validation, gap_steps=gap, folds=folds)
    result = made.folds(dataset, seed=0)
    assert len(result) == folds
    for fold in result:
        assert_apart(dataset, fold, gap)
        for part in (fold.train, fold.validation, fold.test):
            assert (np.diff(dataset.windows.starts[part]) > 0).all()  # in time order
    assert result[0].test[-1] == segments - 1
    assert result[0].train.max() < result[0].validation.min() < result[0].test.min()
    if folds > 1:
        assert not set(result[0].test) & set(result[1].test)


def test_blocked_in_time_by_hand() -> None:
    # 60 segments: test is 48..59; the gap of 1 step takes 47; 15 % of 47 is 7: validation 40..46; the gap takes 39
    fold = BlockedInTime().folds(continuous(), seed=0)[0]
    np.testing.assert_array_equal(fold.test, np.arange(48, 60))
    np.testing.assert_array_equal(fold.validation, np.arange(40, 47))
    np.testing.assert_array_equal(fold.train, np.arange(39))


def test_blocks_that_exceed_the_recording() -> None:
    with pytest.raises(SplitError, match="6 test blocks of 20% exceed"):
        BlockedInTime(folds=6).folds(continuous(), seed=0)
    assert len(BlockedInTime(folds=5).folds(continuous(), seed=0)) == 5


def test_a_gap_longer_than_the_recording_leaves_nothing() -> None:
    with pytest.raises(SplitError, match="part is empty"):
        BlockedInTime(gap_steps=1000).folds(continuous(), seed=0)


def test_given_parts() -> None:
    dataset = continuous(parts=("train", "test"))
    fold = GivenParts(gap_steps=20).folds(dataset, seed=0)[0]
    assert_apart(dataset, fold, 20)
    assert set(dataset.groups["part"][fold.test]) == {"test"}
    assert set(dataset.groups["part"][np.r_[fold.train, fold.validation]]) == {"train"}
    assert len(fold.test) == 60
    with pytest.raises(SplitError, match="Did you mean 'train'"):
        GivenParts(train="trian").folds(dataset, seed=0)
    with pytest.raises(SplitError, match="no group 'part'"):
        GivenParts().folds(continuous(), seed=0)


@settings(max_examples=30, deadline=None)
@given(folds=st.integers(2, 6), seed=st.integers(0, 30), classes=st.integers(2, 4))
def test_stratified_folds_keep_class_shares(folds: int, seed: int, classes: int) -> None:
    dataset = trials(each=24, classes=classes)
    made = StratifiedFolds(folds=folds).folds(dataset, seed=seed)
    assert sorted(np.concatenate([fold.test for fold in made])) == list(range(len(dataset.targets)))
    for fold in made:
        assert_apart(dataset, fold)
        for part in (fold.test, fold.validation):
            counts = np.bincount(dataset.targets[part], minlength=classes)
            assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize(("spacing", "said"), [(5, "share 5 steps"), (10, "touch")])
def test_a_shuffled_split_of_overlapping_windows_is_refused_by_name(spacing: int, said: str) -> None:
    with pytest.raises(SplitError, match=f"examples 0 and 1 of recording r0 {said}"):
        StratifiedFolds().folds(trials(spacing=spacing), seed=0)
    with pytest.raises(SplitError, match=f"examples 0 and 1 of recording r0 {said}"):
        LeaveOneGroupOut(group="session", validation="fraction").folds(trials(spacing=spacing), seed=0)


def test_overlapping_windows_may_be_kept_together_or_left_out_by_group() -> None:
    dataset = trials(spacing=5, classes=1, subjects=4)
    for fold in StratifiedFolds(keep_together="recording", folds=3).folds(dataset, seed=0):
        assert_apart(dataset, fold)
    for fold in LeaveOneGroupOut(group="session").folds(dataset, seed=0):
        assert_apart(dataset, fold)


def test_groups_that_cut_through_a_recording_are_caught() -> None:
    dataset = trials(spacing=5)
    halves = np.array([f"h{n % 3}" for n in range(len(dataset.windows.starts))])
    leaking = dataclasses.replace(dataset, groups={**dataset.groups, "half": halves})
    with pytest.raises(SplitError, match=r"example \d+ \(train\) and example \d+ \(validation\).*closer than 1 step"):
        LeaveOneGroupOut(group="half").folds(leaking, seed=0)


def test_a_regression_is_never_shuffled() -> None:
    with pytest.raises(SplitError, match="regression"):
        StratifiedFolds().folds(continuous(), seed=0)
    dataset = continuous(parts=("a", "b", "c"))
    with pytest.raises(SplitError, match="regression"):
        LeaveOneGroupOut(group="part", validation="fraction").folds(dataset, seed=0)
    assert len(LeaveOneGroupOut(group="part").folds(dataset, seed=0)) == 3


def test_a_training_part_without_a_class_is_refused() -> None:
    dataset = trials(subjects=1, sessions=3)
    labels = (dataset.groups["session"] == "session0").astype(np.int64)
    lopsided = dataclasses.replace(dataset, target_values=labels)
    with pytest.raises(SplitError, match="no example of class c1"):
        LeaveOneGroupOut(group="session").folds(lopsided, seed=0)


def test_unknown_group_names_near_ones() -> None:
    with pytest.raises(SplitError, match="Did you mean 'session'"):
        LeaveOneGroupOut(group="sesion").folds(trials(), seed=0)


def test_specs_are_a_tagged_union_that_survives_json() -> None:
    adapter: TypeAdapter[SplitSpec] = TypeAdapter(SplitSpec)
    for spec in (LeaveOneGroupOut(group="run", within="subject"), BlockedInTime(folds=3), GivenParts(),
                 StratifiedFolds(folds=10, keep_together="segment")):  # fmt: skip
        assert adapter.validate_json(adapter.dump_json(spec)) == spec
        assert spec.describe()
    assert adapter.validate_python({"method": "blocked_in_time", "folds": 4}) == BlockedInTime(folds=4)
    with pytest.raises(ValidationError, match="shuffled"):
        adapter.validate_python({"method": "shuffled"})
    with pytest.raises(ValidationError, match="gap_steps"):
        adapter.validate_python({"method": "blocked_in_time", "gap_steps": 0})


def test_protocols_say_what_was_done() -> None:
    assert LeaveOneGroupOut(group="run").describe() == (
        "leave one run out; validation: one training run chosen by seed"
    )
    assert "within each subject" in LeaveOneGroupOut(group="session", within="subject").describe()
    assert "gap of 20 steps" in BlockedInTime(gap_steps=20).describe()
    together = StratifiedFolds(folds=10, keep_together="segment").describe()
    assert "10 stratified folds of shuffled whole segments" in together


@pytest.mark.parametrize(("rows", "part"), [(slice(48, 60), "test"), (slice(38, 48), "validation")])
def test_an_output_that_rests_in_what_is_scored_is_named(rows: slice, part: str) -> None:
    moving = continuous()
    assert len(BlockedInTime().folds(moving, seed=0)) == 1
    resting = moving.target_values.copy()
    resting[rows, :, 1] = 3.0
    with pytest.raises(SplitError, match=f"^block 1 from the end: output vy never changes in the {part} part"):
        BlockedInTime().folds(dataclasses.replace(moving, target_values=resting), seed=0)
