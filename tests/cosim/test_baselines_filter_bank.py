"""Filter bank in integers, mutual information, and the integer kernel machine, held against float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import signal
from sklearn.svm import SVC

from cosim.baselines.fbcsp import Patterns, mutual_information
from cosim.baselines.fixed_kernel import fixed_kernel_machine
from cosim.baselines.kernel_machine import fit
from cosim.baselines.numerics.filter_bank import banded, filtered, fixed_band, sections
from cosim.baselines.numerics.log_power import LOG_STEP
from energy_models.errors import DataError


def _signals(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=3000, size=(6, 2, 400)).round().astype(np.int64)


@pytest.mark.parametrize("band", [(4.0, 8.0), (8.0, 13.0), (13.0, 30.0), (30.0, 39.0)])
def test_integer_sections_follow_the_float_filter(band: tuple[float, float]) -> None:
    signals = _signals()
    cascade = sections(band, 80.0, where="x")
    assert cascade == pytest.approx(signal.butter(2, band, btype="bandpass", fs=80.0, output="sos"))
    exact = filtered(cascade, signals.astype(float))
    fixed = fixed_band(cascade, signals)
    found = fixed.run(signals)
    assert np.abs(found).max() <= 32767
    # The step of a signal's last output is a power of two: the one that fits best.
    step = 2.0 ** np.round(np.log2(exact.std(axis=(0, 2)) / found.std(axis=(0, 2))))[:, None]
    error = found * step - exact
    assert (error**2).mean() < 1e-5 * (exact**2).mean()


def test_integer_section_by_hand() -> None:
    """One section, b = (1/2, 0, 0) and a = (-1/2, 0): the impulse 16384 gives halves of halves."""
    cascade = np.array([[0.5, 0.0, 0.0, 1.0, -0.5, 0.0]])
    impulse = np.zeros((1, 1, 5), dtype=np.int64)
    impulse[0, 0, 0] = 16384
    fixed = fixed_band(cascade, impulse)
    assert fixed.forward.tolist() == [[16384, 0, 0]]
    assert fixed.backward.tolist() == [[-8192, 0]]
    scale = 8192 / fixed.run(impulse)[0, 0, 0]
    assert (fixed.run(impulse)[0, 0] * scale).tolist() == [8192, 4096, 2048, 1024, 512]


def test_operations_equal_a_loop() -> None:
    fixed = fixed_band(sections((8.0, 13.0), 80.0, where="x"), _signals())
    visits = sum(1 for _ in range(len(fixed.forward)) for _ in range(3) for _ in range(50))
    assert fixed.operations(3, 50) == {"multiply": 5 * visits, "add": 4 * visits, "requantise": 2 * visits}
    assert (fixed.coefficients, fixed.kept_words(3)) == (10, 2 * 3 * 3)


def test_every_signal_goes_behind_its_own_band() -> None:
    signals = _signals().transpose(0, 2, 1)
    low, high = (fixed_band(sections(band, 80.0, where="x"), _signals()[:, :1]) for band in ((4.0, 8.0), (20.0, 30.0)))
    found = banded([(low, 1), (high, 1)], signals)
    assert np.array_equal(found[:, :, 0], low.run(signals[:, :, :1].transpose(0, 2, 1))[:, 0])
    assert np.array_equal(found[:, :, 1], high.run(signals[:, :, 1:].transpose(0, 2, 1))[:, 0])


def test_a_band_above_half_the_rate_is_refused() -> None:
    with pytest.raises(DataError, match="does not end under half"):
        sections((36.0, 40.0), 80.0, where="x")


def test_mutual_information_of_a_telling_and_an_idle_feature() -> None:
    labels = np.arange(40) % 2
    assert mutual_information(100.0 * labels + np.arange(40) / 40, labels, 2) == pytest.approx(1.0, abs=1e-6)
    assert mutual_information(np.arange(40) // 2 * 1.0, labels, 2) == pytest.approx(0.0, abs=1e-9)


def test_mutual_information_by_hand() -> None:
    """Four examples, two a class at 0 and 1, and 1 and 2: three places, by the definition with a loop."""
    feature, labels = np.array([0.0, 1.0, 1.0, 2.0]), np.array([0, 0, 1, 1])
    width = 0.5 * (4 / 6) ** 0.2

    def density(x: float, own: list[float]) -> float:
        return sum(math.exp(-0.5 * ((x - y) / width) ** 2) for y in own) / (len(own) * width)

    total = 0.0
    for x in feature:
        both = [0.5 * density(x, [0.0, 1.0]), 0.5 * density(x, [1.0, 2.0])]
        total += sum(one / sum(both) * math.log2(one / sum(both)) for one in both) / 4
    assert mutual_information(feature, labels, 2) == pytest.approx(1 + total)


def test_chosen_features_bring_the_other_end_of_their_pair() -> None:
    information = np.array([[0.1, 0.9, 0.2, 0.0], [0.8, 0.3, 0.1, 0.1]])
    found = Patterns((), np.zeros((2, 4, 3)), information)
    assert found.chosen(1) == ((0, 1), (0, 2))
    assert found.chosen(2) == ((0, 1), (0, 2), (1, 0), (1, 3))


@pytest.mark.parametrize("classes", [2, 3])
def test_integer_kernel_machine_keeps_the_decisions(classes: int) -> None:
    rng = np.random.default_rng(3)
    labels = np.arange(90) % classes
    integers = np.rint((rng.normal(size=(90, 4)) + 1.5 * labels[:, None]) / LOG_STEP).astype(np.int64)
    features = (integers * LOG_STEP).astype(np.float32)
    machine = fit(features, labels, classes, softness=3.0, width=1.0, where="x")
    found = fixed_kernel_machine(machine).decide(integers)
    exact = SVC(C=3.0, gamma=0.25).fit((features - features.mean(axis=0)) / features.std(axis=0), labels)
    standard = (features - features.mean(axis=0)) / features.std(axis=0)
    expected = exact.decision_function(standard)
    assert (found.logits[:, 1] if classes == 2 else found.logits) == pytest.approx(expected, abs=0.02)
    assert np.abs(found.kernels).max() <= 32767
    assert (found.logits.argmax(axis=1) == exact.predict(standard)).mean() > 0.98
