"""Metamorphic laws of every machine, shipped or toy: change the work in a known way, and the price follows exactly.

Here no price is known. What is known is how two prices are related; a model that breaks one of these is wrong whatever
its constants are. What holds for single workloads is in ``test_estimate_properties.py``.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from energy_workloads import (
    dense_layer,
    in_turn,
    neurons,
    toy_array,
    toy_broadcast,
    toy_core,
    toy_event,
    toy_output_stationary,
    toy_ring,
    toy_site,
    workload,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from energy_models.analysis import Design, sample_designs, spread
from energy_models.hardware import (
    EventDriven,
    HardwareProfile,
    InputBroadcast,
    Memory,
    Site,
    load_profile,
    load_site,
    profile_names,
    site_names,
)
from energy_models.mapping import count_actions, place
from energy_models.pricing import EnergyReport, band, cost_terms_of, estimate, estimate_vectorised
from energy_models.pricing import given as given_constants
from energy_models.pricing.terms import Terms
from energy_models.quantities import parse_model
from energy_models.technology import TABLE_BITS
from energy_models.workload import LayerWork, Workload

TOYS = [toy_array(), toy_output_stationary(), toy_broadcast(), toy_ring(), toy_event(), toy_core()]
WIDE = toy_broadcast(lanes=32)
MACHINES = [*TOYS, *(load_profile(name) for name in profile_names())]


def one_way(machine: HardwareProfile) -> HardwareProfile:
    """The machine with its weights always kept: which way is cheaper depends on the rate (test_reload.py)."""
    if all(memory.reload_from is None for memory in machine.memories):
        return machine
    table = machine.model_dump(mode="json", exclude_none=True)
    table["memories"] = [one for one in table["memories"] if one["holds"]]
    for one in table["memories"]:
        one.pop("reload_from", None)
    return parse_model(table, HardwareProfile, where=machine.name)


ONE_WAY = [one_way(machine) for machine in MACHINES]
EVENT_MACHINES = [machine for machine in MACHINES if isinstance(machine.execution, EventDriven)]
DATAPATHS = [machine for machine in MACHINES if not machine.execution.contains_memory]
SITES: list[Site | None] = [None, toy_site(), *(load_site(name) for name in site_names())]
BOUNDS = ("low", "nominal", "high")
PER_DECODE = ("wake.energy", "execution.cycles_per_layer", "execution.cycles_per_decode")

dense_layers = st.builds(
    dense_layer, st.integers(1, 120), st.integers(1, 60), positions=st.integers(1, 8), weight_bits=st.integers(2, 8),
    activation_bits=st.integers(2, 8), accumulator_bits=st.integers(8, 32),
)


@st.composite
def networks(draw: st.DrawFn) -> Workload:
    """One to three dense layers, a spiking one with its neurons, all of them with some activity."""
    layers = [dataclasses.replace(one, name=f"fc{i}", weights_key=f"fc{i}")
              for i, one in enumerate(draw(st.lists(dense_layers, min_size=1, max_size=3)))]
    inputs, size = draw(st.integers(1, 64)), draw(st.integers(1, 40))
    events, active = draw(st.integers(0, inputs)), draw(st.integers(0, size))
    spiking = dense_layer(inputs, size, name="spiking", activation_bits=1, events=events)
    return workload(*layers, spiking, neurons(size, active=active, spikes=draw(st.integers(0, active))))


def id_of(machine: HardwareProfile) -> str:
    return machine.name


def fills_words(machine: HardwareProfile) -> bool:
    """Whether four-bit weights fill words; a broadcast unit reads its lanes' weights together, however few they are."""
    if not isinstance(machine.execution, InputBroadcast):
        return True
    (word,) = {memory.word_bits for memory in machine.memories if "weights" in memory.holds}
    return 4 * machine.execution.lanes % word == 0


def power_counts(work: Workload, machine: HardwareProfile, rate: float) -> dict[tuple[object, ...], float]:
    """The count of every term of the average power, by cause and constants."""
    costs = cost_terms_of(work, machine, None, decode_rate_hz=rate)
    return {
        (cause, term.over, term.under): term.count for cause, terms in costs.power_w.items() for term in terms
        if term.count
    }


