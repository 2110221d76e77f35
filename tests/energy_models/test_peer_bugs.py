"""Documented mistakes of other tools, each as a test that fails if ours made it. The tool is named above each test.

What they do wrong was run or read in their sources, or is reported by their users (issue numbers where there are any).
The same for counting stands in ``tests/students``; scaling has more in ``test_scaling.py``.
"""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import pytest
from energy_workloads import (
    dense_layer,
    neurons,
    toy_array,
    toy_event,
    with_operations,
    workload,
)

from energy_models.errors import PriceError, ProfileError
from energy_models.hardware import EventCycles, EventTable, HardwareProfile, load_profile, profile_names
from energy_models.mapping import count_actions, place
from energy_models.pricing import cost_terms_of, estimate
from energy_models.technology import memory_fit, register_file_costs, sram_costs
from energy_models.technology.scaling import dynamic_factor, load_technology, node_factor, scaled_profile, sram_factor
from energy_models.technology.scaling.technology import CircuitClass
from energy_models.workload import Workload

KIB = 8 * 1024
DIGITAL: tuple[CircuitClass, ...] = ("multiplier", "adder", "float_multiplier", "float_adder", "wire")
ASICS = ("asic45_reference", "asic65_near_memory", "asic22_fdx")
PRICE_OPERATIONS = [
    name for name in profile_names() if not isinstance(load_profile(name).execution, EventTable | EventCycles)
]
SMALL = workload(dense_layer(64, 32), dense_layer(32, 4, name="out"))


def energy_j(work: Workload, machine: HardwareProfile, cause: str | None = None) -> float:
    report = estimate(work, machine, None, decode_rate_hz=1)
    if cause is None:
        return report.decode_energy_j.nominal
    return sum(layer.energy_j[cause].nominal for layer in report.layers if cause in layer.energy_j)  # type: ignore[index]


# --- nodes and supplies ---


# accelergy-library-plug-in: interpolates nodes backwards, 45 to 28 nm 0.367 but 45 to 22 nm 0.586
def test_a_finer_node_is_never_the_dearer_one() -> None:
    fine = (45, 40, 32, 28, 22, 16, 12, 7)
    for kind in DIGITAL:
        factors = [node_factor(kind, 45, node).nominal for node in fine]
        assert all(after < before for before, after in pairwise(factors)), kind
    for size in (KIB, 8 * KIB, 100 * KIB, 4096 * KIB):
        factors = [sram_factor(size, 45, node).nominal for node in fine]
        assert all(after <= before for before, after in pairwise(factors)), size
    energies = [energy_j(SMALL, scaled_profile(load_profile("asic45_reference"), node_nm=node)) for node in fine]
    assert all(after < before for before, after in pairwise(energies))


# hwcomponents-cacti: above 90 nm it takes the branch for below 22 nm, so that 130 nm reads at half the energy of 65 nm
def test_a_node_beyond_the_data_is_refused_not_guessed() -> None:
    for node in (130, 180, 91, 6.9):
        with pytest.raises(ProfileError, match="is outside 7 to 90 nm"):
            sram_factor(8 * KIB, 45, node)
    with pytest.raises(PriceError, match="Swept nodes"):
        sram_costs(130, "itrs-lstp", size_bytes=8192, width_bits=32, temperature_k=300)
    macros = [sram_costs(n, "itrs-lstp", size_bytes=8192, width_bits=32, temperature_k=300) for n in (90, 65, 45)]
    reads = [macro.read.value for macro in macros]
    assert reads == sorted(reads, reverse=True)


# hwcomponents: multiplies leakage by the factor of the dynamic energy
def test_leakage_has_its_own_law() -> None:
    machine = load_profile("asic45_reference")
    finer, lower, warmer = (
        scaled_profile(machine, node_nm=22), scaled_profile(machine, supply_v=0.5),
        scaled_profile(machine, temperature_k=366),
    )
    dynamic = "execution.operations.integer.multiply.per_square_bit"
    before = machine.bands
    assert finer.bands[dynamic].nominal < 0.8 * before[dynamic].nominal
    assert finer.bands["memories[0].retention"].nominal == pytest.approx(before["memories[0].retention"].nominal)
    switched = dynamic_factor(0.9, 0.5).nominal
    assert lower.bands[dynamic].nominal / before[dynamic].nominal == pytest.approx(switched)
    assert lower.bands["static"].nominal / before["static"].nominal != pytest.approx(switched, rel=0.05)
    assert warmer.bands[dynamic] == before[dynamic]
    assert warmer.bands["memories[0].retention"].nominal == pytest.approx(4 * before["memories[0].retention"].nominal)


