"""What no machine is without: leakage awake, wires between banks, set-up of layers, tables; each only adds."""

from __future__ import annotations

from typing import Any, cast

import pytest
from energy_workloads import count, dense_layer, quantity, toy_array, toy_core, toy_output_stationary, workload
from hypothesis import given, settings
from hypothesis import strategies as st

from energy_models.errors import ProfileError
from energy_models.hardware import HardwareProfile
from energy_models.pricing import EnergyReport, estimate
from energy_models.quantities import parse_model
from energy_models.workload import LayerWork

PJ, PW = 1e-12, 1e-12
WORK = workload(dense_layer(300, 2), mode="window", steps=10)
BUSY_S = 724e-6
"""A decode of `WORK` on the toy array: 722 cycles at 1 MHz and 2 us to wake."""
TERMS: tuple[dict[str, Any], ...] = (
    {"memory": {"awake_leakage": quantity(40, "pW/bit")}},
    {"memory": {"wires": quantity(4, "pJ")}},
    {"execution": {"cycles_per_layer": quantity(64, "cycle")}},
    {"always_on_power": quantity(5, "nW")},
    {"energy_per_clock_cycle": quantity(3, "pJ"), "clock_runs": "awake"},
    {"memory_rail": {"supply": quantity(0.7, "V"), "efficiency": quantity(0.8, "1"), "feeds": ["d"]}},
)


def machine(base: HardwareProfile | None = None, **term: Any) -> HardwareProfile:
    """A machine with one term more, of its memory of data where it is a memory's."""
    table = (toy_array() if base is None else base).model_dump(mode="json", exclude_none=True)
    table["memories"][1] |= term.pop("memory", {})
    table["execution"] |= term.pop("execution", {})
    return parse_model(table | term, HardwareProfile, where="toy")


def at(profile: HardwareProfile, rate_hz: float = 10.0) -> EnergyReport:
    return estimate(WORK, profile, None, decode_rate_hz=rate_hz)


def test_banks_leak_more_while_the_machine_works() -> None:
    # window and activations are 3744 bit in 2 banks of 2048: both are on while it works, and leak 40 pW a bit more
    found = at(machine(memory={"awake_leakage": quantity(40, "pW/bit")})).power_w["retention"].nominal
    assert found - at(toy_array()).power_w["retention"].nominal == pytest.approx(4096 * 40 * PW * 10 * BUSY_S)
    # more than all of the time there is not
    full = at(machine(memory={"awake_leakage": quantity(40, "pW/bit")}), 5000).power_w["retention"].nominal
    assert full - at(toy_array(), 5000).power_w["retention"].nominal == pytest.approx(4096 * 40 * PW)


def test_words_take_the_wires_between_banks_both_ways() -> None:
    # 38 row tiles: 37 x 2 sums of 32 bit are 74 words read and 74 written; 300 x 8 / 32 = 75 words of inputs read;
    # 2 results x 8 bit are 1 word written: 224 words of 4 pJ. Weights lie in the other memory. Beside decodes the
    # samples: 4 words x 50 a second
    base, wired = at(toy_array()), at(machine(memory={"wires": quantity(4, "pJ")}))
    layer = [one.layers[0].energy_j["memory"].nominal for one in (wired, base)]
    assert layer[0] - layer[1] == pytest.approx(224 * 4 * PJ)
    more = wired.power_w["memory"].nominal - base.power_w["memory"].nominal
    assert more == pytest.approx(10 * 224 * 4 * PJ + 4 * 50 * 4 * PJ)


@pytest.mark.parametrize("base", [toy_array(), toy_output_stationary()], ids=["weights stay", "outputs stay"])
def test_every_pass_is_set_up_once(base: HardwareProfile) -> None:
    # two layers with products; an activation works on the first one's stream
    relu = LayerWork(
        name="relu", kind="activation", arithmetic="integer", calls=1, input_shape=(2,), output_shape=(2,), inputs=2,
        outputs=2, operations={"compare": count(2)}, activation_bits=8, output_bits=8,
    )
    work = workload(dense_layer(300, 2), relu, dense_layer(2, 4, name="out"))
    slow = machine(base, execution={"cycles_per_layer": quantity(64, "cycle")})
    before, after = (estimate(work, one, None, decode_rate_hz=10) for one in (base, slow))
    assert after.cycles.nominal - before.cycles.nominal == 2 * 64
    assert after.latency_s.nominal - before.latency_s.nominal == pytest.approx(128e-6)
    assert after.decode_energy_j == before.decode_energy_j