def spiking_layer(inputs: int, outputs: int, events: int) -> LayerWork:
    return dense_layer(inputs, outputs, name="synapses", activation_bits=1, events=events)


@settings(max_examples=60, deadline=None)
@given(networks(), st.sampled_from(MACHINES), st.sampled_from(SITES), st.floats(0.05, 500))
def test_the_total_is_the_sum_of_its_breakdown_and_bounds_are_ordered(
    work: Workload, machine: HardwareProfile, site: Site | None, rate: float
) -> None:
    report = estimate(work, machine, site, decode_rate_hz=rate)
    for bound in BOUNDS:
        by_cause = (getattr(band, bound) for band in report.power_w.values())
        assert getattr(report.total_power_w, bound) == in_turn(by_cause)
        by_layer = (getattr(band, bound) for layer in report.layers for band in layer.energy_j.values())
        assert getattr(report.decode_energy_j, bound) == in_turn(by_layer)
    parts = [*report.power_w.values(), report.latency_s, report.cycles, report.decode_energy_j, report.total_power_w]
    parts += [one for layer in report.layers for one in layer.energy_j.values()]
    assert all(0 <= one.low <= one.nominal <= one.high < math.inf for one in parts)


@settings(max_examples=40, deadline=None)
@given(networks(), st.sampled_from(MACHINES), st.sampled_from(SITES), st.floats(0.05, 500))
def test_one_estimate_is_many_estimates_at_the_nominal_point(
    work: Workload, machine: HardwareProfile, site: Site | None, rate: float
) -> None:
    report = estimate(work, machine, site, decode_rate_hz=rate)
    nominal = {path: np.array([one.band.nominal]) for path, one in given_constants(machine, site).items()}
    points = estimate_vectorised(work, machine, site, decode_rate_hz=rate, constants=nominal)
    for found, expected in (
        (points.total_power_w, report.total_power_w), (points.decoder_power_w, report.decoder_power_w),
        (points.decode_energy_j, report.decode_energy_j), (points.latency_s, report.latency_s),
    ):
        np.testing.assert_allclose(found, expected.nominal, rtol=1e-12)


@pytest.mark.parametrize("machine", MACHINES, ids=id_of)
def test_sampled_quantiles_stand_in_order_inside_the_guaranteed_bounds(machine: HardwareProfile) -> None:
    work = workload(dense_layer(32, 16), spiking_layer(16, 8, 5), neurons(8, active=4, spikes=2))
    for site in SITES:
        report = estimate(work, machine, site, decode_rate_hz=20)
        (points,) = sample_designs((Design(work, machine, site, 20.0),), draws=4096, seed=1)
        for sampled, bounds in (
            (points.total_power_w, report.total_power_w), (points.decode_energy_j, report.decode_energy_j),
        ):
            low, middle, high = spread(sampled)
            slack = 1.1  # a price that rests on one constant has its 5 % point at the bound, but for sampling
            assert bounds.low <= low * slack
            assert low <= middle * slack
            assert middle <= high * slack
            assert high <= bounds.high * slack


@pytest.mark.parametrize("machine", EVENT_MACHINES, ids=id_of)
def test_without_activity_only_leakage_idle_updates_and_steps_are_charged(machine: HardwareProfile) -> None:
    silent = workload(spiking_layer(32, 16, 0), neurons(16, active=0, spikes=0))
    report = estimate(silent, machine, None, decode_rate_hz=50)
    assert all(one.high == 0 for one in report.layers[0].energy_j.values())
    # twice the idle neurons, nothing else changed: all but the time step doubles, so it is idle updates
    twice = workload(spiking_layer(32, 16, 0), dataclasses.replace(neurons(32, active=0, spikes=0), state_elements=16))
    more = estimate(twice, machine, None, decode_rate_hz=50)
    step = _step_j(machine)
    assert more.decode_energy_j.nominal - step == pytest.approx(2 * (report.decode_energy_j.nominal - step), rel=1e-9)
    leakage = ("static", "retention", "wake")
    assert all(more.power_w[cause] == report.power_w[cause] for cause in leakage)  # type: ignore[index]