# hwcomponents-library: SRAM energy linear in width and depth^0.78, where CACTI has about 0.4 and 0.57
@pytest.mark.parametrize("node", [22, 32, 45, 65, 90])
def test_sram_energy_grows_slower_than_its_width(node: int) -> None:
    for law in ("read", "write"):
        fitted = memory_fit(node, "itrs-lstp").laws[law]  # type: ignore[index]
        assert fitted.width < 0.75, law
        assert 0.3 < fitted.size < 0.7, law
    narrow, wide = (
        sram_costs(node, "itrs-lstp", size_bytes=8192, width_bits=bits, temperature_k=300).read.value
        for bits in (16, 64)
    )
    assert wide < 2 * narrow  # linear would be four times


# Aladdin's tables, as shipped with Accelergy: a 32-bit multiplication of 8.6 to 12.7 pJ (Horowitz 3.1) and a leakage of
# 5 uW for one 8-bit multiplier, more than a whole implant may draw
@pytest.mark.parametrize(
    ("name", "multipliers"), [("asic45_reference", 64), ("asic65_near_memory", 128), ("asic22_fdx", 16)]
)
def test_multipliers_of_ultra_low_power_machines_are_neither_dear_nor_leaky(name: str, multipliers: int) -> None:
    machine = load_profile(name)
    bands = machine.bands
    path = "execution.operations.integer.multiply"
    linear = bands[f"{path}.per_bit"].nominal if f"{path}.per_bit" in bands else 0.0
    assert 32 * linear + 32 * 32 * bands[f"{path}.per_square_bit"].nominal < 4e-12
    assert bands["static"].nominal / multipliers < 5e-6 / 20


# Stillmaker-Baas polynomials as others use them: they turn upward below 0.59 V (65 nm), 0.50 (90 nm), 0.41 (32 nm), so
# that a design at 0.4 V looks worse than one at 0.6 V; and every node is taken at 0.8 V unless told otherwise
def test_less_supply_never_costs_more_energy_and_no_supply_is_invented() -> None:
    turning = [3.755 * v * v - 4.398 * v + 1.975 for v in (0.4, 0.586)]
    assert turning[0] > turning[1]  # the trap is real
    for name in ("asic65_near_memory", "asic45_reference"):
        machine = load_profile(name)
        volts = (0.40, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8, 0.9)
        energies = [energy_j(SMALL, scaled_profile(machine, supply_v=one)) for one in volts]
        assert all(lower < higher for lower, higher in pairwise(energies))
    machine = load_profile("asic45_reference")
    found = {node: scaled_profile(machine, node_nm=node).supply.value for node in (90, 65, 28, 7)}
    assert len({round(one, 3) for one in found.values()}) == 4
    assert found[90] == pytest.approx(1.2)
    assert found[7] == pytest.approx(0.75)


# Every tool with one factor per node: Stillmaker-Baas says 0.094 from 45 to 7 nm; the tables say 0.35 (int8 multiply),
# 0.23 (int8 add), 0.48 (int32 multiply), 0.75 (8 KB) and 0.14 (1 MB)
def test_a_node_is_no_single_number() -> None:
    published = {"multiplier": (0.35, 0.48), "adder": (0.233, 0.30), "wire": (0.14, 0.14)}
    for kind, (low, high) in published.items():
        band = node_factor(kind, 45, 7)  # type: ignore[arg-type]
        assert low * 0.99 <= band.nominal <= high * 1.01
    assert sram_factor(8 * KIB, 45, 7).low < 0.75 < sram_factor(8 * KIB, 45, 7).high
    assert sram_factor(1024 * KIB, 45, 7).nominal == pytest.approx(0.14, rel=1e-3)
    shape = load_technology().shape[-1].energy.value
    assert shape == pytest.approx(0.094, abs=0.001)
    assert all(node_factor(kind, 45, 7).nominal > 1.4 * shape for kind in DIGITAL)


