"""Work of classical decoders: counts equal to loops that count one site at a time."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from dense_dataset import dense_dataset
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cosim.baselines import run_baseline
from cosim.baselines.numerics.work import linear_products, pair_products
from cosim.baselines.types import BaselineResult
from cosim.datasets.card import Card
from cosim.datasets.types import Dataset
from cosim.splits.fold import Fold
from energy_models.errors import WorkloadError
from energy_models.workload import CONVENTIONS, Conventions, Count, LayerWork, tile_over_decodes

CARD = Card("t", "l", "c", "h", ())
SMALL = st.integers(-2, 2)


def _sites(sites: list[tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """Count (multiply-accumulate, accumulate) of (activation, weight) pairs, one at a time."""
    found = {name: [0, 0] for name in CONVENTIONS}
    for activation, weight in sites:
        simple = int(activation in (-1, 0, 1))
        found["dense_full"][simple] += 1
        found["dense_valid"][simple] += 1
        if activation != 0:
            found["effective_input"][simple] += 1
            if weight != 0:
                found["effective"][simple] += 1
    return {name: (pair[0], pair[1]) for name, pair in found.items()}


def _totals(products: Conventions) -> dict[str, tuple[int, int]]:
    kept = {name: getattr(products, name) for name in CONVENTIONS}
    return {name: (one.multiply_accumulate.total, one.accumulate.total) for name, one in kept.items()}


@given(hnp.arrays(np.int64, (2, 3, 4), elements=SMALL), hnp.arrays(np.int64, (5, 4), elements=SMALL))
def test_linear_products_equal_a_loop(activations: np.ndarray, weights: np.ndarray) -> None:
    sites = [
        (int(activations[d, c, i]), int(weights[o, i]))
        for d, c, o, i in itertools.product(range(2), range(3), range(5), range(4))
    ]
    products = linear_products(activations, weights)
    assert _totals(products) == _sites(sites)
    assert products.dense_full.total == 2 * 3 * 5 * 4
    assert products.effective.total <= products.effective_input.total <= products.dense_valid.total


@given(hnp.arrays(np.int64, (2, 3, 4), elements=SMALL), hnp.arrays(np.int64, (2, 4, 3), elements=SMALL))
def test_pair_products_equal_a_loop(left: np.ndarray, right: np.ndarray) -> None:
    wanted = np.triu(np.ones((3, 3), dtype=bool))
    sites = [
        (int(left[d, i, k]), int(right[d, k, j]))
        for d, i, j, k in itertools.product(range(2), range(3), range(3), range(4))
        if i <= j
    ]
    products = pair_products(left, right, wanted)
    assert _totals(products) == _sites(sites)
    assert products.dense_full.total == 2 * 6 * 4


def test_squares_are_kept_per_decode() -> None:
    # Two decodes of one input and one weight: events 1 and 0, so total 1 and sum of squares 1, not 1/2 each.
    products = linear_products(np.array([[[3]], [[0]]]), np.array([[2]]))
    assert products.effective_input.multiply_accumulate == Count(1, 1, 2)


def _regression(counts: np.ndarray, targets: np.ndarray, segment: int) -> tuple[Dataset, Fold]:
    """Return one recording cut into segments: the last third tests, with one segment left out before it."""
    number = len(counts) // segment
    inputs = counts[: number * segment].reshape(number, segment, -1).transpose(0, 2, 1).astype(np.float32)
    wanted = targets[: number * segment].reshape(number, segment, -1).astype(np.float32)
    data = dense_dataset("tiny", CARD, "regression", inputs, wanted, ("vx", "vy"), {"recording": np.full(number, "a")},
                         np.arange(number, dtype=np.int64) * segment, 20.0, 8)  # fmt: skip
    cut = 2 * number // 3
    return data, Fold("f", np.arange(cut - 2), np.array([cut - 2]), np.arange(cut, number))


@pytest.fixture
def spikes() -> tuple[Dataset, Fold]:
    rng = np.random.default_rng(0)
    targets = np.cumsum(rng.normal(size=(600, 2)), axis=0)
    targets -= targets.mean(axis=0)
    counts = rng.poisson(np.exp(0.05 * targets @ rng.normal(size=(2, 5))))
    return _regression(counts, targets, 10)


def _layer(result: BaselineResult, ending: str) -> LayerWork:
    return next(row for row in result.layers if row.name.endswith(ending))


def test_ridge_counts_equal_a_loop_over_the_buffer(spikes: tuple[Dataset, Fold]) -> None:
    data, fold = spikes
    lags, channels = 3, 5
    result = run_baseline("ridge_lags", data, fold, {"lags": lags})
    row = _layer(result, "readout")
    counts = data.windows.inputs(fold.test).transpose(0, 2, 1).reshape(-1, channels)
    dense = driven = single = 0
    for step in range(len(counts)):
        for lag, channel, _ in itertools.product(range(lags), range(channels), range(2)):
            held = counts[step - lag, channel] if step >= lag else 0.0
            dense += 1
            driven += held != 0
            single += held == 1
    assert result.decodes == len(counts)
    assert row.products is not None
    assert row.products.dense_full.total == dense
    assert row.products.effective_input.total == driven
    assert row.products.effective_input.accumulate.total == single
    assert (row.weights, row.biases, row.reduction) == (2 * lags * channels, 2, lags * channels)
    buffer = _layer(result, "buffer")
    assert (buffer.state_elements, buffer.state_writes) == (lags * channels, channels)


def test_kalman_counts_equal_a_loop(spikes: tuple[Dataset, Fold]) -> None:
    data, fold = spikes
    result = run_baseline("kalman", data, fold, {})
    counts = data.windows.inputs(fold.test).transpose(0, 2, 1).reshape(-1, 5)
    products = _layer(result, "innovation").products
    assert products is not None
    assert products.effective_input.total == sum(2 for row in counts for value in row if value != 0)
    assert products.dense_full.total == len(counts) * 2 * 5
    transition = _layer(result, "transition")
    assert transition.products is not None
    assert transition.products.dense_full.total == len(counts) * 2 * 2
    assert (transition.state_elements, transition.state_writes) == (2, 2)
    # A step: two biases, two sums of the parts, two means added back.
    assert _layer(result, "innovation").operations["add"].mean == 6


def _epochs(channels: int, steps: int, classes: int, examples: int = 24) -> tuple[Dataset, Fold]:
    rng = np.random.default_rng(1)
    labels = np.arange(examples) % classes
    time_s = np.arange(steps) / 64
    inputs = rng.normal(size=(examples, channels, steps))
    inputs[:, 0] += 2 * np.sin(2 * np.pi * (6 + 4 * labels[:, None]) * time_s)
    names = tuple(f"{6 + 4 * label} Hz" for label in range(classes))
    recording = np.array([f"r{n}" for n in range(examples)])
    data = dense_dataset("tiny", CARD, "classification", inputs.astype(np.float32), labels, names,
                         {"recording": recording}, np.zeros(examples, dtype=np.int64), 64.0)  # fmt: skip
    cut = examples - 6
    return data, Fold("f", np.arange(cut - 3), np.arange(cut - 3, cut), np.arange(cut, examples))


def test_csp_counts_by_hand() -> None:
    # 2 filters over 3 channels and 32 steps: 192 products; 64 squares summed, 2 logarithms, 2 products.
    data, fold = _epochs(3, 32, 2)
    result = run_baseline("csp_lda", data, fold, {"components": 2})
    products = [row.products.dense_full.mean for row in result.layers if row.products]
    assert products == [192, 64, 2]
    assert _layer(result, "logarithm").operations["lookup"].mean == 2
    assert _layer(result, "filters").operations["requantise"].mean == 64
    assert result.parameters == 2 * 3 + 2 + 1


def test_shrinkage_lda_counts_by_hand() -> None:
    # 3 channels, 33 steps in blocks of 4: 8 blocks, 3 additions and one rounding each; 24 features, 3 classes.
    data, fold = _epochs(3, 33, 3)
    result = run_baseline("shrinkage_lda", data, fold, {"block_steps": 4})
    blocks = _layer(result, "blocks").operations
    assert (blocks["add"].mean, blocks["requantise"].mean) == (3 * 8 * 3, 3 * 8)
    products = _layer(result, "discriminant").products
    assert products is not None
    assert products.dense_full.mean == 24 * 3


def test_cca_counts_by_hand() -> None:
    # 3 channels, 32 steps, 2 classes, 1 harmonic: covariance 6 sums of 32, projection 3 x 4 of 32.
    data, fold = _epochs(3, 32, 2)
    result = run_baseline("cca", data, fold, {"harmonics": 1})
    products = {row.name: row.products.dense_full.mean for row in result.layers if row.products}
    assert products == {"cca.covariance": 6 * 32, "cca.projection": 3 * 4 * 32}
    small = _layer(result, "correlation").operations
    # Roots: 3 of the factor, and 2 a rotation: 2 classes x 6 sweeps x 1 pair of a 2 x 2 matrix.
    assert small["square_root"].mean == 3 + 2 * 2 * 6
    centre = _layer(result, "centre").operations
    assert (centre["add"].mean, centre["multiply"].mean) == (3 * 31 + 3 * 32, 3)


def test_cca_logistic_counts_by_hand() -> None:
    # 3 channels, 32 steps, 2 classes x 2 harmonics: 4 correlations, each with one rotation of a 2 x 2 matrix.
    data, fold = _epochs(3, 32, 2)
    result = run_baseline("cca_logistic", data, fold, {"harmonics": 2})
    products = {row.name: row.products.dense_full.mean for row in result.layers if row.products}
    assert products == {"cca_logistic.covariance": 6 * 32, "cca_logistic.projection": 3 * 8 * 32,
                        "cca_logistic.regression": 4}  # fmt: skip
    assert _layer(result, "correlation").operations["square_root"].mean == 3 + 4 * 2
    assert result.parameters == 8 * 32 + 4 + 1


def test_lock_in_counts_by_hand() -> None:
    # 3 channels, 32 steps, 2 classes x 2 harmonics: 8 references, whitened: 3 roots and 24 squares, 4 energies.
    data, fold = _epochs(3, 32, 2)
    result = run_baseline("lock_in", data, fold, {"harmonics": 2})
    products = {row.name: row.products.dense_full.mean for row in result.layers if row.products}
    assert products == {"lock_in.covariance": 6 * 32, "lock_in.references": 3 * 8 * 32, "lock_in.regression": 4}
    energies = _layer(result, "energies")
    assert (energies.operations["square_root"].mean, energies.outputs) == (3, 4)
    whitening = run_baseline("cca_logistic", data, fold, {"harmonics": 2})
    assert energies.operations["multiply"].mean < _layer(whitening, "correlation").operations["multiply"].mean
    assert result.parameters == 8 * 32 + 4 + 1


def test_tangent_space_counts_by_hand() -> None:
    # 3 channels, 32 steps: 6 sums of 32; S W of 3 x 3 x 3 products; of W (S W) six elements; 6 features.
    data, fold = _epochs(3, 32, 2)
    result = run_baseline("tangent_space", data, fold, {"sweeps": 2})
    products = [row.products.dense_full.mean for row in result.layers if row.products]
    assert products == [6 * 32, 27, 6 * 3, 6]
    logarithm = _layer(result, "logarithm").operations
    # 2 sweeps of 3 rotations, each with one other row and 3 elements of two vectors: 5 + 4 (1 + 3) products.
    assert logarithm["multiply"].mean == 6 * 21 + 9 + 6 * 3
    assert (logarithm["lookup"].mean, logarithm["square_root"].mean) == (3, 12)
    assert result.parameters == 9 + 6 + 1


def test_fbcsp_counts_by_hand() -> None:
    # 2 filters over 3 channels and 32 steps: 192 products; 2 sections of 5 products; 64 squares; 2 features.
    data, fold = _epochs(3, 32, 2)
    result = run_baseline("fbcsp", data, fold, {"bands_hz": "8-12", "components": 2, "features": 1})
    products = [row.products.dense_full.mean for row in result.layers if row.products]
    assert products == [192, 64, 2]
    bands = _layer(result, "bands")
    found = {kind: count.mean for kind, count in bands.operations.items()}
    assert found == {"multiply": 5 * 2 * 64, "add": 4 * 2 * 64, "requantise": 2 * 2 * 64}
    # Two samples of the input and of both sections' outputs, each of two components.
    assert (bands.state_elements, bands.state_reads, bands.state_writes) == (12, 4 * 2 * 64, 3 * 64)
    assert result.parameters == 6 + 10 + 2 + 1


def test_filter_bank_svm_counts_by_hand() -> None:
    # 2 bands of 2 channels and 64 steps: 4 features from 4 sums of 64 squares.
    data, fold = _epochs(2, 64, 3)
    result = run_baseline("filter_bank_svm", data, fold, {"bands_hz": "4-8,8-12", "softness": 1, "width": 1})
    vectors = _layer(result, "inner").output_shape[0]
    products = {row.name.partition(".")[2]: row.products.dense_full.mean for row in result.layers if row.products}
    assert products == {"power": 4 * 64, "inner": 4 * vectors, "norm": 4, "vote": 2 * vectors}
    assert _layer(result, "bands").operations["multiply"].mean == 5 * 2 * 4 * 64
    assert _layer(result, "logarithm").operations["lookup"].mean == 4
    assert _layer(result, "kernel").operations["lookup"].mean == vectors
    assert {row.arithmetic for row in result.layers} == {"integer"}


def test_svm_counts_by_hand() -> None:
    data, fold = _epochs(2, 64, 3)
    result = run_baseline("bandpower_svm", data, fold, {"bands_hz": "4-8,8-12,12-20", "segment_steps": 32})
    features, inner, vote = 6, _layer(result, "inner"), _layer(result, "vote")
    vectors = inner.output_shape[0]
    assert 3 <= vectors <= 18
    assert inner.products is not None
    assert inner.products.dense_full.mean == vectors * features
    assert vote.products is not None
    assert vote.products.dense_full.mean == vectors * 2  # each vector in the two pairs its class is in
    assert _layer(result, "kernel").operations["lookup"].mean == vectors
    # Four bins of 2 Hz in the widest band; 3 segments of 32 steps in 64 with half overlap, two channels.
    used = 2 + 2 + 4
    transform = 4 * (8 * 4 + 8)
    spectrum = _layer(result, "spectrum").operations
    assert spectrum["multiply"].mean == 2 * 3 * (1 + 32 + transform + 2 * used)


def test_pipeline_is_part_of_the_workload() -> None:
    data, fold = _epochs(3, 32, 2)
    row = LayerWork(name="pipeline.band", kind="filter", arithmetic="integer", calls=32, input_shape=(3,),
                    output_shape=(3,), inputs=96, outputs=96, operations={"multiply": Count.constant(480, 1)},
                    cadence="sample")  # fmt: skip
    filtered = dataclasses.replace(data, pipeline_work=(row,))
    workload = run_baseline("csp_lda", filtered, fold, {"components": 2}).workload(filtered)
    assert (workload.decodes, workload.mode, workload.steps_per_decode) == (6, "window", 32)
    assert workload.layers[0].operations["multiply"] == Count.constant(480, 6)
    assert workload.layers[0].cadence == "sample"
    assert workload.complete
    with pytest.raises(WorkloadError, match="neither 2 nor one"):
        tile_over_decodes(workload.layers[0], 2)


def test_majority_does_nothing(spikes: tuple[Dataset, Fold]) -> None:
    result = run_baseline("majority", *spikes, {})
    assert result.layers == ()
    assert result.workload(spikes[0]).weight_bits_total == 0
