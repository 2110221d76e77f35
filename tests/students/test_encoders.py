"""Input codes by level crossings: hand-worked, counted, sparse where the signal rests, and in integers."""

from __future__ import annotations

import pytest
import torch

from cosim.testing import check_encoder
from energy_models.errors import StudentError
from students.counting import observe
from students.models.build import build
from students.neurons import encoder_names
from students.neurons.encoders import LevelCrossings
from students.spec import Shape, StudentSpec

STREAM = Shape(task="regression", channels=3, steps=24, outputs=2, step_rate_hz=20.0)


def test_levels_crossed_hand_worked() -> None:
    """Levels .5 apart: 0.1, 0.6, 2.3, 2.4, -0.1 lie on levels 0, 1, 4, 4, -1; at most 3 events a step."""
    found = LevelCrossings(0.5, 3)(torch.tensor([[[0.1, 0.6, 2.3, 2.4, -0.1]]]))
    assert found.tolist() == [[[0.0, 1.0, 3.0, 0.0, -3.0]]]


@pytest.mark.parametrize("name", ["counts", "binary", "delta", "level_crossing"])
def test_every_shipped_code_keeps_the_contract(name: str) -> None:
    assert name in encoder_names()
    check_encoder(name)


@pytest.mark.parametrize("name", ["delta", "level_crossing"])
def test_a_code_is_counted_and_a_resting_signal_sends_nothing(name: str) -> None:
    network = build(StudentSpec(family="spiking_delay", options={"code": name}, shape=STREAM, seed=0)).eval()
    moving = torch.randn(4, 3, 24, generator=torch.Generator().manual_seed(1)).cumsum(-1)
    resting = torch.full((4, 3, 24), 0.1)
    works = [
        observe(network, signal, name=name, mode="stream", step_rate_hz=20.0, input_bits=8)
        for signal in (moving, resting)
    ]
    assert all(work.complete for work in works)
    first = [next(layer for layer in work.layers if layer.products is not None) for work in works]
    assert first[0].input_events is not None
    assert first[1].input_events is not None
    assert first[0].input_events.total > 0 == first[1].input_events.total
    encoder = next(layer for layer in works[0].layers if layer.kind == "elementwise")
    # Three channels, one step: scaled, floored, less the level before; two limits. No product, nothing in float.
    operations = {name: count.mean for name, count in encoder.operations.items()}
    assert operations == {"multiply": 3.0, "add": 6.0, "compare": 6.0}
    assert (encoder.products, encoder.arithmetic) == (None, "integer")
    assert (encoder.state_elements, encoder.state_bits, encoder.state_reads, encoder.state_writes) == (3, 8, 3, 3)


@pytest.mark.parametrize("given", [(0.0, 1), (float("nan"), 1), (0.5, 0)])
def test_levels_that_are_none_are_refused(given: tuple[float, int]) -> None:
    with pytest.raises(StudentError, match="LevelCrossings"):
        LevelCrossings(*given)