def _step_j(machine: HardwareProfile) -> float:
    return machine.quantity_at["execution.step.energy"].band.nominal


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(EVENT_MACHINES), st.integers(1, 40), st.integers(1, 40), st.data())
def test_twice_the_spikes_double_the_terms_of_events_and_no_other(
    machine: HardwareProfile, half: int, outputs: int, data: st.DataObject
) -> None:
    events, size = data.draw(st.integers(1, half)), outputs
    spikes = data.draw(st.integers(0, size // 2))
    layers = [
        (spiking_layer(2 * half, outputs, n * events), neurons(size, active=size, spikes=n * spikes)) for n in (0, 1, 2)
    ]
    counts = [power_counts(workload(*pair), machine, 50.0) for pair in layers]
    none, once, twice = counts
    for key in twice:
        silent, single, double = (found.get(key, 0.0) for found in counts)
        assert double - single == pytest.approx(single - silent, rel=1e-9, abs=1e-9)  # affine: never the rate squared
    still = ("static", "retention", "idle", "active_update", "leak", "wake")
    for key, silent in none.items():
        if any(word in str(key) for word in still):
            assert twice[key] == once[key] == silent
    grown = {key for key in twice if twice[key] != none.get(key, 0.0)}
    assert grown
    # a layer of synapses alone is nothing but events, and the time step
    alone = [estimate(workload(spiking_layer(2 * half, outputs, n * events)), machine, None, decode_rate_hz=1)
             for n in (1, 2)]
    single, double = (one.decode_energy_j.nominal - _step_j(machine) for one in alone)
    assert double == pytest.approx(2 * single, rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(EVENT_MACHINES), st.integers(1, 60), st.integers(1, 40), st.data())
def test_a_spike_rate_is_applied_once(
    machine: HardwareProfile, inputs: int, outputs: int, data: st.DataObject
) -> None:
    events = data.draw(st.integers(1, inputs))
    some, all_ = (workload(spiking_layer(inputs, outputs, n)) for n in (events, inputs))
    (counts,) = count_actions(some, machine.execution, place(some, machine))
    done = {operation.name: operation.count for operation in counts.operations}
    assert done["accumulate"] == events * outputs  # the observed sites themselves, no rate on top
    rate = events / inputs
    sparse, dense = (
        estimate(w, machine, None, decode_rate_hz=1).decode_energy_j.nominal - _step_j(machine) for w in (some, all_)
    )
    assert sparse == pytest.approx(rate * dense, rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([*DATAPATHS, WIDE]), st.integers(1, 8), st.integers(1, 4))
def test_four_bit_weights_halve_the_words_and_cheapen_products_but_not_sums(
    machine: HardwareProfile, rows: int, columns: int
) -> None:
    # 16 x 32 blocks: rows of synapses and whole matrices fill words of up to 128 bits at either width
    wide, narrow = (workload(dense_layer(16 * rows, 32 * columns, weight_bits=bits)) for bits in (8, 4))
    counted = [count_actions(w, machine.execution, place(w, machine))[0] for w in (wide, narrow)]
    reads = [sum(one.reads for one in counts.accesses if one.operand == "weights") for counts in counted]
    if fills_words(machine):
        assert reads[0] == 2 * reads[1] > 0
    else:
        assert reads[0] >= reads[1] >= reads[0] / 2 > 0
    both = [cost_terms_of(w, machine, None, decode_rate_hz=1) for w in (wide, narrow)]
    compute = [costs.layers[0].price.energy_j["compute"] for costs in both]
    sums = [_energy(_of_sums(terms), machine) for terms in compute]
    assert sums[0] == sums[1] > 0
    whole = [_energy(terms, machine) for terms in compute]
    assert whole[1] < whole[0]


def _of_sums(terms: Terms) -> Terms:
    return tuple(term for term in terms if any(".accumulate." in path for path in term.over))


def _energy(terms: Terms, machine: HardwareProfile) -> float:
    return band(terms, machine.bands).nominal


def _power_at(work: Workload, machine: HardwareProfile, site: Site | None, hz: float) -> float:
    found: EnergyReport = estimate(work, machine, site, decode_rate_hz=hz)
    return sum(one.nominal for cause, one in found.power_w.items() if cause != "regulator")


@settings(max_examples=40, deadline=None)
@given(networks(), st.sampled_from(ONE_WAY), st.sampled_from(SITES), st.floats(0.1, 50), st.floats(0.1, 10))
def test_power_of_a_stream_before_the_regulator_is_affine_in_the_rate_of_decisions(
    work: Workload, machine: HardwareProfile, site: Site | None, rate: float, factor: float
) -> None:
    low, high = (_power_at(work, machine, site, hz) for hz in (rate, 2 * rate))
    slope = (high - low) / rate
    # all TrueNorth charges beyond its static power is synaptic operations: a silent network adds nothing
    assert slope > 0 or (machine.name == "truenorth" and slope == 0)
    assert _power_at(work, machine, site, factor * rate) == pytest.approx(low + slope * (factor - 1) * rate, rel=1e-9)


@settings(max_examples=80, deadline=None)
@given(networks(), st.sampled_from(ONE_WAY), st.sampled_from(SITES), st.integers(1, 40), st.floats(0.05, 0.95))
def test_power_of_windows_before_the_regulator_is_affine_until_decodes_follow_each_other_and_after(
    work: Workload, machine: HardwareProfile, site: Site | None, steps: int, share: float
) -> None:
    windows = dataclasses.replace(work, mode="window", steps_per_decode=steps)
    full = 1 / estimate(windows, machine, None, decode_rate_hz=1).latency_s.nominal  # rate at which it never rests

    def power(busy: float) -> float:
        return _power_at(windows, machine, site, busy * full)

    below, middle, never_rests, above, far = (power(busy) for busy in (0.1 * share, share, 1.0, 1.0 + share, 3.0))
    slope = (never_rests - below) / (1 - 0.1 * share)
    after = (far - never_rests) / 2
    assert middle == pytest.approx(below + slope * 0.9 * share, rel=1e-9)
    assert above == pytest.approx(never_rests + after * share, rel=1e-9)
    # concave: what a busier machine adds is less by what is drawn only while it is awake (banks that hold only
    # activations, leakage at the working supply, the clock), and never more
    uses = place(windows, machine).uses
    banks = [(memory, _kept_bits(memory, use.used_bits)) for memory, use in zip(machine.memories, uses, strict=True)]
    awake = sum(kept * _leakage(machine, memory) for memory, kept in banks)
    kept = sum(kept * _retention(machine, memory) for memory, kept in banks if memory.idle_banks == "off")
    looked_up = any("lookup" in layer.operations for layer in windows.layers)
    table = next((one for one in machine.memories if one.retention is not None), None)
    tables = 0.0 if table is None or machine.execution.contains_memory or not looked_up else TABLE_BITS
    clock = machine.energy_per_clock_cycle
    if clock is not None and machine.clock_runs == "awake":
        kept += clock.band.nominal * machine.clock.band.nominal
    spread = awake + kept + (0.0 if table is None else tables * _leakage(machine, table))
    assert -1e-9 * far <= slope - after <= spread + 1e-9 * far
    # a machine that never rests keeps every bank in use, at the supply it works at
    report = estimate(windows, machine, None, decode_rate_hz=1.5 * full)
    every = awake + sum(kept * _retention(machine, memory) for memory, kept in banks)
    every += 0.0 if table is None else tables * (_retention(machine, table) + _leakage(machine, table))
    assert report.power_w["retention"].nominal == pytest.approx(every, rel=1e-9)


def _kept_bits(memory: Memory, used_bits: float) -> float:
    if memory.retention is None:
        return 0.0
    bank, capacity = memory.bank.band.nominal, memory.capacity.band.nominal
    taken = math.ceil(used_bits / bank) * bank
    return taken if used_bits > capacity else min(taken, capacity)  # what does not fit draws no less for it


def _retention(machine: HardwareProfile, memory: Memory) -> float:
    kept = 0.0 if memory.retention is None else memory.retention.band.nominal
    return kept / _efficiency(machine, memory)


def _leakage(machine: HardwareProfile, memory: Memory) -> float:
    more = 0.0 if memory.awake_leakage is None else memory.awake_leakage.band.nominal
    return more / _efficiency(machine, memory)


def _efficiency(machine: HardwareProfile, memory: Memory) -> float:
    rail = machine.memory_rail
    return 1.0 if rail is None or not machine.on_rail(memory) else rail.efficiency.band.nominal


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(ONE_WAY), st.integers(1, 6), st.integers(0, 32), st.integers(0, 16))
def test_the_power_of_a_stream_does_not_depend_on_how_it_is_cut(
    machine: HardwareProfile, steps: int, events: int, spikes: int
) -> None:
    single = power_counts(_chunk(1, events, spikes), machine, 60.0)
    chunked = power_counts(_chunk(steps, events, spikes), machine, 60.0 / steps)
    assert set(single) == set(chunked)
    for key, counted in single.items():
        # waking and a core's calls of kernels come once for each decision, so fewer decisions need fewer of them
        share = steps if any(path in str(key) for path in PER_DECODE) else 1
        assert chunked[key] * share == pytest.approx(counted, rel=1e-9)


def _chunk(steps: int, events: int, spikes: int) -> Workload:
    """A stream at 60 steps a second that is asked for a decision every so many steps; whole words at every end."""
    fed = dense_layer(32, 16, activation_bits=8, name="fed")
    synapses, cells = spiking_layer(128, 64, events), neurons(64, active=8, spikes=min(spikes, 8), state_bits=32)
    layers = [_repeated(one, steps) for one in (fed, synapses, cells)]
    return dataclasses.replace(workload(*layers, steps=steps), step_rate_hz=60.0)


def _repeated(layer: LayerWork, times: int) -> LayerWork:
    """The layer called so many times per decode, the same work each time."""
    return dataclasses.replace(
        layer, calls=times, inputs=layer.inputs * times, outputs=layer.outputs * times,
        products=layer.products and layer.products.times(times), input_events=layer.input_events.times(times),  # type: ignore[union-attr]
        output_events=layer.output_events and layer.output_events.times(times),
        operations={name: one.times(times) for name, one in layer.operations.items()},
        state_reads=layer.state_reads * times, state_writes=layer.state_writes * times,
        updates_active=layer.updates_active and layer.updates_active.times(times),
        updates_idle=layer.updates_idle and layer.updates_idle.times(times),
    )


@settings(max_examples=40, deadline=None)
@given(networks(), st.sampled_from(MACHINES))
def test_observing_the_same_activity_for_longer_changes_no_price(work: Workload, machine: HardwareProfile) -> None:
    def joined(layer: LayerWork) -> LayerWork:
        sites = layer.products
        both = sites and dataclasses.replace(sites, **{
            name: type(one)(one.multiply_accumulate + one.multiply_accumulate, one.accumulate + one.accumulate)
            for name, one in ((f.name, getattr(sites, f.name)) for f in dataclasses.fields(sites))
        })
        return dataclasses.replace(
            layer, products=both, operations={name: one + one for name, one in layer.operations.items()},
            **{name: one and one + one for name in ("input_events", "output_events", "updates_active", "updates_idle")
               if (one := getattr(layer, name)) is not None},
        )

    longer = dataclasses.replace(work, decodes=2 * work.decodes, layers=tuple(joined(one) for one in work.layers))
    short, long = (estimate(w, machine, None, decode_rate_hz=9) for w in (work, longer))
    assert (short.power_w, short.layers, short.latency_s) == (long.power_w, long.layers, long.latency_s)


def test_the_laws_can_fail() -> None:
    # the affine check on a price that applies the rate twice: 10 % of 1000 sites, charged 10 % again
    sites = [rate * 1000 * rate for rate in (0.0, 0.1, 0.2)]
    assert sites[2] - sites[1] != pytest.approx(sites[1] - sites[0])
    # and chunking on a layer whose steps are not all counted
    whole, missing = _chunk(4, 8, 2), _chunk(3, 8, 2)
    counts = [power_counts(w, toy_event(), 15.0) for w in (whole, missing)]
    assert any(counts[0][key] != pytest.approx(counts[1][key]) for key in counts[0])
