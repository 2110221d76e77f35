"""Neurons that fire several times in a step, counted: events by value, comparisons, resets, delay lines."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from energy_models.workload import LayerWork, Workload
from students.counting import observe
from students.families import load_family, parse_options
from students.layers import FloatLayers
from students.neurons import AdaptiveLIF, LeakyIntegrator, MultiSpikeLIF, SynapticLIF, ZeroInitialState
from students.spec import Shape


def seen(model: nn.Module, signal: Tensor, *, mode: str = "stream", batch_size: int = 32) -> Workload:
    """Return what a model does."""
    found = observe(
        model.eval(), signal, name="n", mode=mode, step_rate_hz=10.0, input_bits=8, batch_size=batch_size,
    )  # type: ignore[arg-type]  # fmt: skip
    assert found.complete, found.uncounted
    return found


def layers_of(work: Workload) -> dict[str, LayerWork]:
    return {layer.name: layer for layer in work.layers}


def weighted(inputs: int, outputs: int, taps: int = 1) -> nn.Conv1d:
    layer = nn.Conv1d(inputs, outputs, taps, bias=False)
    nn.init.ones_(layer.weight)
    return layer


def test_events_by_value_hand_worked() -> None:
    """Threshold 1, at most 3, no leak kept: currents 2.5, 0, 6, 0 make U = 2.5, -2, 6, -3: events 2, 0, 3, 0.

    Comparisons: one a step, and one more for each event but the third, 2 + 2: 8 in 4 steps. Resets: 2 + 3 = 5. Two
    events that are not single reach two outputs each: 4 products, all of which need a multiplier.
    """
    net = nn.Sequential(weighted(1, 1), ZeroInitialState(MultiSpikeLIF(1, 0.0, 1.0, 3)), weighted(1, 2))
    found = layers_of(seen(net, torch.tensor([[[2.5, 0.0, 6.0, 0.0]]])))
    neurons, product = found["1.neurons"], found["2"]
    assert {name: count.total for name, count in neurons.operations.items()} == {"add": 2, "compare": 8, "reset": 5}
    assert (neurons.output_events.total, neurons.output_units.total) == (2, 5)
    assert (product.input_events.total, product.input_units.total) == (2, 5)
    assert (neurons.output_bits, product.activation_bits) == (2, 2)
    assert product.products.effective.multiply_accumulate.total == 4
    assert product.products.effective.accumulate.total == 0


def test_single_events_need_no_multiplier_and_are_told_from_higher_ones() -> None:
    """Events 1, 2, 0, 1 (currents 1.5, 3.5, 0, 5.5 less the reset): two products of one, one of two."""
    net = nn.Sequential(weighted(1, 1), ZeroInitialState(MultiSpikeLIF(1, 0.0, 1.0, 7)), weighted(1, 1))
    found = layers_of(seen(net, torch.tensor([[[1.5, 3.5, 0.0, 1.5]]])))["2"]
    assert found.products.effective.accumulate.total == 2
    assert found.products.effective.multiply_accumulate.total == 1
    assert (found.input_events.total, found.input_units.total) == (3, 4)


def test_a_delay_line_is_stored_written_and_read() -> None:
    """Two neurons, three taps: 2 x 2 stored words of 3 bits, read in each step; each step writes 2."""
    net = nn.Sequential(
        weighted(1, 2), ZeroInitialState(MultiSpikeLIF(2, 0.5, 0.3, 7)), nn.ConstantPad1d((2, 0), 0.0),
        weighted(2, 1, 3),
    )  # fmt: skip
    found = layers_of(seen(net, torch.rand(2, 1, 30) + 0.2))["3"]
    assert (found.state_elements, found.state_reads, found.state_writes, found.state_bits) == (4, 4, 2, 3)
    assert found.input_units.total > found.input_events.total > 0


@pytest.mark.parametrize("mode", ["stream", "window"])
def test_batch_size_changes_nothing(mode: str) -> None:
    net = nn.Sequential(weighted(2, 3), ZeroInitialState(MultiSpikeLIF(3, 0.7, 0.2, 5)), weighted(3, 2))
    signal = torch.randn(5, 2, 12, generator=torch.Generator().manual_seed(1))
    assert seen(net, signal, mode=mode).layers == seen(net, signal, mode=mode, batch_size=1).layers


def test_state_words_of_the_other_kinds() -> None:
    """Synaptic: two leaks and states. Adaptive: three states, a multiplication and two more additions a step."""
    signal = torch.rand(1, 2, 10) + 0.5
    synaptic = layers_of(seen(nn.Sequential(weighted(2, 2), ZeroInitialState(SynapticLIF(2, 0.5, 0.5, 99.0))), signal))
    assert synaptic["1.neurons"].state_elements == 4
    assert {name: one.mean for name, one in synaptic["1.neurons"].operations.items()} == {
        "leak": 4, "add": 4, "compare": 2,
    }  # fmt: skip
    adaptive = layers_of(
        seen(nn.Sequential(weighted(2, 2), ZeroInitialState(AdaptiveLIF(2, 0.5, 0.9, 99.0, 0.1))), signal)
    )
    assert adaptive["1.neurons"].state_elements == 6
    assert {name: one.mean for name, one in adaptive["1.neurons"].operations.items()} == {
        "leak": 4, "add": 4, "multiply": 2, "compare": 2,
    }  # fmt: skip


def test_silent_and_exploding_networks_are_counted_right() -> None:
    """A network without a spike has no event and no product; one that always fires has the most in every step."""
    signal = torch.rand(2, 2, 9) + 0.1
    for threshold, each in ((1e6, 0), (1e-6, 7)):
        net = nn.Sequential(
            weighted(2, 4), ZeroInitialState(MultiSpikeLIF(4, 0.0, threshold, 7, reset="none")), weighted(4, 3),
            ZeroInitialState(LeakyIntegrator(3, 0.5)),
        )  # fmt: skip
        work = seen(net, signal)
        found = layers_of(work)
        assert ("no neuron of 1.neurons fired" in work.provenance["spikes"]) == (each == 0)
        assert ("1.neurons (100%) fired in every step" in work.provenance["spikes"]) == (each == 7)
        assert found["1.neurons"].output_units.mean == found["2"].input_units.mean == 4 * each
        assert found["2"].products.effective.total == (4 * 3 * 18 if each else 0)


def test_the_family_is_counted_whole() -> None:
    family = load_family("spiking_delay")
    shape = Shape(task="regression", channels=6, steps=20, outputs=2, step_rate_hz=10.0)
    options = parse_options("spiking_delay", family, {"hidden_1": 8, "hidden_2": 5, "lags": 4})
    network = family.build(options, shape, FloatLayers())
    found = seen(network, torch.randint(0, 4, (3, 6, 20)).float())
    first = next(layer for layer in found.layers if layer.kind == "conv")
    assert (first.state_elements, first.reduction) == (6 * 3, 6 * 4)
    assert sum(layer.output_units is not None for layer in found.layers) == 2
