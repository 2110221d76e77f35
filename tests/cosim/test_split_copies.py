"""Examples of two parts that hold the same samples are found by content, whatever they are called."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from dense_dataset import dense_dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.datasets.card import Card
from cosim.datasets.recordings import Channel, Recordings, array_recording
from cosim.datasets.registry import load
from cosim.datasets.types import Dataset
from cosim.datasets.windows import Windows
from cosim.splits.copies import find_copies
from cosim.splits.schemes import BlockedInTime, GivenParts, LeaveOneGroupOut, StratifiedFolds
from energy_models.errors import SplitError

CARD = Card("t", "none", "none", "", ())
STEPS = 40


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def trials(inputs: np.ndarray) -> Dataset:
    """Separate trials of four subjects, in turn of two classes."""
    subject = np.array([f"s{n * 4 // len(inputs)}" for n in range(len(inputs))])
    groups = {"recording": np.array([f"trial{n}" for n in range(len(inputs))]), "subject": subject}
    return dense_dataset("trials", CARD, "classification", inputs, np.arange(len(inputs)) % 2, ("x", "y"), groups,
                         np.zeros(len(inputs)), 100.0)  # fmt: skip


def stream(*recordings: np.ndarray, steps: int = STEPS) -> Dataset:
    """Segments of recordings of shape (steps, channels), each a part; targets are noise."""
    channels = tuple(Channel(f"c{n}") for n in range(recordings[0].shape[1]))
    made = Recordings(tuple(array_recording(f"r{n}", one.T, channels, 20.0) for n, one in enumerate(recordings)))
    counts = [len(one) // steps for one in recordings]
    owner = np.repeat(np.arange(len(recordings)), counts)
    starts = np.concatenate([np.arange(count) * steps for count in counts])
    return Dataset(
        name="stream", card=CARD, task="regression", windows=Windows(made, owner, starts, steps),
        target_values=noise(len(owner), steps, 1, seed=9), output_names=("v",), source_rate_hz=20.0, source_bits=8,
        groups={"recording": np.array([f"r{n}" for n in owner]), "part": np.array([f"r{n}" for n in owner])},
        pipeline=(),
    )  # fmt: skip


PARTS = GivenParts(train="r0", test="r1")


def test_trials_that_are_listed_twice_are_refused_by_name(tmp_path: Path) -> None:
    inputs, targets = noise(30, 3, 25), np.arange(30) % 2
    np.savez(tmp_path / "own.npz", inputs=np.concatenate([inputs, inputs]), targets=np.concatenate([targets, targets]))
    options = {"path": "own.npz", "task": "classification", "rate_hz": 100.0, "source_bits": 16, "output_names": "a,b"}
    dataset = load("arrays", data_dir=tmp_path, options=options)
    said = r"fold 1: example \d+ \(recording example\d+, step 0\) \(train\) and example \d+ .* hold the same samples"
    with pytest.raises(SplitError, match=said):
        StratifiedFolds(folds=3).folds(dataset, seed=0)


def test_a_session_filed_under_two_subjects_is_refused_by_name() -> None:
    inputs = noise(40, 2, STEPS)
    inputs[33] = inputs[4]
    said = (r"example 33 \(recording trial33, step 0, subject s3\) \(train\) and "
            r"example 4 \(recording trial4, step 0, subject s0\) \(test\) hold the same samples")  # fmt: skip
    with pytest.raises(SplitError, match=said):
        LeaveOneGroupOut(group="subject", validation="fraction").folds(trials(inputs), seed=3)
    within = trials(np.concatenate([inputs[:10], inputs[10:20]]))
    assert len(LeaveOneGroupOut(group="subject").folds(within, seed=0)) == 4


def test_copies_may_be_dropped_from_what_is_trained_on() -> None:
    inputs = noise(40, 2, STEPS)
    inputs[33], inputs[25] = inputs[4], inputs[14]
    dataset = trials(inputs)
    split = LeaveOneGroupOut(group="subject", copies="drop")
    assert split.describe().endswith("; copies of held-out examples left out of training")
    folds = split.folds(dataset, seed=0)
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(40))
    for fold in folds:
        for one, other in ((4, 33), (33, 4), (14, 25), (25, 14)):
            assert not (one in fold.test and other in np.r_[fold.train, fold.validation])
            assert not (one in fold.validation and other in fold.train)
        assert len(fold.train) + len(fold.validation) + len(fold.test) in (38, 39)


@pytest.mark.parametrize("value", [0.0, 3.5])
def test_two_constant_trials_are_copies(value: float) -> None:
    inputs = noise(40, 2, STEPS)
    inputs[[3, 30]] = value
    assert sorted(set(find_copies(trials(inputs).windows).examples)) == [3, 30]
    assert not len(find_copies(trials(np.full((40, 2, STEPS), value, np.float32)).windows).examples)  # says nothing


def test_a_trial_in_another_unit_or_polarity_is_a_copy() -> None:
    inputs = noise(40, 4, STEPS)
    inputs[20] = (inputs[7].astype(np.float64) * 1e6 / 3).astype(np.float32)
    assert sorted(find_copies(trials(inputs).windows).examples) == [7, 20]
    inputs[20] = -inputs[7]  # the two inputs of the amplifier changed places
    assert sorted(find_copies(trials(inputs).windows).examples) == [7, 20]
    inputs[20] = np.arange(4)[:, None] - 2 * inputs[7]  # and each channel has an offset of its own
    assert sorted(find_copies(trials(inputs).windows).examples) == [7, 20]
    inputs[20] = inputs[7] * np.array([1, 1, 1, -1])[:, None]
    assert not len(find_copies(trials(inputs).windows).examples)
    inputs[20] = inputs[7] + 1e-3 * noise(4, STEPS, seed=1)
    assert not len(find_copies(trials(inputs).windows).examples)


@settings(max_examples=30, deadline=None)
@given(shift=st.integers(0, 3 * STEPS), length=st.integers(2 * STEPS, 3 * STEPS), seed=st.integers(0, 99))
def test_a_copied_stretch_is_found_at_any_offset(shift: int, length: int, seed: int) -> None:
    one, other = noise(400, 3, seed=seed), noise(400, 3, seed=seed + 100)
    other[shift : shift + length] = one[210 : 210 + length]
    with pytest.raises(SplitError, match=r"\(recording r0, step \d+\).* and .*\(recording r1, step \d+\) \(test\)"):
        PARTS.folds(stream(one, other), seed=0)
    other[shift : shift + length] = noise(length, 3, seed=seed + 200)
    assert len(PARTS.folds(stream(one, other), seed=0)) == 1


def test_one_recording_that_repeats_itself_is_refused() -> None:
    half = noise(400, 2)
    with pytest.raises(SplitError, match="hold the same samples"):
        BlockedInTime().folds(stream(np.concatenate([half, half])), seed=0)


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.5, 2.0])
@pytest.mark.parametrize("steps", [2, 5, 20])
def test_counts_that_coincide_by_chance_are_no_copies(rate: float, steps: int) -> None:
    rng = np.random.default_rng(5)
    counts = [rng.poisson(rate, (2000, 3)).astype(np.float32) for _ in range(2)]
    assert len(PARTS.folds(stream(*counts, steps=steps), seed=0)) == 1


def test_counts_of_a_copied_recording_are_copies() -> None:
    rng = np.random.default_rng(6)
    counts = rng.poisson(0.5, (600, 20)).astype(np.float32)
    with pytest.raises(SplitError, match="hold the same samples"):
        PARTS.folds(stream(counts, np.concatenate([counts[7:], counts[:7]]), steps=20), seed=0)


def test_overlapping_windows_of_one_recording_are_no_copies_of_each_other() -> None:
    recording = Recordings((array_recording("r", noise(2, 1000), (Channel("a"), Channel("b")), 100.0),))
    windows = Windows(recording, np.zeros(97, np.int64), np.arange(97) * 10, STEPS)
    assert not len(find_copies(windows).examples)


def test_short_examples_and_lost_channels_are_compared_as_far_as_they_exist() -> None:
    values = noise(2, 100)
    channels = (Channel("a"), Channel("b"))
    recordings = [array_recording(name, values, channels, 100.0) for name in "rs"]
    recordings.append(array_recording("t", values[:1], channels[:1], 100.0))
    windows = Windows(Recordings(tuple(recordings)), np.array([0, 1, 2]), np.array([80, 80, 80]), STEPS)
    assert sorted(set(find_copies(windows).examples)) == [0, 1]


def test_where_a_recording_was_cut_makes_no_difference() -> None:
    values = noise(2, 200)
    channels = (Channel("a"), Channel("b"))
    whole = array_recording("whole", values, channels, 100.0)
    piece = array_recording("piece", values[:, 100:], channels, 100.0, first_step=100)
    windows = Windows(Recordings((whole, piece)), np.array([0, 1, 0]), np.array([100, 100, 0]), STEPS)
    assert sorted(set(find_copies(windows).examples)) == [0, 1]
    changed = dataclasses.replace(windows, starts=np.array([100, 160, 0]))
    assert not len(find_copies(changed).examples)