# --- memories and arithmetic ---


# QKeras qtools: takes its pJ per bit for pJ per 64 bits, SRAM 64 times too cheap, and dearer again below 4 KB
def test_sram_reads_are_picojoules_and_fall_with_size() -> None:
    macros = [sram_costs(45, "itrs-lstp", size_bytes=2**n, width_bits=64, temperature_k=300) for n in range(10, 21)]
    reads = [macro.read.value for macro in macros]
    assert reads == sorted(reads)
    assert 3 < reads[3] < 10  # 8 KiB, one 64-bit word: CACTI 6.1 pJ, Horowitz 10 pJ; qtools' mistake would be 0.16
    for name in ASICS:
        macros = [one for one in load_profile(name).memories if one.read and one.capacity.band.nominal > 256 * 8]
        assert macros
        for memory in macros:
            assert memory.read is not None
            assert memory.read.band.nominal / memory.word_bits > 5e-15  # 10 pJ / 64 bit / 64 would be 2.4 fJ


# SpikingJelly: charges Horowitz's 64-bit access to 4 bytes, and next to nothing for tiny buffers (a line to the origin)
def test_an_access_is_charged_for_the_word_it_is_given_for() -> None:
    machine = load_profile("asic45_reference")
    memory = machine.memories[0]
    assert memory.read is not None
    assert (memory.word_bits, memory.read.band.nominal) == (64, pytest.approx(10e-12))
    (counts,) = count_actions(one := workload(dense_layer(64, 32)), machine.execution, place(one, machine))
    weights = sum(access.reads for access in counts.accesses if access.operand == "weights")
    assert weights == 64 * 32 * 8 / 64
    tiny, full = (register_file_costs(45, size_bytes=size, width_bits=32).read.value for size in (4, 256))
    assert tiny == full > 0.1  # 32 register bits of 9 fJ, however few words there are


# SpikingJelly's int8 preset: accumulates with an 8-bit adder (0.03 pJ); QONNX and others book 32 bits whatever it needs
def test_accumulation_is_charged_at_the_width_of_the_accumulator() -> None:
    machine = toy_array()
    for bits in (8, 16, 24, 32):
        one = workload(dense_layer(64, 32, accumulator_bits=bits))
        (counts,) = count_actions(one, machine.execution, place(one, machine))
        assert [done.widths for done in counts.operations if done.name == "accumulate"] == [(bits, bits)]
    networks = (workload(dense_layer(64, 32, accumulator_bits=bits)) for bits in (8, 32))
    narrow, wide = (energy_j(one, machine, "compute") for one in networks)
    # 64 x 32 sums of 1 fJ per bit: 24 bits more are 24 fJ each
    assert wide - narrow == pytest.approx(64 * 32 * 24e-15)


# ZigZag: energy of a multiplication does not depend on precision (W8 = W4 = W1)
@pytest.mark.parametrize("name", ASICS)
def test_precision_is_priced(name: str) -> None:
    networks = (workload(dense_layer(64, 32, weight_bits=bits)) for bits in (8, 4, 2))
    energies = [energy_j(one, load_profile(name), "compute") for one in networks]
    assert energies[0] > energies[1] > energies[2]


# ZigZag, QONNX: everything but convolutions and products is free (pools, ELU, normalisation, requantisation)
@pytest.mark.parametrize("name", PRICE_OPERATIONS)
@pytest.mark.parametrize("operation", ["compare", "lookup", "requantise", "divide", "add"])
def test_operations_beside_products_are_priced(name: str, operation: str) -> None:
    layer = dataclasses.replace(
        with_operations(dense_layer(16, 6), **{operation: 1000}), kind="pool", products=None, weights=0,
        weights_nonzero=0, weights_key="", weight_bits=0, reduction=0,
    )
    bare = dataclasses.replace(layer, operations={})
    machine = load_profile(name)
    assert energy_j(workload(layer), machine) > energy_j(workload(bare), machine)


