"""GRU and LSTM students as deployed graphs: integers against the torch reference, streams, counts, a recording."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from deployed_networks import CODES, quantised, round_scales, signals
from hypothesis import given, settings
from hypothesis import strategies as st
from integer_recurrent import table
from scipy.io import loadmat

from energy_models.errors import StudentError
from students.deploy import (
    InputCodes,
    advance,
    agreement,
    decide,
    execute,
    first_past,
    lower,
)
from students.deploy.cells import Recurrent
from students.deploy.graph import DeployedGraph
from students.kernels.recurrent_grid import sigmoid_table
from students.models.build import build
from students.models.from_float import quantised_from_float
from students.spec import Shape, StudentSpec, Training, parse_form
from students.training.examples import Examples
from students.training.fit import fit

STREAM = Shape(task="regression", channels=5, steps=40, outputs=2, step_rate_hz=20.0)
WINDOW = Shape(task="classification", channels=4, steps=48, outputs=3, step_rate_hz=64.0)
SHAPES = {"stream": STREAM, "window": WINDOW}
POWERS = InputCodes(12, signed=True, scale=np.array(2.0**-9), offset=np.array(0.25))


@pytest.mark.parametrize("form", ["w8a8", "w4a4", "w2a4 edge=4 in=6"])
@pytest.mark.parametrize("task", SHAPES)
@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_scales_of_powers_of_two_agree_on_every_integer(kind: str, task: str, form: str) -> None:
    model, spec = quantised(kind, form, SHAPES[task], {"hidden": 12})
    round_scales(model)
    graph = lower(model, spec.shape, codes=POWERS)
    found = agreement(model, graph, POWERS.codes_of(signals(spec.shape, 40, 9).numpy() * 2))
    assert (found.differing, found.changed) == (0, 0), found
    assert {one.name.rpartition(".")[2] for one in found.nodes} >= {"input", "quantise", "1"}
    assert found.output_error < 1e-6


@pytest.mark.parametrize("form", ["w8a8", "w4a4", "w2a8"])
@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_float_scales_give_the_same_integers_in_a_recurrent_layer(kind: str, form: str) -> None:
    """Multipliers are float32, which 26 bits hold, and their products with sums are exact in both (7e-4 of the
    pre-activations differed when they were float32 products)."""
    model, spec = quantised(kind, form, STREAM, {"hidden": 24})
    found = agreement(model, lower(model, spec.shape, codes=CODES), CODES.codes_of(signals(STREAM, 100, 9).numpy() * 2))
    parts = {one.name: one for one in found.nodes}
    assert parts["body.1.input.quantise"].elements == 100 * 40 * 24 * {"gru": 3, "lstm": 4}[kind]
    assert parts["body.1.input.quantise"].differing == parts["body.1"].differing == 0, found


@settings(max_examples=12, deadline=None)
@given(
    kind=st.sampled_from(["gru", "lstm"]), task=st.sampled_from(list(SHAPES)),
    widths=st.tuples(*[st.integers(2, 8)] * 4), sizes=st.tuples(*[st.integers(1, 9)] * 3, st.integers(2, 40)),
    seed=st.integers(0, 10_000),
)  # fmt: skip
def test_any_shape_width_and_seed(
    kind: str, task: str, widths: tuple[int, ...], sizes: tuple[int, ...], seed: int
) -> None:
    (weight, activation, edge, raw), (channels, outputs, hidden, steps) = widths, sizes
    shape = SHAPES[task].model_copy(update={"channels": channels, "steps": steps, "outputs": outputs})
    form = f"w{weight}a{activation} edge={edge} in={raw}"
    model, _ = quantised(kind, form, shape, {"hidden": hidden}, seed)
    given_codes = CODES.codes_of(signals(shape, 12, seed).numpy() * 2)
    found = agreement(model, lower(model, shape, codes=CODES), given_codes)
    assert found.differing <= 1e-5 * found.elements + 1, found
    for one in found.nodes:  # pre-activations and states are the reference's whatever the scales
        assert one.differing == 0 or not one.name.endswith((".1", "input.quantise")), one
    round_scales(model)
    found = agreement(model, lower(model, shape, codes=POWERS), POWERS.codes_of(signals(shape, 12, seed).numpy() * 2))
    assert found.differing == 0, found


def made(kind: str, task: str = "stream", form: str = "w4a4") -> tuple[torch.nn.Module, StudentSpec, DeployedGraph]:
    model, spec = quantised(kind, form, SHAPES[task], {"hidden": 8})
    return model, spec, lower(model, spec.shape, codes=CODES)


@pytest.mark.parametrize("family", ["gru", "lstm", "mlp"])
def test_a_stream_in_pieces_is_the_whole(family: str) -> None:
    options = {"hidden": 8, "lags": 4, "depth": 1} if family == "mlp" else {"hidden": 8}
    model, spec = quantised(family, "w4a4", STREAM, options)
    graph = lower(model, spec.shape, codes=CODES)
    codes = CODES.codes_of(signals(STREAM, 3, 1).numpy() * 2)
    past, pieces = first_past(graph, 3), []
    for start, stop in ((0, 1), (1, 2), (2, 17), (17, 40)):
        found, past = advance(graph, codes[:, :, start:stop], past)
        pieces.append(found)
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), decide(graph, codes))


def test_a_window_has_no_stream() -> None:
    _, _, graph = made("gru", "window")
    with pytest.raises(StudentError, match="no state between steps"):
        first_past(graph, 1)


def test_the_tables_are_those_of_the_reference() -> None:
    _, _, graph = made("lstm")
    node = next(one for one in graph.nodes if isinstance(one, Recurrent))
    assert node.sigmoid.tolist() == table("sigmoid").tolist()
    assert node.tanh.tolist() == table("tanh").tolist()
    assert len(sigmoid_table(torch.float32, torch.device("cpu"))) == len(node.sigmoid)


def test_a_state_or_a_sum_wider_than_stated_is_an_error() -> None:
    _, spec, graph = made("gru")
    codes = CODES.codes_of(signals(spec.shape, 8).numpy() * 3)
    place, node = next((place, one) for place, one in enumerate(graph.nodes) if isinstance(one, Recurrent))
    for wrong in (replace(node, weights=node.weights * 100), replace(node, tanh=node.tanh * 3)):
        damaged = replace(graph, nodes=(*graph.nodes[:place], wrong, *graph.nodes[place + 1 :]))
        with pytest.raises(StudentError, match=node.name):
            execute(damaged, codes)


@pytest.mark.recordings
@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_a_recording_decodes_alike(kind: str) -> None:
    """Spike counts of 95 channels in bins of 50 ms are the codes; the student is trained on them for two epochs."""
    path = Path(os.environ.get("COSIM_DATA", "")) / "m1_contdata95" / "contdata95.mat"
    if not os.environ.get("COSIM_DATA") or not path.is_file():
        pytest.skip("the folder COSIM_DATA holds no m1_contdata95")
    recording = loadmat(path)
    counts, velocity = recording["Y"][:6000].astype(np.int64), recording["X"][:6000, 2:]
    mean, deviation = counts.mean(0), counts.std(0) + 1e-3
    codes = InputCodes(8, signed=False, scale=1 / deviation, offset=-mean / deviation)
    windows = counts.reshape(60, 100, 95).swapaxes(1, 2)
    inputs = torch.from_numpy(codes.values_of(windows)).float()
    data = Examples(inputs, torch.from_numpy(velocity).float().reshape(60, 100, 2))
    shape = Shape(task="regression", channels=95, steps=100, outputs=2, step_rate_hz=20.0)
    spec = StudentSpec(family=kind, shape=shape, training=Training(epochs=2, batch_size=8, learning_rate=5e-3), seed=0)
    floating = build(spec)
    fit(floating, data, data, spec)
    wanted = spec.model_copy(update={"form": parse_form("w4a4")})
    model = quantised_from_float(wanted, floating, inputs).eval()
    found = agreement(model, lower(model, shape, codes=codes), windows)
    inside = [one for one in found.nodes if one.name in {"body.1", "body.1.input.quantise"}]
    assert [one.differing for one in inside] == [0, 0], found
    assert found.differing <= 1e-5 * found.elements, found
    deviation_of_velocity = float(velocity.std())
    assert found.output_error < 0.05 * deviation_of_velocity, found
    round_scales(model)
    exact = replace(codes, scale=np.exp2(np.round(np.log2(codes.scale))), offset=np.round(codes.offset))
    found = agreement(model, lower(model, shape, codes=exact), windows)
    assert found.differing == 0, found
