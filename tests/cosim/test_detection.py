"""Detection metrics, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from held_out_tables import answers, provenance
from sklearn.metrics import roc_auc_score

from cosim.evaluation.detection import detection
from cosim.evaluation.predictions import Predictions
from energy_models.errors import DataError

# 36 windows of one second, one after the other, in an hour's hundredth: two events, of windows 10 to 14 and 20 to 24.
TARGETS = [0] * 10 + [1] * 5 + [0] * 5 + [1] * 5 + [0] * 11
STREAM = provenance(TARGETS, {"recording": ["a"] * 36}, starts=[10 * n for n in range(36)])


def _alarms(*windows: int) -> Predictions:
    return answers([int(n in windows) for n in range(36)])


def test_detection_by_hand() -> None:
    # Alarms: one window too early (2), a run that begins before the first event and ends in it (9 to 12), 22, 30 to 31.
    found = detection(STREAM, _alarms(2, 9, 10, 11, 12, 22, 30, 31), positive=1)
    assert (found.events, found.events_found) == (2, 2)
    assert found.sensitivity == pytest.approx(4 / 10)
    assert found.specificity == pytest.approx(22 / 26)
    # False: 2, and 30 to 31. 26 s without event are 26 / 3600 h.
    assert found.false_alarms_per_hour == pytest.approx(2 / (26 / 3600))
    # First event: alarm in its first window, known at its end, 1 s; second: in its third, 3 s. Median 2 s.
    assert found.latency_s == pytest.approx(2.0)


def test_an_event_that_is_missed_has_no_latency() -> None:
    found = detection(STREAM, _alarms(), positive=1)
    assert (found.events, found.events_found, found.latency_s, found.false_alarms_per_hour) == (2, 0, None, 0.0)
    assert "no event whose begin is known was found" in found.reasons["latency_s"]


def test_shared_steps_count_once_in_the_quiet_time() -> None:
    # Eleven windows of 10 steps, begun every 5: 60 steps at 10 Hz, 6 s. One false alarm.
    given = provenance([0] * 11 + [1], {"recording": ["a"] * 11 + ["b"]}, starts=[5 * n for n in range(11)] + [0])
    found = detection(given, answers([0, 1] + [0] * 10), positive=1)
    assert found.false_alarms_per_hour == pytest.approx(1 / (6 / 3600))


def test_separate_windows_have_no_begin_of_an_event() -> None:
    found = detection(provenance([0, 1, 0, 1]), answers([0, 1, 1, 1]), positive=1)
    assert found.latency_s is None
    assert "its begin is unknown" in found.reasons["latency_s"]
    assert (found.sensitivity, found.specificity) == (1.0, 0.5)


def test_auroc_is_the_mean_over_folds() -> None:
    rng = np.random.default_rng(0)
    targets = np.array([0, 1] * 20)
    logits = rng.normal(size=(40, 2))
    logits[:20] += 100.0 * np.array([0.0, 1.0])  # another network's scale: pooled, the folds would not compare
    folds = np.repeat(["a", "b"], 20)
    found = detection(provenance(targets), Predictions(np.arange(40), logits, folds), positive=1)
    margin = logits[:, 1] - logits[:, 0]
    each = [roc_auc_score(targets[folds == name], margin[folds == name]) for name in "ab"]
    assert found.auroc == pytest.approx(np.mean(each))


def test_what_cannot_be_given_has_a_reason() -> None:
    # A fold without event: no area. A constant decoder: area one half.
    targets = [0, 0, 0, 1]
    split = detection(provenance(targets), answers([0, 0, 1, 1], folds=["a", "a", "b", "b"]), positive=1)
    assert split.auroc is None
    assert "fold a" in split.reasons["auroc"]
    assert detection(provenance(targets), answers([0] * 4), positive=1).auroc == 0.5
    alone = detection(provenance([1, 1]), answers([1, 0]), positive=1)
    assert alone.specificity is None
    assert alone.false_alarms_per_hour is None
    assert {"specificity", "false_alarms_per_hour", "auroc"} <= set(alone.reasons)
    with pytest.raises(DataError, match="class 2"):
        detection(provenance(targets), answers([0] * 4), positive=2)


def test_an_event_that_a_recording_starts_in_has_no_known_begin() -> None:
    # Two recordings: one starts within an event, in the other an event begins after 2 s and is found at once.
    given = provenance([1, 1, 0, 0, 0, 1, 1], {"recording": ["a"] * 3 + ["b"] * 4}, starts=[0, 10, 20, 0, 10, 20, 30])
    found = detection(given, answers([0, 1, 0, 0, 0, 1, 1]), positive=1)
    assert (found.events, found.events_found, found.latency_s) == (2, 2, 1.0)
    first = provenance([1, 1, 0], {"recording": ["a"] * 3}, starts=[0, 10, 20])
    alone = detection(first, answers([1, 1, 0]), positive=1)
    assert alone.latency_s is None