# ZigZag, SANA-FE, MINDFUL: no leakage at all; timeloop-accelergy-tutorial#9: no idle power, and network energy is 0
@pytest.mark.parametrize("name", profile_names())
def test_what_leaks_is_in_the_total(name: str) -> None:
    machine = load_profile(name)
    report = estimate(SMALL, machine, None, decode_rate_hz=1e-6)
    assert report.power_w["static"].nominal >= machine.static.band.nominal > 0
    kept = sum(one.retention.band.nominal for one in machine.memories if one.retention is not None)
    assert (report.power_w["retention"].nominal > 0) == (kept > 0)
    assert report.total_power_w.nominal >= report.power_w["static"].nominal + report.power_w["retention"].nominal


def test_messages_of_spikes_are_in_the_total() -> None:
    synapses = dense_layer(16, 6, activation_bits=1, events=3)
    report = estimate(workload(synapses), toy_event(), None, decode_rate_hz=1)
    # 3 events x 0.5 pJ, 3 messages x (1 + 2 x 0.5) pJ: both are control, beside the clock's factor
    costs = cost_terms_of(workload(synapses), toy_event(), None, decode_rate_hz=1)
    paths = {path for term in costs.layers[0].price.energy_j["control"] for path in term.over if term.count}
    assert {"execution.messages.packet", "execution.messages.hop", "execution.control_per_event"} <= paths
    assert report.layers[0].energy_j["control"].nominal > 3 * 2e-12


# ZigZag, Accelergy: leakage that does not say which cell it is of (more than four decades between flavours at one node)
def test_retention_names_its_cell() -> None:
    kept = [sram_costs(45, flavour, size_bytes=65536, width_bits=32, temperature_k=300).retention.value
            for flavour in ("itrs-lstp", "itrs-hp")]
    assert kept[1] > 1e4 * kept[0]
    for name in ASICS:
        for kept_by in (one.retention for one in load_profile(name).memories if one.retention is not None):
            text = f"{kept_by.where} {kept_by.note}".lower()
            assert kept_by.band.nominal < 100e-12, name
            assert any(word in text for word in ("lstp", "macro", "cell", "silicon", "vega", "retention")), text


# --- spikes ---


# Published SNN energies (PMC10242054, Table 3): 2.51 M operations, which hold the spike rate, times the rate 0.1366
def test_a_spike_rate_is_in_the_count_and_nowhere_else() -> None:
    machine = toy_event()
    step_j = machine.bands["execution.step.energy"].nominal
    rate = 1366 / 10_000
    sparse, dense = (workload(dense_layer(10_000, 10, activation_bits=1, events=n)) for n in (1366, 10_000))
    (counts,) = count_actions(sparse, machine.execution, place(sparse, machine))
    assert sum(done.count for done in counts.operations if done.name == "accumulate") == 13_660
    found = (energy_j(sparse, machine) - step_j) / (energy_j(dense, machine) - step_j)
    assert found == pytest.approx(rate)  # rate squared would be 0.0187


# Papers that cite Loihi's 23.6 pJ as measured (it is pre-silicon), and as the whole price of a synaptic operation; in
# public code "Loihi pJ/SOP" runs from 0.9 to 120
def test_simulated_energies_are_not_called_measured_and_a_synapse_is_not_the_whole() -> None:
    machine = load_profile("loihi")
    for path, constant in machine.quantity_at.items():
        assert constant.basis != "measured", path
    spikes = workload(dense_layer(64, 32, activation_bits=1, events=16), neurons(32, active=20, spikes=6))
    report = estimate(spikes, machine, None, decode_rate_hz=1)
    by_cause = {cause: band.nominal for layer in report.layers for cause, band in layer.energy_j.items()}
    assert {"compute", "state", "control"} <= {cause for cause, value in by_cause.items() if value > 0}
    assert report.decode_energy_j.nominal / (16 * 32) > 23.6e-12


# Every peer but the SNN profilers: a silent network costs as much as a busy one; pJ per synaptic operation: nothing
def test_silence_is_cheap_but_not_free() -> None:
    def price(events: int, active: int) -> float:
        synapses = dense_layer(64, 32, activation_bits=1, events=events)
        return energy_j(workload(synapses, neurons(32, active=active, spikes=0)), load_profile("event_core_28nm"))

    assert 0 < price(0, 0) < price(32, 32) / 2
