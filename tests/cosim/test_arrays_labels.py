"""Labels a user gives with arrays of their own are the groups that splits and intervals see, in every task."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import LeaveOneGroupOut as SklearnLeaveOneGroupOut

from cosim.datasets.contiguous_segments import contiguous_segments
from cosim.datasets.registry import load
from cosim.datasets.types import Dataset
from cosim.evaluation.predictions import resampling_units
from cosim.splits.schemes import BlockedInTime, GivenParts, LeaveOneGroupOut, StratifiedFolds
from cosim.tables.held_out import provenance_of
from energy_models.errors import DataError, SplitError

DAYS, RUNS, BINS = 4, 3, 60
MOTION = {"task": "regression", "rate_hz": 20.0, "source_bits": 8, "output_names": "x,y", "segment_steps": 20}
TRIALS = {"task": "classification", "rate_hz": 100.0, "source_bits": 16, "output_names": "a,b"}


def days() -> dict[str, np.ndarray]:
    """Each day has a tuning of its own, so that a decoder that saw the day is better than one that did not."""
    rng = np.random.default_rng(0)
    motion = rng.standard_normal((DAYS * RUNS * BINS, 2))
    day, run = np.arange(len(motion)) // (RUNS * BINS), np.arange(len(motion)) // BINS
    tuning = rng.standard_normal((DAYS, 2, 6))
    inputs = np.einsum("bo,bou->bu", motion, tuning[day]) + 0.3 * rng.standard_normal((len(motion), 6))
    return {"inputs": inputs, "targets": motion, "recording": np.array([f"day{n}" for n in day]),
            "run": np.array([f"run{n}" for n in run])}  # fmt: skip


def kept(folder: Path, options: dict[str, object], **content: np.ndarray) -> Dataset:
    np.savez(folder / "own.npz", **content)
    return load("arrays", data_dir=folder, options={**options, "path": "own.npz"})


def joined(dataset: Dataset, examples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    inputs = dataset.windows.inputs(examples)
    rows = inputs.transpose(0, 2, 1).reshape(-1, inputs.shape[1])
    return rows.astype(float), dataset.targets[examples].reshape(-1, 2)


def test_leaving_out_the_users_recordings_scores_as_scikit_learn_does(tmp_path: Path) -> None:
    content = days()
    dataset = kept(tmp_path, MOTION, **content)
    folds = LeaveOneGroupOut(group="recording").folds(dataset, seed=0)
    assert [fold.name for fold in folds] == [f"recording day{n}" for n in range(DAYS)]
    found = np.zeros_like(dataset.targets)
    for fold in folds:
        model = Ridge(1.0).fit(*joined(dataset, np.concatenate([fold.train, fold.validation])))
        found[fold.test] = model.predict(joined(dataset, fold.test)[0]).reshape(len(fold.test), -1, 2)
    wanted = np.zeros_like(content["targets"])
    for train, test in SklearnLeaveOneGroupOut().split(content["inputs"], groups=content["recording"]):
        wanted[test] = Ridge(1.0).fit(content["inputs"][train], content["targets"][train]).predict(
            content["inputs"][test]
        )
    score = r2_score(content["targets"], wanted)
    assert score < 0  # a decoder that knows the day is far above
    assert r2_score(dataset.targets.reshape(-1, 2), found.reshape(-1, 2)) == pytest.approx(score, abs=1e-4)


def test_runs_of_one_recording_are_never_joined(tmp_path: Path) -> None:
    dataset = kept(tmp_path, MOTION, **days())
    assert set(dataset.groups["recording"]) == {f"day{n}" for n in range(DAYS)}
    segments = contiguous_segments(dataset, dataset.windows.examples)
    assert [len(one) for one in segments] == [BINS // 20] * (DAYS * RUNS)
    first = dataset.windows.sources[segments[0]]
    assert len(np.unique(first)) == 1
    assert LeaveOneGroupOut(group="run").folds(dataset, seed=0)[0].name == "run run0"  # runs of a day do not touch


def test_blocks_in_time_are_those_of_the_users_recording(tmp_path: Path) -> None:
    # 9 examples a day, three a run: test is the last third, the day's third run
    dataset = kept(tmp_path, MOTION, **days())
    fold = BlockedInTime(test_fraction=1 / 3, validation_fraction=0.5).folds(dataset, seed=0)[0]
    assert set(dataset.groups["run"][fold.test]) == {"run2", "run5", "run8", "run11"}


def test_intervals_follow_recordings_that_hold_whole_runs(tmp_path: Path) -> None:
    dataset = kept(tmp_path, MOTION, **days())
    units = resampling_units(provenance_of(dataset, BlockedInTime()), dataset.windows.examples)
    assert (units.name, units.count) == ("recordings", DAYS)


def test_further_labels_are_groups_where_they_are_named(tmp_path: Path) -> None:
    content = days()
    content["animal"] = np.repeat([7, 8], DAYS * RUNS * BINS // 2)
    content["clock"] = np.arange(len(content["run"]))  # not named: no label
    dataset = kept(tmp_path, {**MOTION, "labels": "animal"}, **content)
    assert set(dataset.groups) == {"recording", "run", "animal"}
    assert {fold.name for fold in LeaveOneGroupOut(group="run", within="animal").folds(dataset, seed=0)} >= {
        "animal 7, run run0", "animal 8, run run6",
    }  # fmt: skip
    with pytest.raises(DataError, match=r"no array 'animals'.*Did you mean 'animal'"):
        kept(tmp_path, {**MOTION, "labels": "animals"}, **content)
    content["animal"] = np.linspace(0, 1, len(content["run"]))
    with pytest.raises(DataError, match=r"array 'animal' of float64 and shape \(720,\) holds no labels"):
        kept(tmp_path, {**MOTION, "labels": "animal"}, **content)


def trials(**more: np.ndarray) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {"inputs": rng.standard_normal((24, 3, 20)), "targets": np.arange(24) % 2, **more}


def test_recordings_of_separate_trials_are_a_group(tmp_path: Path) -> None:
    owner = np.repeat(["r0", "r1", "r2", "r3"], 6)
    dataset = kept(tmp_path, TRIALS, **trials(recording=owner))
    assert dataset.notes == ("no array 'starts' was given: examples of one recording are taken not to overlap",)
    assert len(LeaveOneGroupOut(group="recording").folds(dataset, seed=0)) == 4
    assert len(StratifiedFolds(folds=3).folds(dataset, seed=0)) == 3


def test_overlap_is_told_by_starts_within_the_users_recording(tmp_path: Path) -> None:
    owner, run = np.repeat(["r0", "r1", "r2", "r3"], 6), np.tile(np.repeat(["a", "b"], 3), 4)
    starts = np.tile(np.arange(6) * 10, 4)
    dataset = kept(tmp_path, TRIALS, **trials(recording=owner, starts=starts, run=run))
    with pytest.raises(SplitError, match="examples 0 and 1 of recording r0 share 10 steps"):
        StratifiedFolds(folds=3).folds(dataset, seed=0)
    with pytest.raises(SplitError, match="examples 0 and 1 of recording r0 touch"):
        LeaveOneGroupOut(group="run", validation="fraction").folds(
            kept(tmp_path, TRIALS, **trials(recording=owner, starts=starts * 2, run=run)), seed=0
        )
    assert len(LeaveOneGroupOut(group="recording").folds(dataset, seed=0)) == 4


@pytest.mark.parametrize(("starts", "said"), [
    (np.arange(24) // 2, r"examples 0 and 1 are one window, step 0 of recording r, under two labels"),
    (np.arange(24) - 1, "starts are not whole numbers from 0"),
    (np.arange(24) * 0.5, "starts are not whole numbers from 0"),
])  # fmt: skip
def test_starts_that_say_no_window_are_refused(tmp_path: Path, starts: np.ndarray, said: str) -> None:
    with pytest.raises(DataError, match=said):
        kept(tmp_path, TRIALS, **trials(recording=np.full(24, "r"), starts=starts))


def test_published_parts_of_the_users_recordings(tmp_path: Path) -> None:
    content = days()
    part = np.where(np.char.endswith(content["recording"], "3"), "test", "train")
    dataset = kept(tmp_path, MOTION, **content, part=part)
    fold = GivenParts().folds(dataset, seed=0)[0]
    assert set(dataset.groups["recording"][fold.test]) == {"day3"}


def test_one_recording_number_in_two_subjects_is_two_recordings(tmp_path: Path) -> None:
    content = days()
    subject = np.repeat(["A", "B"], DAYS * RUNS * BINS // 2)
    content["recording"] = np.tile(np.repeat(["1", "2"], RUNS * BINS), 2)
    dataset = kept(tmp_path, MOTION, subject=subject, **content)
    test = BlockedInTime(test_fraction=1 / 3, validation_fraction=0.5).folds(dataset, seed=0)[0].test
    assert set(dataset.groups["run"][test]) == {"run2", "run5", "run8", "run11"}  # the last third of all four
    starts = np.tile(np.arange(12) * 20, 2)
    parted = trials(recording=np.full(24, "1"), subject=np.repeat(["A", "B"], 12), starts=starts)
    parted["targets"][12:] = 1 - parted["targets"][12:]  # B's windows have the other class at A's steps
    cut = kept(tmp_path, TRIALS, **parted)
    assert len(np.unique(cut.windows.sources)) == 2


@pytest.mark.parametrize(("again", "recordings"), [(True, 2), (False, 1)])
def test_sessions_that_count_steps_from_zero_are_recordings_of_their_own(
    tmp_path: Path, again: bool, recordings: int
) -> None:
    starts = np.tile(np.arange(12) * 20, 2) if again else np.arange(24) * 20
    content = trials(recording=np.full(24, "1"), session=np.repeat(["x", "y"], 12), starts=starts)
    dataset = kept(tmp_path, TRIALS, **content)
    assert len(np.unique(dataset.windows.sources)) == recordings


def test_intervals_are_over_what_the_user_holds_out(tmp_path: Path) -> None:
    content = trials(day=np.repeat(["mo", "tu", "we", "th"], 6))
    dataset = kept(tmp_path, {**TRIALS, "labels": "day"}, **content)
    split = LeaveOneGroupOut(group="day", validation="fraction")
    units = resampling_units(provenance_of(dataset, split), dataset.windows.examples)
    assert (units.name, units.count) == ("days", 4)
    other = resampling_units(provenance_of(dataset, StratifiedFolds()), dataset.windows.examples)
    assert other.name == "trials"  # a label that nothing is held out by may be a condition of the trials
    more = trials(day=content["day"], subject=np.repeat(["A", "B"], 12))
    both = kept(tmp_path, {**TRIALS, "labels": "day"}, **more)
    assert resampling_units(provenance_of(both, split), both.windows.examples).name == "subjects"
