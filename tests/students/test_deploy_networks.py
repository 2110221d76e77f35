"""Networks of somebody's own, lowered along their graphs: every integer against Brevitas, or refused by name."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest
import torch
from deployed_networks import CODES, norms_of_powers_of_two, quantised, round_scales, signals
from torch import Tensor, nn
from torch.nn import functional

from energy_models.errors import StudentError
from students.counting import observe
from students.deploy import agreement, lower, static_counts
from students.deploy.graph import Steps, Table
from students.spec import Shape

WINDOWS = Shape(task="classification", channels=4, steps=96, outputs=3, step_rate_hz=64.0)
STRIDES = WINDOWS.model_copy(update={"channels": 3, "steps": 50})
LAGS = Shape(task="regression", channels=4, steps=40, outputs=2, step_rate_hz=20.0)


class Strides(nn.Module):
    """Strides, dilation, groups, padded maxima, means over steps, a join, numbers by hand, a softmax at the end."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(channels, 8, 5, stride=2, padding=2)
        self.norm = nn.BatchNorm1d(8)
        self.wide = nn.Conv1d(8, 8, 3, dilation=2, padding=2, groups=4)
        self.narrow = nn.Conv1d(8, 4, 1, bias=False)
        self.pool, self.squeeze = nn.MaxPool1d(3, stride=2, padding=1), nn.AdaptiveAvgPool1d(1)
        self.readout = nn.Linear(12 + 4, outputs)

    def forward(self, signal: Tensor) -> Tensor:
        signal = functional.gelu(self.norm(self.first(signal * 0.5)) + 0.25)
        signal = self.pool(signal)
        both = torch.cat([torch.relu(self.wide(signal)), torch.tanh(self.narrow(signal))], dim=1)
        held = torch.cat([self.squeeze(both).flatten(1), both.amax(dim=-1)[:, :4]], dim=1)
        return torch.softmax(self.readout(torch.clamp(held, -0.5, 0.75)), dim=-1)


class Lagged(nn.Module):
    """Estimates of steps: causal convolutions with a residual sum, padded by hand."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv1d(channels, 6, 3), nn.Conv1d(6, 6, 3, dilation=2)
        self.readout = nn.Conv1d(6, outputs, 1)

    def forward(self, signal: Tensor) -> Tensor:
        hidden = torch.relu(self.first(functional.pad(signal, (2, 0))))
        hidden = torch.relu(self.second(functional.pad(hidden, (4, 0))) + hidden)
        return self.readout(hidden).transpose(1, 2)


class Turned(nn.Module):
    """Estimates by products over the last axis, steps before channels."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(channels, 8), nn.LeakyReLU(0.1), nn.Linear(8, outputs))

    def forward(self, signal: Tensor) -> Tensor:
        return self.body(signal.permute(0, 2, 1))


class Reversed(nn.Module):
    """The maximum of what a batch norm of negative weight turned round."""

    def __init__(self, channels: int, steps: int, outputs: int) -> None:
        super().__init__()
        self.first, self.norm, self.readout = nn.Conv1d(channels, 4, 3), nn.BatchNorm1d(4), nn.Linear(4, outputs)

    def forward(self, signal: Tensor) -> Tensor:
        return self.readout(torch.relu(-1.0 * self.norm(self.first(signal))).amax(-1) * 2)


@pytest.fixture(autouse=True)
def nets() -> Iterator[ModuleType]:
    module = ModuleType("deployed_nets")
    vars(module).update(Strides=Strides, Lagged=Lagged, Turned=Turned, Reversed=Reversed)
    sys.modules["deployed_nets"] = module
    yield module
    del sys.modules["deployed_nets"]


NETWORKS = [
    ("deployed_nets:Strides", STRIDES), ("deployed_nets:Lagged", LAGS), ("deployed_nets:Turned", LAGS),
    ("deployed_nets:Reversed", WINDOWS), ("public_decoders:EEGNet", WINDOWS),
    ("public_decoders:ShallowConvNet", WINDOWS),
    ("public_decoders:DeepConvNet", WINDOWS), ("public_decoders:EEGTCNet", WINDOWS),
]  # fmt: skip


