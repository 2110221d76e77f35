"""Networks of one's own with torch's GRU and LSTM: in integers, lowered, counted, and refused by the layer."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType

import pytest
import torch
from deployed_networks import CODES, quantised, round_scales, signals
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.counting import observe
from students.deploy import agreement, lower, state_counts, static_counts
from students.quantize.recurrent import IntegerRecurrent
from students.spec import Shape

WINDOWS = Shape(task="classification", channels=4, steps=32, outputs=3, step_rate_hz=64.0)
STEPS = Shape(task="regression", channels=5, steps=30, outputs=2, step_rate_hz=20.0)


class LastState(nn.Module):
    """A convolution, a GRU, its last state as the second that it returns."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.front, self.gru = nn.Conv1d(channels, 6, 3, padding=1), nn.GRU(6, 8, batch_first=True)
        self.readout = nn.Linear(8, outputs)

    def forward(self, signal: Tensor) -> Tensor:
        _, last = self.gru(torch.relu(self.front(signal)).transpose(1, 2))
        return self.readout(last[-1])


class EveryState(nn.Module):
    """An LSTM on the raw input, read out at every step."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.ModuleDict({"lstm": nn.LSTM(channels, 8, batch_first=True), "out": nn.Linear(8, outputs)})

    def forward(self, signal: Tensor) -> Tensor:
        states, _ = self.body["lstm"](signal.permute(0, 2, 1))
        return self.body["out"](states)


class Stacked(nn.Module):
    """Two LSTMs, the last state of the second by name, squeezed."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.one, self.two = nn.LSTM(channels, 6, batch_first=True), nn.LSTM(6, 7, batch_first=True)
        self.readout = nn.Linear(7, outputs)

    def forward(self, signal: Tensor) -> Tensor:
        states = self.one(signal.mT)[0]
        _, (last, _) = self.two(states)
        return self.readout(last.squeeze(0))


class Bidirectional(LastState):
    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__(channels, steps, outputs)
        self.gru = nn.GRU(6, 8, batch_first=True, bidirectional=True)


class StepsFirst(LastState):
    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__(channels, steps, outputs)
        self.gru = nn.GRU(6, 8)

    def forward(self, signal: Tensor) -> Tensor:
        return self.readout(self.gru(self.front(signal).permute(2, 0, 1))[0][-1])


class TwoLayers(LastState):
    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__(channels, steps, outputs)
        self.gru = nn.GRU(6, 8, num_layers=2, batch_first=True)


class Given(LastState):
    def forward(self, signal: Tensor) -> Tensor:
        states, _ = self.gru(self.front(signal).transpose(1, 2), torch.zeros(1, signal.size(0), 8))
        return self.readout(states[:, -1])


class ReadsCell(Stacked):
    def forward(self, signal: Tensor) -> Tensor:
        _, (_, cell) = self.two(self.one(signal.mT)[0])
        return self.readout(cell[-1])


class ReadsOtherwise(LastState):
    def forward(self, signal: Tensor) -> Tensor:
        return self.readout(self.gru(self.front(signal).transpose(1, 2))[1].mean(0))


class Plain(nn.Module):
    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.rnn, self.readout = nn.RNN(channels, 8, batch_first=True), nn.Linear(8, outputs)

    def forward(self, signal: Tensor) -> Tensor:
        return self.readout(self.rnn(signal.mT)[0][:, -1])


@pytest.fixture(autouse=True)
def nets() -> Iterator[ModuleType]:
    module = ModuleType("own_recurrent_nets")
    for kind in (LastState, EveryState, Stacked, Bidirectional, StepsFirst, TwoLayers, Given, ReadsCell,
                 ReadsOtherwise, Plain):  # fmt: skip
        setattr(module, kind.__name__, kind)
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


NETWORKS = [("LastState", WINDOWS), ("EveryState", STEPS), ("Stacked", WINDOWS)]


@pytest.mark.parametrize("form", ["w8a8", "w4a4 edge=6"])
@pytest.mark.parametrize(("name", "shape"), NETWORKS)
def test_every_integer_is_that_of_the_reference(name: str, shape: Shape, form: str) -> None:
    model, _ = quantised(f"own_recurrent_nets:{name}", form, shape)
    assert any(isinstance(one, IntegerRecurrent) for one in model.modules())
    codes = CODES.codes_of(signals(shape, 40, 9).numpy() * 2)
    found = agreement(model, lower(model, shape, codes=CODES), codes)
    assert found.differing <= 1e-3 * found.elements, found
    assert found.changed == found.tied
    round_scales(model)
    found = agreement(model, lower(model, shape, codes=CODES), codes)
    recurrent = [one for one in found.nodes if one.name.rpartition(".")[2] in {"gru", "lstm", "one", "two"}]
    assert recurrent
    assert all(one.differing == 0 for one in recurrent), found


@pytest.mark.parametrize(("name", "shape"), NETWORKS)
def test_the_integer_network_follows_the_float_one_and_is_counted_as_it_is_deployed(name: str, shape: Shape) -> None:
    model, spec = quantised(f"own_recurrent_nets:{name}", "w8a8", shape)
    mode = "window" if shape.task == "classification" else "stream"
    work = observe(model, signals(shape, 2), name=name, mode=mode, step_rate_hz=20.0, input_bits=12)
    assert work.uncounted == ()
    layers = {layer.name: layer for layer in work.layers}
    graph = lower(model, spec.shape, codes=CODES)
    for one in static_counts(graph):
        layer = layers[one.name]
        assert layer.products is not None
        assert (one.dense_full, one.dense_valid) == (layer.products.dense_full.mean, layer.products.dense_valid.mean)
        assert (one.weights, one.weight_bits, one.accumulator_bits) == (
            layer.weights, layer.weight_bits, layer.accumulator_bits
        )  # fmt: skip
    assert {one.name: one.elements for one in state_counts(graph)} == {
        one.name: one.state_elements for one in work.layers if one.name.endswith("_state")
    }


@pytest.mark.parametrize(("name", "why"), [
    ("Bidirectional", "both directions"), ("StepsFirst", "batch_first=False"), ("TwoLayers", "several layers"),
    ("Given", "given a state"), ("ReadsCell", "cell that it ends with is read"),
    ("ReadsOtherwise", "last states are read otherwise"), ("Plain", "GRU and LSTM have an integer form"),
])  # fmt: skip
def test_what_has_no_integer_form_is_refused_by_the_layer(name: str, why: str) -> None:
    with pytest.raises(StudentError, match=why):
        quantised(f"own_recurrent_nets:{name}", "w8a8", WINDOWS)
