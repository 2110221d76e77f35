"""Input codes by level crossings: hand-worked, counted, sparse where the signal rests, and in integers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cosim.testing import check_encoder
from energy_models.errors import StudentError
from energy_models.hardware import load_profile
from energy_models.pricing import estimate
from students.counting import observe
from students.models.build import build
from students.models.from_float import quantised_from_float
from students.neurons import encoder_names
from students.neurons.encoders import LevelCrossings, load_encoder
from students.neurons.input_codes import Envelopes, RandomRateCode, RateCode
from students.neurons.lock_in import LockIn
from students.neurons.random_numbers import first_registers, next_registers, random_numbers
from students.spec import Shape, StudentSpec, parse_form

STREAM = Shape(task="regression", channels=3, steps=24, outputs=2, step_rate_hz=20.0)


def test_levels_crossed_hand_worked() -> None:
    """Levels .5 apart: 0.1, 0.6, 2.3, 2.4, -0.1 lie on levels 0, 1, 4, 4, -1; at most 3 events a step."""
    found = LevelCrossings(0.5, 3)(torch.tensor([[[0.1, 0.6, 2.3, 2.4, -0.1]]]))
    assert found.tolist() == [[[0.0, 1.0, 3.0, 0.0, -3.0]]]


@pytest.mark.parametrize(
    "name", ["counts", "binary", "delta", "level_crossing", "rate", "random_rate", "envelopes"]
)
def test_every_shipped_code_keeps_the_contract(name: str) -> None:
    assert name in encoder_names()
    check_encoder(name)


@pytest.mark.parametrize("name", ["delta", "level_crossing", "rate", "random_rate", "envelopes"])
def test_a_code_is_counted_and_a_resting_signal_sends_nothing(name: str) -> None:
    network = build(StudentSpec(family="spiking_delay", options={"code": name}, shape=STREAM, seed=0)).eval()
    moving = torch.randn(4, 3, 24, generator=torch.Generator().manual_seed(1)).cumsum(-1)
    resting = torch.zeros((4, 3, 24)) if "rate" in name or name == "envelopes" else torch.full((4, 3, 24), 0.1)
    works = [
        observe(network, signal, name=name, mode="stream", step_rate_hz=20.0, input_bits=8)
        for signal in (moving, resting)
    ]
    assert all(work.complete for work in works)
    first = [next(layer for layer in work.layers if layer.products is not None) for work in works]
    assert first[0].input_events is not None
    assert first[1].input_events is not None
    assert first[0].input_events.total > 0 == first[1].input_events.total
    if name not in {"delta", "level_crossing"}:
        encoder_layers = [layer for layer in works[0].layers if layer.name.startswith("body.0")]
        assert sum(count.total for layer in encoder_layers for count in layer.operations.values()) > 0
        return
    encoder = next(layer for layer in works[0].layers if layer.kind == "elementwise")
    # Three channels, one step: scaled, floored, less the level before; four limits. No product, nothing in float.
    # What waits is a level of 8 bits; up to 7 levels either way are 4 bits, one is 2.
    operations = {name: count.mean for name, count in encoder.operations.items()}
    assert operations == {"multiply": 3.0, "add": 6.0, "compare": 12.0}
    assert encoder.output_bits == (2 if name == "delta" else 4)
    assert (encoder.products, encoder.arithmetic) == (None, "integer")
    assert (encoder.state_elements, encoder.state_bits, encoder.state_reads, encoder.state_writes) == (3, 8, 3, 3)


@pytest.mark.parametrize("given", [(0.0, 1), (float("nan"), 1), (0.5, 0)])
def test_levels_that_are_none_are_refused(given: tuple[float, int]) -> None:
    with pytest.raises(StudentError, match="LevelCrossings"):
        LevelCrossings(*given)


def test_a_rate_adds_up_to_the_signal_hand_worked() -> None:
    """0.4 0.4 0.4 0.4 -1.4: 0.4, then 0.8 sends and leaves -0.2, 0.2, 0.6 sends and leaves -0.4, -1.8 sends one."""
    found = RateCode()(torch.tensor([[[0.4, 0.4, 0.4, 0.4, -1.4]]]))
    assert found.tolist() == [[[0.0, 1.0, 0.0, 1.0, -1.0]]]
    steady = torch.full((1, 1, 200), 0.3)
    assert float(RateCode()(steady).sum()) == pytest.approx(60, abs=1)


def test_the_work_of_rates_by_hand() -> None:
    """3 channels, each put on the grid (a product, an addition, two limits), then

    a rate: an addition, two limits and two comparisons, and a subtraction for each event; 13 bits hold 2 units of 2^10
    either way. A random rate: a product, three exclusive ors, two comparisons; a register of 32 bits.
    """
    signal = torch.full((1, 3, 10), 0.5)
    rate, random_rate = {"multiply": 3, "add": 6, "compare": 18}, {"multiply": 6, "add": 12, "compare": 12}
    for code, works, resets, bits in ((RateCode(), rate, True, 13), (RandomRateCode(), random_rate, False, 32)):
        network = torch.nn.Sequential(code, torch.nn.Conv1d(3, 1, 1))
        found = observe(network, signal, name="net", mode="stream", step_rate_hz=20.0, input_bits=8).layers[0]
        each = {kind: count.mean for kind, count in found.operations.items() if kind != "reset"}
        assert each == works
        assert found.output_bits == 2
        assert found.output_events is not None
        assert found.output_events.total > 0
        assert found.operations.get("reset", found.output_events).total == found.output_events.total
        assert ("reset" in found.operations) == resets
        assert (found.state_elements, found.state_reads, found.state_writes, found.state_bits) == (3, 3, 3, bits)


def test_random_events_follow_the_signal_and_are_always_the_same() -> None:
    """Of 20,000 draws at a third of the unit a third sends, within 0.02; a longer table begins with the same steps."""
    code = RandomRateCode(3.0)
    found = code(torch.full((1, 20, 1000), -1.0))
    assert float(found.mean()) == pytest.approx(-1 / 3, abs=0.02)
    np.testing.assert_array_equal(random_numbers(4, 50), random_numbers(6, 90)[:4, :50])
    numbers = random_numbers(50, 2000) / 2**16
    assert float(numbers.mean()) == pytest.approx(0.5, abs=0.01)
    for one, other in ((numbers[:, 1:], numbers[:, :-1]), (numbers[1:], numbers[:-1])):  # steps, then channels
        assert abs(float(np.corrcoef(one.ravel(), other.ravel())[0, 1])) < 0.02


def test_a_register_by_hand() -> None:
    """From 1: 1 << 13 makes 8193; >> 17 nothing; << 5 (262176) makes 270369, the first number of Marsaglia's (13, 17,
    5) from 1. Of a channel no register is zero."""
    assert next_registers(np.array([1])).tolist() == [270369]
    assert bool((first_registers(2000) > 0).all())
    assert len(set(first_registers(2000).tolist())) == 2000


def test_envelopes_tell_octaves_apart() -> None:
    """Sines in the middle of each band: its own envelope is the largest, by a factor of two or more."""
    steps = torch.arange(200)
    for band, frequency in enumerate((3 / 64, 3 / 32, 3 / 16)):
        signal = torch.sin(2 * torch.pi * frequency * steps)[None, None]
        late = Envelopes()(signal)[0, :, 100:].mean(-1)
        assert int(late.argmax()) == band
        assert float(late[band]) > 2 * float(late.sort().values[-2])


def test_the_work_of_envelopes_by_hand() -> None:
    """2 channels, each put on the grid; 3 bands: 96 products, 93 + 6 additions, 3 comparisons. 31 samples of 16 bits

    wait, in each band 8 magnitudes and a sum, 3 bits wider.
    """
    network = torch.nn.Sequential(Envelopes(), torch.nn.Conv1d(6, 1, 1))
    found = observe(network, torch.ones(1, 2, 60), name="net", mode="stream", step_rate_hz=20.0, input_bits=8)
    layer = found.layers[0]
    each = {kind: count.mean for kind, count in layer.operations.items()}
    assert each == {"multiply": 194, "add": 200, "compare": 10}
    states = [(one.state_elements, one.state_reads, one.state_writes) for one in found.layers[:3]]
    assert states == [(2 * 31, 2 * 31, 2), (2 * 24, 2 * 3, 2 * 3), (2 * 3, 2 * 3, 2 * 3)]
    assert [one.state_bits for one in found.layers[:3]] == [16, 16, 19]
    assert layer.output_bits == 19
    assert (layer.output_shape, layer.arithmetic, layer.constants) == ((6,), "integer", 96)


CODES = ("counts", "binary", "delta", "level_crossing", "rate", "random_rate", "envelopes", "lock_in 2,3/0.5")


@pytest.mark.parametrize("name", CODES)
@pytest.mark.parametrize("machine", ["asic65_near_memory", "cortex_m4f"])
def test_what_a_code_does_has_a_price(name: str, machine: str) -> None:
    """Of a quantised student nothing is left out, and a code that computes takes energy."""
    spec = StudentSpec(family="spiking_delay", options={"code": name, "lags": 3}, shape=STREAM, seed=0)
    signal = torch.randn(6, 3, 24, generator=torch.Generator().manual_seed(1)).cumsum(-1)
    integers = quantised_from_float(spec.model_copy(update={"form": parse_form("w8a8")}), build(spec), signal)
    work = observe(integers.eval(), signal[:2], name=name, mode="stream", step_rate_hz=20.0, input_bits=8)
    report = estimate(work, load_profile(machine), None, decode_rate_hz=20.0)
    assert report.unaccounted == ()
    coded = [layer for layer in report.layers if layer.layer.startswith("body.0")]
    taken = sum(band.nominal for layer in coded for band in layer.energy_j.values())
    assert taken > 0 or name == "counts"


def test_lock_in_energies_tell_frequencies_apart() -> None:
    """A sine of amplitude 2 at one of three frequencies: I^2 + Q^2 settles at (2 / 2)^2 = 1, whatever its phase."""
    times = torch.arange(640) / 64.0
    code = load_encoder("lock_in 13,17,21/0.5", 64.0)
    assert code.factor == 3
    for place, frequency in enumerate((13.0, 17.0, 21.0)):
        signal = 2.0 * torch.sin(2.0 * torch.pi * frequency * times + 0.7)[None, None]
        late = code.make(torch.nn.Identity)(signal)[0, :, 320:].mean(-1)
        assert float(late[place]) == pytest.approx(1.0, rel=0.02)
        assert float(late.sum() - late[place]) < 0.02


def test_a_lock_in_by_hand() -> None:
    """A quarter cycle a step, share 1/2; cosines 1 0 -1 0, sines 0 1 0 -1. x = 4 in each step:
    I: 2, 1, (-4 - 1) / 2 + 1 = -1.5, -0.75; Q: 0, 2, 1, (-4 - 1) / 2 + 1 = -1.5. E: 4, 5, 3.25, 2.8125."""
    found = LockIn((0.25,), 1)(torch.full((1, 1, 4), 4.0))
    assert found.flatten().tolist() == pytest.approx([4.0, 5.0, 3.25, 2.8125], abs=1e-5)


def test_the_work_of_a_lock_in_by_hand() -> None:
    """2 channels put on the grid, 3 frequencies: 6 amplifiers of 4 products, 3 additions, 2 shifts, 4 limits and two

    words of 18 + 4 bits each; 2 additions, 2 look-ups and a phase for each frequency.
    """
    network = torch.nn.Sequential(LockIn((0.1, 0.2, 0.3), 4), torch.nn.Conv1d(6, 1, 1))
    layers = observe(network, torch.ones(1, 2, 60), name="n", mode="stream", step_rate_hz=20.0, input_bits=8).layers
    layer, phases = layers[:2]
    each = {"multiply": 26, "add": 26, "compare": 28, "lookup": 6, "leak_shift": 12}
    assert {kind: count.mean for kind, count in layer.operations.items()} == each
    assert (layer.state_elements, layer.state_reads, layer.state_writes, layer.state_bits) == (12, 12, 12, 22)
    assert (phases.state_elements, phases.state_reads, phases.state_writes, phases.state_bits) == (3, 3, 3, 32)
    assert (layer.output_shape, layer.arithmetic, layer.constants, layer.output_bits) == ((6,), "integer", 262, 23)


@pytest.mark.parametrize(("text", "why"), [
    ("lock_in", "says no frequencies"), ("lock_in 13,x/1", "says no frequencies"), ("lock_in 13", "time constant"),
    ("lock_in 40/0.5", "below half the step rate"), ("binary 3", "has no settings"),
])  # fmt: skip
def test_settings_that_are_none_are_refused(text: str, why: str) -> None:
    with pytest.raises(StudentError, match=why):
        load_encoder(text, 64.0).make(torch.nn.Identity)
