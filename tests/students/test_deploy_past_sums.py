"""Sums of past bins in integers: the layer against the node, by hand, streams, C, and codes that have no zero."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from deployed_networks import CODES, quantised, signals
from hypothesis import given, settings
from hypothesis import strategies as st
from test_deploy_c import check, compiled, vectors

from energy_models.errors import StudentError
from students.counting import observe
from students.deploy import InputCodes, advance, agreement, decide, first_past, lower, state_counts, static_counts
from students.deploy.c_code import export_c
from students.deploy.delay_lines import PastSums
from students.deploy.ranges import Range
from students.layers import PastSums as PastSumsLayer
from students.spec import Shape

STREAM = Shape(task="regression", channels=5, steps=60, outputs=2, step_rate_hz=20.0)
COUNTS = InputCodes(6, signed=False, scale=np.array(1.0), offset=np.array(0.0))
SIZES = [(1, 2), (2, 3), (3, 1), (4, 2), (7, 7), (50, 1)]


def test_sums_of_two_bins_by_hand() -> None:
    """Bins 1, 2, 3, 4: the newest two of each step are 1, 3, 5, 7, the two before them 0, 0, 1, 3."""
    node = PastSums("sums", "input", Range((2, 4), 0, 30), 2, 2, 3)
    assert node.run(np.array([[[1, 2, 3, 4]]])).tolist() == [[[0, 0, 1, 3], [1, 3, 5, 7]]]


@settings(max_examples=40, deadline=None)
@given(
    width=st.integers(1, 9), blocks=st.integers(1, 5), sizes=st.tuples(*[st.integers(1, 4)] * 2),
    steps=st.integers(1, 40), seed=st.integers(0, 10_000),
)  # fmt: skip
def test_the_node_is_the_layer(width: int, blocks: int, sizes: tuple[int, int], steps: int, seed: int) -> None:
    codes = np.random.default_rng(seed).integers(-100, 100, (*sizes, steps))
    layer = PastSumsLayer(width, blocks)
    node = PastSums("s", "x", Range((sizes[1] * blocks, steps), -900, 900), width, blocks, layer.words)
    wanted = layer(torch.from_numpy(codes).double()).flatten(1, 2).numpy()
    np.testing.assert_array_equal(node.run(codes), wanted)


@pytest.mark.parametrize(("bins", "lags"), SIZES)
@pytest.mark.parametrize("form", ["w8a8", "w2a4 edge=4 in=6"])
def test_a_perceptron_of_sums_agrees_counts_as_observed_and_streams(bins: int, lags: int, form: str) -> None:
    model, spec = quantised("mlp", form, STREAM, {"hidden": 8, "bins": bins, "lags": lags})
    graph = lower(model, STREAM, codes=CODES)
    codes = CODES.codes_of(signals(STREAM, 12, 9).numpy() * 2)
    found = agreement(model, graph, codes)
    assert found.differing <= 1e-5 * found.elements + 1, found
    assert found.largest <= 1
    assert any(isinstance(node, PastSums) for node in graph.nodes) == (bins > 1)
    work = observe(
        model, signals(STREAM, 2), name="mlp", mode="stream", step_rate_hz=20.0, input_bits=CODES.bits
    )
    layers = {one.name: one for one in work.layers}
    for one in static_counts(graph):
        products = layers[one.name].products
        assert products is not None
        assert one.dense_full == products.dense_full.mean
        assert one.activation_bits == layers[one.name].activation_bits
    kept = [(one.state_elements, one.state_bits) for one in work.layers if one.state_elements and one.products is None]
    assert [(one.elements, one.bits) for one in state_counts(graph)] == kept
    past, pieces = first_past(graph, 12), []
    for start, stop in ((0, 1), (1, 2), (2, 17), (17, 60)):
        part, past = advance(graph, codes[:, :, start:stop], past)
        pieces.append(part)
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), decide(graph, codes))
    assert spec.family == "mlp"


def test_counts_of_spikes_agree_on_every_integer() -> None:
    """Whole numbers: the student's sums are exact, and only the grid behind them rounds."""
    model, _ = quantised("mlp", "w4a4", STREAM, {"hidden": 8, "bins": 7, "lags": 7})
    graph = lower(model, STREAM, codes=COUNTS)
    spikes = np.random.default_rng(0).poisson(1.0, (20, 5, 60)).clip(0, 63)
    assert agreement(model, graph, spikes).differing == 0


def test_a_zero_code_that_is_not_0_is_counted_from() -> None:
    model, _ = quantised("mlp", "w4a4", STREAM, {"hidden": 8, "bins": 5, "lags": 2})
    codes = InputCodes(8, signed=False, scale=np.full(5, 2.0**-5), offset=np.array([-4.0, -3.0, 0.0, -1.0, -2.0]))
    graph = lower(model, STREAM, codes=codes)
    found = agreement(model, graph, codes.codes_of(signals(STREAM, 12, 9).numpy()))
    assert found.differing <= 1e-5 * found.elements + 1, found
    with pytest.raises(StudentError, match="no code stands for 0"):
        lower(model, STREAM, codes=InputCodes(8, signed=False, scale=np.full(5, 0.03), offset=np.full(5, -4.0)))


@compiled
@pytest.mark.parametrize(("bins", "lags"), SIZES)
def test_sums_are_bit_exact_in_c(tmp_path: Path, bins: int, lags: int) -> None:
    model, _ = quantised("mlp", "w4a4", STREAM, {"hidden": 6, "bins": bins, "lags": lags})
    codes = InputCodes(12, signed=False, scale=np.full(5, 2.0**-8), offset=np.full(5, -6.0))
    graph = lower(model, STREAM, codes=codes)
    export = export_c(graph, tmp_path, vectors=vectors(graph, STREAM, 4))
    assert export.entry == "step"
    check(export, "decoder")
