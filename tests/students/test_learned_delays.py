"""Learned axonal delays: whole steps forward, the gradient of interpolation backward, counted as words that wait."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cosim.testing import check_family
from energy_models.errors import StudentError
from students.counting import observe
from students.layers import Delays
from students.models.build import build, parameter_count
from students.spec import Shape, StudentSpec


def delays(*positions: float, most: int = 4) -> Delays:
    made = Delays(len(positions), most)
    made.position.data = torch.tensor(positions)
    return made


def test_each_channel_waits_for_the_nearest_whole_number_of_steps() -> None:
    signal = torch.arange(1.0, 13.0).reshape(1, 2, 6)
    late = delays(1.4, 2.6)(signal)[0]
    assert late.tolist() == [[0, 1, 2, 3, 4, 5], [0, 0, 0, 7, 8, 9]]


def test_positions_outside_their_range_wait_at_its_ends() -> None:
    made = delays(-3.0, 9.0)
    assert made.steps.tolist() == [0, 4]
    assert torch.equal(made(torch.ones(1, 2, 6))[0, 1], torch.tensor([0.0, 0, 0, 0, 1, 1]))


def test_the_gradient_of_a_position_is_that_of_linear_interpolation() -> None:
    """At 1.4 it is sum_t g[t] (x[t-2] - x[t-1]); of the signal it is the gradient moved back by the rounded delay."""
    made, signal = delays(1.4), torch.tensor([[[1.0, 5.0, 2.0, 8.0]]], requires_grad=True)
    weights = torch.tensor([1.0, 2.0, 3.0, 4.0])
    (made(signal) * weights).sum().backward()
    assert made.position.grad is not None
    assert signal.grad is not None
    # x[t-2] = 0 0 1 5, x[t-1] = 0 1 5 2
    assert made.position.grad.item() == pytest.approx(2 * (0 - 1) + 3 * (1 - 5) + 4 * (5 - 2))
    assert signal.grad.flatten().tolist() == [2, 3, 4, 0]


def test_a_delay_is_found() -> None:
    """What is wanted is the signal three steps ago; from one step the position is led there."""
    torch.manual_seed(0)
    signal = torch.nn.functional.avg_pool1d(torch.randn(16, 1, 80), 9, 1)
    made = delays(1.0, most=6)
    wanted = delays(3.0, most=6)(signal).detach()
    optimiser = torch.optim.Adam(made.parameters(), 0.1)
    for _ in range(60):
        optimiser.zero_grad()
        (made(signal) - wanted).square().mean().backward()
        optimiser.step()
    assert made.steps.tolist() == [3]


def test_the_work_of_delays_by_hand() -> None:
    """Delays of 0, 2 and 4 steps keep 6 words; two are read and two written in each step; nothing is computed."""
    network = nn.Sequential(delays(0.0, 2.0, 4.0), nn.Conv1d(3, 1, 1))
    signal = torch.ones(1, 3, 12)
    found = observe(network, signal, name="net", mode="stream", step_rate_hz=20.0, input_bits=5).layers[0]
    assert (found.state_elements, found.state_reads, found.state_writes, found.state_bits) == (6, 2, 2, 5)
    assert sum(count.total for count in found.operations.values()) == 0
    assert (found.constants, found.constant_bits) == (3, 3)
    window = observe(network, signal, name="net", mode="window", step_rate_hz=20.0, input_bits=5).layers[0]
    assert (window.state_elements, window.state_reads) == (6, 2 * 12)


def test_spikes_that_wait_are_spikes() -> None:
    """A product behind delayed spikes needs no multiplier, and a network with one delay a channel has fewer weights."""
    shape = Shape(task="regression", channels=3, steps=30, outputs=2, step_rate_hz=20.0)
    options = {"hidden_1": 8, "hidden_2": 6, "lags": 4, "lags_hidden": 3, "most": 1}
    taps = build(StudentSpec(family="spiking_delay", options=options, shape=shape, seed=0))
    learned = build(StudentSpec(family="spiking_delay", options={**options, "delays": "learned"}, shape=shape, seed=0))
    assert parameter_count(taps) - parameter_count(learned) == 3 * 8 * 3 + 8 * 6 * 2 - 3 - 8
    inputs = torch.randint(0, 4, (2, 3, 30), generator=torch.Generator().manual_seed(0)).float()
    work = observe(learned.eval(), inputs, name="net", mode="stream", step_rate_hz=20.0, input_bits=8)
    products = [layer.products for layer in work.layers if layer.products is not None]
    assert work.complete
    assert products[1].effective.multiply_accumulate.total == 0


def test_the_family_keeps_the_contract_with_learned_delays() -> None:
    check_family(
        "spiking_delay", {"hidden_1": 8, "hidden_2": 6, "lags": 4, "lags_hidden": 3, "delays": "learned"}
    )


def test_impossible_delays_are_refused() -> None:
    with pytest.raises(StudentError, match="wait for up to 0 steps"):
        Delays(2, 0)
    with pytest.raises(StudentError, match="delays of 2 channels"):
        Delays(2, 1)(torch.ones(1, 3, 4))