def test_a_table_leaks_where_anything_is_looked_up() -> None:
    # 256 words of 32 bit at the 5 pW a bit of the weights' memory
    look = LayerWork(
        name="elu", kind="activation", arithmetic="integer", calls=1, input_shape=(2,), output_shape=(2,), inputs=2,
        outputs=2, operations={"lookup": count(2)}, activation_bits=8, output_bits=8,
    )
    table = toy_array().model_dump(mode="json", exclude_none=True)
    costs = cast("dict[str, Any]", table["execution"]["operations"]["integer"])
    costs["lookup"] = {"max_bits": 32, "fixed": quantity(1, "pJ")}
    priced = parse_model(table, HardwareProfile, where="toy")
    with_table = estimate(workload(dense_layer(300, 2), look), priced, None, decode_rate_hz=10)
    without = estimate(workload(dense_layer(300, 2)), priced, None, decode_rate_hz=10)
    kept = with_table.power_w["retention"].nominal - without.power_w["retention"].nominal
    assert kept == pytest.approx(8192 * 5 * PW)
    # cores have their tables inside their cycles
    core = estimate(workload(dense_layer(300, 2), look), toy_core(), None, decode_rate_hz=10)
    bare = estimate(workload(dense_layer(300, 2)), toy_core(), None, decode_rate_hz=10)
    assert core.power_w["retention"] == bare.power_w["retention"]


def test_work_on_every_sample_is_time_awake() -> None:
    # 16 multiplications on 4 columns are 4 cycles a window of 0.2 s: 20 us a second
    filtering = LayerWork(
        name="iir", kind="filter", arithmetic="integer", calls=1, input_shape=(16,), output_shape=(16,), inputs=16,
        outputs=16, operations={"multiply": count(16)}, activation_bits=8, output_bits=8, cadence="sample",
    )
    clocked = machine(energy_per_clock_cycle=quantity(1, "pJ"), clock_runs="awake")
    work = workload(filtering, dense_layer(300, 2), mode="window", steps=10)
    found = estimate(work, clocked, None, decode_rate_hz=10).power_w["static"].nominal
    assert found == pytest.approx(10e-9 + 1e-6 * (10 * BUSY_S + 20e-6))


@pytest.mark.parametrize("term", TERMS, ids=lambda one: next(iter(one)))
@settings(max_examples=8, deadline=None)
@given(rate_hz=st.floats(0.1, 2000))
def test_each_term_only_adds(term: dict[str, Any], rate_hz: float) -> None:
    before, after = at(toy_array(), rate_hz), at(machine(**term), rate_hz)
    for cause, band in before.power_w.items():
        more = after.power_w[cause]
        assert more.low >= band.low * (1 - 1e-12)
        assert more.nominal >= band.nominal * (1 - 1e-12)
        assert more.high >= band.high * (1 - 1e-12)
    assert after.latency_s.nominal >= before.latency_s.nominal


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.floats(0.1, 2000))
def test_a_larger_memory_is_never_cheaper(kibibytes: int, more: int, rate_hz: float) -> None:
    def sized(size: int) -> EnergyReport:
        return at(machine(memory={"capacity": quantity(256 * size, "byte")}), rate_hz)

    small, large = sized(kibibytes), sized(kibibytes + more)
    assert large.decoder_power_w.nominal >= small.decoder_power_w.nominal * (1 - 1e-12) or small.infeasibilities
    # what does not fit is never cheaper than what does
    if small.infeasibilities and not large.infeasibilities:
        assert small.decoder_power_w.nominal >= large.decoder_power_w.nominal * (1 - 1e-12)


@pytest.mark.parametrize(
    ("term", "problem"),
    [
        (
            {"memory_rail": {"supply": quantity(1, "V"), "efficiency": quantity(0.9, "1"), "feeds": ["x"]}},
            "no memory here",
        ),
        ({"area": quantity(0, "mm2")}, "above zero"),
    ],
)
def test_what_no_machine_is(term: dict[str, Any], problem: str) -> None:
    with pytest.raises(ProfileError, match=problem):
        machine(**term)
