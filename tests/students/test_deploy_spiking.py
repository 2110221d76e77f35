"""Spiking students as deployed graphs: every integer and spike against the torch reference, streams, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from deployed_networks import CODES, norms_of_powers_of_two, quantised, round_scales, signals
from hypothesis import given, settings
from hypothesis import strategies as st

from energy_models.errors import StudentError
from students.deploy import InputCodes, advance, agreement, decide, execute, first_past, lower
from students.deploy.cells import Neurons, run_neurons
from students.deploy.ranges import Range
from students.spec import Shape

STREAM = Shape(task="regression", channels=5, steps=40, outputs=2, step_rate_hz=20.0)
WINDOW = Shape(task="classification", channels=4, steps=48, outputs=3, step_rate_hz=64.0)
STUDENTS: dict[str, tuple[str, Shape, dict[str, Any]]] = {
    "stream": ("spiking_mlp", STREAM, {"hidden_1": 8, "hidden_2": 6}),
    "binary": ("spiking_mlp", STREAM, {"hidden_1": 8, "hidden_2": 6, "code": "binary"}),
    "window": ("spiking_mlp", WINDOW, {"hidden_1": 8, "hidden_2": 6}),
    "conv": ("spiking_conv", WINDOW, {"mixtures": 6, "hidden": 5}),
    "delays": ("spiking_delay", STREAM, {"hidden_1": 8, "hidden_2": 6, "lags": 4, "lags_hidden": 2, "most": 5}),
    "learned delays": ("spiking_delay", STREAM, {"hidden_1": 8, "hidden_2": 6, "lags": 6, "delays": "learned"}),
    "delta": ("spiking_mlp", STREAM, {"hidden_1": 8, "hidden_2": 6, "code": "delta"}),
    "levels": ("spiking_mlp", WINDOW, {"hidden_1": 8, "hidden_2": 6, "code": "level_crossing"}),
    "rate": ("spiking_mlp", STREAM, {"hidden_1": 8, "hidden_2": 6, "code": "rate"}),
    "random rate": ("spiking_mlp", WINDOW, {"hidden_1": 8, "hidden_2": 6, "code": "random_rate"}),
    "envelopes": ("spiking_mlp", STREAM, {"hidden_1": 8, "hidden_2": 6, "code": "envelopes"}),
    "lock-in": ("spiking_mlp", WINDOW, {"hidden_1": 8, "hidden_2": 6, "code": "lock_in 5,7.3/0.2"}),
    "learned": ("plif_conv", WINDOW, {}),
    "eegnet": ("spiking_eegnet", WINDOW, {"temporal_filters": 3, "pool_1": 2, "pool_2": 4}),
}
NEURONS = {"learned": 1}
"""Layers of neurons, where there are other than three."""
POWERS = InputCodes(12, signed=True, scale=np.array(2.0**-9), offset=np.array(0.25))
ROUNDINGS = 2e-3
"""Share of currents that may be one step apart where scales are floats: those of 16 bits leave a float 8 bits behind
the point. Of 8 bits and less it is one in 100,000."""


@pytest.mark.parametrize("form", ["w8a8s8", "w4a4s4", "w2a4s16 edge=4 in=6"])
@pytest.mark.parametrize("name", STUDENTS)
def test_every_integer_and_spike_is_that_of_the_reference(name: str, form: str) -> None:
    family, shape, options = STUDENTS[name]
    model, _ = quantised(family, form, shape, options)
    found = agreement(model, lower(model, shape, codes=CODES), CODES.codes_of(signals(shape, 100, 9).numpy() * 2))
    readout = [one.name for one in found.nodes if one.name.endswith(".grid")][-1]
    for one in found.nodes:
        if "neurons" in one.name:  # on the very same currents
            assert one.differing == 0, one
        allowed = ROUNDINGS if "s16" in form or one.name == readout else 1e-5
        assert one.differing <= allowed * one.elements + 2, one
        assert one.largest <= 1, one
    assert found.changed == found.tied, found
    round_scales(model)
    norms_of_powers_of_two(model)
    found = agreement(model, lower(model, shape, codes=POWERS), POWERS.codes_of(signals(shape, 60, 9).numpy() * 2))
    assert (found.differing, found.changed) == (0, 0), found
    assert sum("neurons" in one.name for one in found.nodes) == NEURONS.get(name, 3)
    assert found.output_error < 1e-5


@settings(max_examples=12, deadline=None)
@given(
    name=st.sampled_from(list(STUDENTS)), widths=st.tuples(*[st.integers(2, 8)] * 4), state=st.integers(4, 16),
    sizes=st.tuples(*[st.integers(1, 7)] * 2, st.integers(8, 40)), seed=st.integers(0, 10_000),
)  # fmt: skip
def test_any_shape_width_and_seed(
    name: str, widths: tuple[int, ...], state: int, sizes: tuple[int, ...], seed: int
) -> None:
    (weight, activation, edge, raw), (channels, outputs, steps) = widths, sizes
    family, shape, options = STUDENTS[name]
    shape = shape.model_copy(update={"channels": channels, "outputs": outputs, "steps": steps})
    model, _ = quantised(family, f"w{weight}a{activation}s{state} edge={edge} in={raw}", shape, options, seed)
    round_scales(model)
    norms_of_powers_of_two(model)
    codes = POWERS.codes_of(signals(shape, 10, seed).numpy() * 2)
    found = agreement(model, lower(model, shape, codes=POWERS), codes)
    assert (found.differing, found.changed) == (0, 0), found


PIECES = ["stream", "binary", "delays", "learned delays", "delta", "rate", "random rate", "envelopes", "lock-in"]


@pytest.mark.parametrize("name", PIECES)
def test_a_stream_in_pieces_is_the_whole(name: str) -> None:
    family, _, options = STUDENTS[name]
    model, _ = quantised(family, "w4a4s6", STREAM, options)
    graph = lower(model, STREAM, codes=CODES)
    codes = CODES.codes_of(signals(STREAM, 3, 1).numpy() * 2)
    past, pieces = first_past(graph, 3), []
    for start, stop in ((0, 1), (1, 2), (2, 17), (17, 40)):
        found, past = advance(graph, codes[:, :, start:stop], past)
        pieces.append(found)
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), decide(graph, codes))


def test_neurons_by_hand() -> None:
    """As in `test_quantised_spiking.test_a_neuron_by_hand`: threshold 4, membranes within 7, decay 192 / 256."""
    drive = np.array([3, 3, 3, 7, 7, 0, -7, -7, 0, 0]).reshape(1, 1, -1)
    fires = Neurons("n", "input", Range((1, 10), 0, 1), Range((1,), -7, 7), 192, 4, "subtract")
    spikes, (last,) = run_neurons(fires, drive, fires.first_state(1))
    assert spikes.ravel().tolist() == [0, 1, 0, 1, 1, 0, 0, 0, 0, 0]
    assert last.tolist() == [[-3]]
    assert fires.state_bits == (4,)


def test_several_events_of_each_neuron_by_hand() -> None:
    """As `test_quantised_spiking.test_several_events_by_hand`, and a second neuron with threshold 5 and no leak:

    7 (one event; twice 5 is more), 2 + 4 = 6 (one), 1 + 14 held at 15 (two), 5, 5 less nothing.
    """
    drive = np.array([[7, 4, 15, 0, 0], [7, 4, 14, 0, 0]])[None]
    fires = Neurons(
        "n", "input", Range((2, 5), 0, 3), Range((2,), -15, 15), np.array([128, 256]), np.array([3, 5]), "residue", 3
    )
    events, (last,) = run_neurons(fires, drive, fires.first_state(1))
    assert events[0].tolist() == [[2, 1, 3, 0, 0], [1, 1, 2, 0, 0]]
    assert last.tolist() == [[1, 5]]


def test_codes_that_stand_for_a_spike() -> None:
    """Steps of an eighth from -3/8: codes above 3 stand for more than zero; from 1/16 all of them, from -9 none."""
    _, shape, options = STUDENTS["binary"]
    model, _ = quantised("spiking_mlp", "w4a4s6", shape, options)
    codes = InputCodes(4, signed=False, scale=np.full(5, 0.125), offset=np.array([-0.375, -0.3, 0.0, 0.0625, -9.0]))
    graph = lower(model, shape, codes=codes)
    given_codes = np.broadcast_to(np.arange(16)[:, None, None], (16, 5, 1)).copy()
    seen = execute(graph, given_codes)[graph.nodes[0].name][:, :, 0]
    np.testing.assert_array_equal(seen, codes.values_of(given_codes)[:, :, 0] > 0)
    assert [int(np.flatnonzero(one)[0]) if one.any() else 16 for one in seen.T] == [4, 3, 1, 0, 16]


def test_membranes_in_float_are_refused_by_the_layer() -> None:
    model, spec = quantised("spiking_mlp", "w4a4", STREAM, {"hidden_1": 4, "hidden_2": 4})
    with pytest.raises(StudentError, match=r"body\.4.*state is kept in float.*w8a8s8"):
        lower(model, spec.shape, codes=CODES)


def test_torch_is_not_changed_by_lowering() -> None:
    model, spec = quantised("spiking_conv", "w4a4s6", WINDOW, {"mixtures": 4})
    before = {name: value.clone() for name, value in model.state_dict().items()}
    lower(model, spec.shape, codes=CODES)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
