"""What a bit of a layer's width draws on a machine, against estimates of the narrowed workload."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from cosim.workloads.bit_costs import bit_costs
from energy_models.errors import PriceError
from energy_models.hardware import load_profile
from energy_models.pricing import estimate_machine
from energy_models.workload import Workload, read_workload

ASIC = load_profile("asic65_near_memory")
RATE_HZ = 2.0


def integers(weight_bits: int = 8) -> Workload:
    """Return the shipped EEGNet as if its products were in integers."""
    work = read_workload(Path(str(files("energy_models.data") / "workloads" / "eegnet_8_2.json")))
    widths = {"arithmetic": "integer", "activation_bits": 8, "output_bits": 8, "accumulator_bits": 32, "bias_bits": 32}
    layers = [replace(one, **widths, weight_bits=weight_bits if one.products else 0) for one in work.layers]  # type: ignore[arg-type]
    return replace(work, layers=tuple(layers))


def power_w(work: Workload) -> float:
    return sum(one.nominal for one in estimate_machine(work, ASIC, decode_rate_hz=RATE_HZ).power_w.values())


def products(work: Workload) -> list[str]:
    return [one.name for one in work.layers if one.products is not None]


def test_a_bit_costs_a_sixth_of_what_two_bits_save_of_eight() -> None:
    """Six bits lie between eight and two; each layer is narrowed alone, the others as they were."""
    work = integers()
    names = products(work)
    found = bit_costs(work, ASIC, decode_rate_hz=RATE_HZ, layers=names, signals={})
    assert list(found.weights) == names
    assert found.activations == {}
    for name in names:
        narrow = [replace(one, weight_bits=2) if one.name == name else one for one in work.layers]
        saved = power_w(work) - power_w(replace(work, layers=tuple(narrow)))
        assert found.weights[name] == pytest.approx(saved / 6)
        assert saved > 0


def test_a_signal_is_charged_where_it_is_read_and_written_to_its_first_reader() -> None:
    work = integers()
    place = next(i for i, one in enumerate(work.layers) if i and one.products is not None)
    reader, writer = work.layers[place].name, work.layers[place - 1].name
    found = bit_costs(work, ASIC, decode_rate_hz=RATE_HZ, layers=(), signals={writer: (reader,)})
    read = replace(work.layers[place], activation_bits=2)
    read = replace(read, state_bits=2) if read.state_bits == 8 else read
    layers = [read if one.name == reader else replace(one, output_bits=2) if one.name == writer else one
              for one in work.layers]  # fmt: skip
    saved = power_w(work) - power_w(replace(work, layers=tuple(layers)))
    assert found.activations == {reader: pytest.approx(saved / 6)}


def test_widths_that_make_no_difference_are_no_costs() -> None:
    work = integers()
    with pytest.raises(PriceError, match=r"fewer bits save gap9 nothing: weights of .*Learn widths for size"):
        bit_costs(work, load_profile("gap9"), decode_rate_hz=RATE_HZ, layers=products(work), signals={})
    with pytest.raises(PriceError, match="nothing"):
        bit_costs(integers(2), ASIC, decode_rate_hz=RATE_HZ, layers=products(work), signals={})
    with pytest.raises(PriceError, match="loihi has no price for"):
        bit_costs(work, load_profile("loihi"), decode_rate_hz=RATE_HZ, layers=products(work), signals={})