@pytest.mark.parametrize(("family", "shape"), NETWORKS)
@pytest.mark.parametrize("form", ["w8a8", "w3a4 edge=4"])
def test_every_integer_is_that_of_brevitas(family: str, shape: Shape, form: str) -> None:
    model, _ = quantised(family, form, shape)
    codes = CODES.codes_of(signals(shape, 64, 9).numpy())
    found = agreement(model, lower(model, shape, codes=CODES), codes)
    assert found.largest <= 1, found
    assert found.differing <= 1e-5 * found.elements + 2, found
    assert found.changed == found.tied
    round_scales(model)
    norms_of_powers_of_two(model)
    graph = lower(model, shape, codes=CODES)
    found = agreement(model, graph, codes)
    functions = any(isinstance(node, Table | Steps) for node in graph.nodes)
    assert found.differing <= (2 if functions or family.endswith("Strides") else 0), found


@pytest.mark.parametrize(("family", "shape"), NETWORKS)
def test_static_counts_are_those_of_observe(family: str, shape: Shape) -> None:
    model, _ = quantised(family, "w4a4", shape)
    mode = "window" if shape.task == "classification" else "stream"
    work = observe(model, signals(shape, 2), name="net", mode=mode, step_rate_hz=20.0, input_bits=12)
    layers = {layer.name: layer for layer in work.layers if layer.products is not None}
    for one in static_counts(lower(model, shape, codes=CODES)):
        layer = layers[one.name]
        assert layer.products is not None
        assert (one.dense_full, one.dense_valid) == (layer.products.dense_full.mean, layer.products.dense_valid.mean)
        assert (one.weights, one.weight_bits) == (layer.weights, layer.weight_bits)
        assert (one.activation_bits, one.accumulator_bits) == (layer.activation_bits, layer.accumulator_bits)


def test_functions_are_tables_of_narrow_signals_and_steps_of_wide_ones() -> None:
    graphs = [lower(quantised("public_decoders:EEGNet", form, WINDOWS)[0], WINDOWS, codes=CODES) for form in
              ("w8a8", "w2a2 edge=2 in=2")]  # fmt: skip
    kinds = [{type(node) for node in graph.nodes if isinstance(node, Table | Steps)} for graph in graphs]
    assert kinds == [{Steps}, {Table}]


def test_estimates_of_any_length() -> None:
    model, _ = quantised("deployed_nets:Lagged", "w4a4", LAGS)
    graph = lower(model, LAGS, codes=CODES)
    assert graph.takes_any_length
    longer = LAGS.model_copy(update={"steps": 77})
    assert agreement(model, graph, CODES.codes_of(signals(longer, 5).numpy())).differing == 0
    turned = lower(quantised("deployed_nets:Turned", "w4a4", LAGS)[0], LAGS, codes=CODES)
    assert not turned.takes_any_length


def test_a_maximum_of_reversed_numbers_is_refused() -> None:
    class Negative(Reversed):
        def forward(self, signal: Tensor) -> Tensor:
            return self.readout(torch.relu(functional.max_pool1d(-1.0 * self.norm(self.first(signal)), 94)).flatten(1))

    vars(sys.modules["deployed_nets"])["Negative"] = Negative
    model, _ = quantised("deployed_nets:Negative", "w4a4", WINDOWS)
    with pytest.raises(StudentError, match=r"max_pool1d.*turned round"):
        lower(model, WINDOWS, codes=CODES)


def test_logits_on_different_scales_are_put_on_one() -> None:
    class Normed(Reversed):
        def __init__(self, channels: int, steps: int, outputs: int) -> None:
            super().__init__(channels, steps, outputs)
            self.last = nn.BatchNorm1d(outputs)

        def forward(self, signal: Tensor) -> Tensor:
            return self.last(super().forward(signal))

    vars(sys.modules["deployed_nets"])["Normed"] = Normed
    model, _ = quantised("deployed_nets:Normed", "w4a4", WINDOWS)
    graph = lower(model, WINDOWS, codes=CODES)
    assert graph.nodes[-1].name == "output"
    found = agreement(model, graph, CODES.codes_of(signals(WINDOWS, 200, 4).numpy()))
    assert found.changed == found.tied
    assert found.output_error < 1e-5
    assert np.log2(graph.output_scale) == round(np.log2(graph.output_scale))
